"""What git may ask for beside what runs: one minor up, never down, and only what Kubespray installs."""

from __future__ import annotations

import pytest

from reconciler.spec import versions
from tests.unit.examples import CLUSTER, FILE, desired

LINE = next(n for n, line in enumerate(CLUSTER.splitlines(), 1) if "version:" in line)
FLEET = """\
apiVersion: research.moc/v1alpha1
kind: Fleet
metadata: {name: all}
spec:
  defaults:
    kubernetes: {version: "1.36.3"}
"""
OFFERED = ("1.33.0", "1.33.11", "1.34.0", "1.34.7", "1.35.4")


def said(wanted: str, running: tuple[str, ...], offered: tuple[str, ...] = ()) -> list[tuple[str, str | None]]:
    cluster = desired(('"1.36.3"', f'"{wanted}"'))[0]
    found = versions.check(cluster, running, offered)
    assert {(p.file, p.line, p.column, p.path) for p in found} <= {(FILE, LINE, 5, "spec.kubernetes.version")}
    return [(p.message, p.hint) for p in found]


@pytest.mark.parametrize(
    ("running", "wanted"),
    [
        ((), "1.36.3"),  # nothing is known of what runs
        (("1.36.3",), "1.36.3"),
        (("1.35.0",), "1.36.3"),
        (("1.9.11",), "1.10.0"),
        (("1.36.3",), "1.36.1"),  # back from a bad patch
        (("1.35.9", "1.36.3"), "1.36.3"),  # an upgrade that stopped halfway goes on
        (("", "who knows"), "1.36.3"),
        (("v1.35.2+k3s1",), "1.36.3"),
    ],
)
def test_what_may_be_asked_for(running: tuple[str, ...], wanted: str) -> None:
    assert said(wanted, running) == []


@pytest.mark.parametrize(
    ("running", "wanted", "message", "hint"),
    [
        (
            ("1.33.4",),
            "1.35.4",
            "Kubernetes goes up one minor at a time: 1.33.4 -> 1.34.x -> 1.35.4",
            "commit 1.34.x first, let it be applied, then 1.35.4",
        ),
        (
            ("1.35.0", "1.33.4", "1.34.1"),  # the node that is furthest behind counts
            "1.36.0",
            "Kubernetes goes up one minor at a time: 1.33.4 -> 1.34.x -> 1.35.x -> 1.36.0",
            "commit 1.34.x first, let it be applied, then 1.35.x, then 1.36.0",
        ),
        (
            ("1.9.0",),
            "1.11.0",
            "Kubernetes goes up one minor at a time: 1.9.0 -> 1.10.x -> 1.11.0",
            "commit 1.10.x first, let it be applied, then 1.11.0",
        ),
        (
            ("1.34.9", "1.35.0"),  # an upgrade that stopped halfway can't be turned back
            "1.34.9",
            "Kubernetes does not go down: 1.35.0 is there, git asks for 1.34.9",
            "ask for 1.35.0: kubeadm and Kubespray know no way to an older minor; only a cluster made anew has one",
        ),
    ],
)
def test_what_may_not(running: tuple[str, ...], wanted: str, message: str, hint: str) -> None:
    assert said(wanted, running) == [(message, hint)]


def test_the_way_names_what_kubespray_has() -> None:
    assert versions.path("1.33.4", "1.35.4", OFFERED) == ("1.33.4", "1.34.7", "1.35.4")
    assert said("1.35.4", ("1.32.0",), OFFERED) == [
        (
            "Kubernetes goes up one minor at a time: 1.32.0 -> 1.33.11 -> 1.34.7 -> 1.35.4",
            "commit 1.33.11 first, let it be applied, then 1.34.7, then 1.35.4",
        )
    ]
    ((_, hint),) = said("1.34.7", ("1.31.0",), OFFERED)
    assert hint == (
        "commit 1.32.x first, let it be applied, then 1.33.11, then 1.34.7 "
        "(the Kubespray in use has no 1.32: use the release that has it)"
    )


@pytest.mark.parametrize(("live", "wanted"), [("1.35.0", "1.34.0"), ("?", "1.34.0"), ("1.35.0", "2.0.0")])
def test_there_is_no_way_down_nor_from_nowhere(live: str, wanted: str) -> None:
    with pytest.raises(ValueError, match="no way"):
        versions.path(live, wanted)


def test_a_version_that_kubespray_does_not_install() -> None:
    assert said("1.34.8", (), OFFERED) == [
        (
            "the Kubespray in use does not install 1.34.8",
            "the newest it has of 1.34 is 1.34.7; or use another release of Kubespray",
        )
    ]
    assert said("1.36.0", ("1.35.4",), OFFERED) == [
        (
            "the Kubespray in use does not install 1.36.0",
            "the newest it has of each minor: 1.33.11, 1.34.7, 1.35.4; or use another release of Kubespray",
        )
    ]
    assert said("1.35.4", ("1.34.7",), OFFERED) == []


def test_a_version_that_the_fleet_says_is_told_in_the_fleets_file() -> None:
    inherited = '  kubernetes:\n    version: "1.36.3"\n'
    (cluster,) = desired((inherited, ""), extra={"desired/fleet.yaml": FLEET})
    (problem,) = versions.check(cluster, ("1.34.0",))
    assert (problem.file, problem.line) == ("desired/fleet.yaml", 6)
