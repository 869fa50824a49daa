"""The autoscaler's own manifest: its limits, its release, and what it compares groups by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from reconciler.spec import autoscaler_manifest, desired_state
from tests.unit.examples import CLUSTER, FILE

PROJECT = Path(__file__).resolve().parents[3]
BOUNDED = CLUSTER.replace("count: 2", "count: 2\n      min: 1\n      max: 5")
OURS = {f"manifests/cluster-autoscaler/{f.name}": f.read_bytes() for f in
        (PROJECT / "manifests/cluster-autoscaler").glob("*.yaml")}  # fmt: skip
DEPLOYMENT = "manifests/cluster-autoscaler/autoscaler.yaml"


def told(
    changes: Mapping[str, str] | None = None, *, minutes: int = 30, version: str = "1.36.3", cluster: str = BOUNDED
) -> list[str]:
    """What is said of our manifest where, in it, each of `changes` (old to new) was made."""
    text = OURS[DEPLOYMENT].decode()
    for old, new in (changes or {}).items():
        assert old in text
        text = text.replace(old, new)
    files = {**OURS, DEPLOYMENT: text.encode(), FILE: cluster.encode()}
    (desired,) = desired_state.load(files)
    spec = desired.cluster.spec
    kubernetes = spec.kubernetes.model_copy(update={"version": version})
    moved = desired.cluster.model_copy(update={"spec": spec.model_copy(update={"kubernetes": kubernetes})})
    object.__setattr__(desired, "cluster", moved)
    return [str(problem) for problem in autoscaler_manifest.remarks(desired, files, minutes)]


def test_ours_fits_the_example_that_the_repository_has() -> None:
    version = re.search(r'version: "(1\.\d+\.\d+)"', (PROJECT / "desired/demo/cluster.yaml").read_text())
    assert version
    assert told(version=version[1]) == []


def test_a_cluster_that_nobody_scales_has_none_to_compare() -> None:
    assert told(minutes=600, cluster=CLUSTER) == []


@pytest.mark.parametrize("flag", ["max-node-provision-time", "max-node-startup-time", "scale-down-unready-time"])
def test_each_limit_is_compared_with_the_settings_at_its_line(flag: str) -> None:
    (found,) = told({f"{flag}=30m": f"{flag}=10m"})
    assert found.startswith(f"{DEPLOYMENT}:")
    assert f"--{flag} is 10m, and autoscaler.provisionMinutes of the settings is 30" in found
    assert told({f"{flag}=30m": f"{flag}=10m0s"}, minutes=10) == []


def test_a_flag_that_is_left_out_has_its_default() -> None:
    (found,) = told({"--max-node-provision-time=30m": "--v=1"})
    assert "is left out, which is 15m" in found


def test_what_takes_longer_than_every_limit_is_told_of_each() -> None:
    assert len(told(minutes=45)) == 3


def test_a_value_may_stand_in_the_next_word() -> None:
    moved = "--max-node-provision-time\n            - 5m"
    (found,) = told({"--max-node-provision-time=30m": moved})
    assert "is 5m" in found


@pytest.mark.parametrize(("value", "said"), [("half an hour", "is no duration"), ("1h30m", ""), ("1800s", "")])
def test_durations_are_gos(value: str, said: str) -> None:
    found = told({"max-node-provision-time=30m": f"max-node-provision-time={value}"})
    assert bool(found) == bool(said)
    assert all(said in line for line in found)


def test_the_image_follows_the_clusters_version() -> None:
    (found,) = told(version="1.35.4")
    assert "Cluster Autoscaler 1.36 and Kubernetes 1.35.4 are of two releases" in found


def test_an_image_without_a_release_is_told() -> None:
    (found,) = told({"cluster-autoscaler:v1.36.1": "cluster-autoscaler:latest"})
    assert "does not say which release" in found


def test_before_1_35_the_flag_for_the_start_stops_it() -> None:
    (found,) = told({"cluster-autoscaler:v1.36.1": "cluster-autoscaler:v1.33.6"}, version="1.33.6")
    assert "does not know --max-node-startup-time" in found


def test_similar_groups_need_our_label_ignored() -> None:
    (found,) = told({"--balancing-ignore-label=research.moc/node-group": "--v=1"})
    assert "they differ in the label research.moc/node-group" in found


@pytest.mark.parametrize("value", ["=1", "=T", "=True", ""])
def test_what_go_reads_as_true_is_true(value: str) -> None:
    without = {"--balancing-ignore-label=research.moc/node-group": "--v=1"}
    (found,) = told({**without, "--balance-similar-node-groups=true": f"--balance-similar-node-groups{value}"})
    assert "never found similar" in found
    assert told({**without, "--balance-similar-node-groups=true": "--balance-similar-node-groups=false"}) == []


def test_a_limit_that_is_switched_off_is_none() -> None:
    changes = {"--scale-down-unready-time=30m": "--scale-down-unready-time=5m", "--stderrthreshold=info": "--v=1"}
    assert len(told(changes)) == 1
    assert told({**changes, "--stderrthreshold=info": "--scale-down-unready-enabled=false"}) == []
