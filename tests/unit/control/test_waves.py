"""Workloads that depend on each other: waited for wave by wave, nothing built on what failed, pruned in reverse."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import Invalid, Permanent
from reconciler.model.outcome import Status
from tests.unit.control.world import FILES, World
from tests.unit.examples import CLUSTER, FILE

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\ndata: {{x: '1'}}\n"
LINE = "    - {{name: {0}, path: manifests/{0}, namespace: n, dependsOn: [{1}]}}\n"


def files(**needs: str) -> dict[str, str]:
    """Workloads by name, each with what it depends on; each has one ConfigMap of its name."""
    lines = "".join(LINE.format(name, other) for name, other in needs.items())
    made = {f"manifests/{name}/a.yaml": CONFIG.format(name) for name in needs}
    rest = {path: text for path, text in FILES.items() if not path.startswith(("manifests/", "desired/demo/app"))}
    return {**rest, **made, FILE: CLUSTER + ("  workloads:\n" + lines if lines else "")}


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path, files())
    made.settle()
    made.take(files(web="base, data", base="", data="base"))
    return made


def test_wave_by_wave_each_after_the_ones_before_are_healthy(world: World) -> None:
    outcome, _ = world.cycle().reconcile()
    assert outcome.status is Status.IN_SYNC
    assert world.log == [
        "own apply ConfigMap n/base",
        "own settle ConfigMap n/base",
        "own apply ConfigMap n/data",
        "own settle ConfigMap n/base ConfigMap n/data",
        "own apply ConfigMap n/web",
    ]


def test_behind_a_wave_that_failed_no_other_goes(world: World) -> None:
    world.fails["own apply ConfigMap n/data"] = Permanent("ImagePullBackOff")
    outcome, _ = world.cycle().reconcile()
    assert outcome.status is Status.FAILED
    assert not any("n/web" in line for line in world.log)


def test_nor_in_a_later_cycle_while_it_is_not_healthy(world: World) -> None:
    world.settle()
    world.take(
        {**files(web="data", base="", data="base"), "manifests/web/a.yaml": CONFIG.format("web").replace("1", "2")}
    )
    world.fails["own settle"] = Permanent("ConfigMap n/data is not healthy")
    outcome, _ = world.cycle().reconcile()
    assert (outcome.status, outcome.error) == (Status.FAILED, "ConfigMap n/data is not healthy")
    assert [line for line in world.log if "apply" in line] == []


def test_what_goes_goes_in_the_reverse_order(world: World) -> None:
    world.settle()
    world.take(files())
    world.cycle().reconcile()
    assert [line.partition(" uid")[0] for line in world.log] == [
        f"own prune ConfigMap n/{name}" for name in ("web", "data", "base")
    ]


@pytest.mark.parametrize(
    ("needs", "path", "message"),
    [
        ({"a": "b", "b": ""}, "", ""),
        ({"a": "c"}, "spec.workloads.0.dependsOn.0", "there is no workload 'c' in this cluster (others there: none)"),
        ({"a": "a"}, "spec.workloads.0.dependsOn.0", "in a circle: a -> a"),
        ({"x": "a", "a": "b", "b": "x, c", "c": "a"}, "spec.workloads.2.dependsOn.0", "in a circle: x -> a -> b -> x"),
        ({"x": "a", "a": "b", "b": "c", "c": "a"}, "spec.workloads.3.dependsOn.0", "in a circle: a -> b -> c -> a"),
        ({f"w{n}": f"w{n + 1}" if n < 1500 else "" for n in range(1501)}, "", ""),
    ],
)
def test_names_and_circles(tmp_path: Path, needs: dict[str, str], path: str, message: str) -> None:
    if not message:
        World(tmp_path, files(**needs))
        return
    with pytest.raises(Invalid) as caught:
        World(tmp_path, files(**needs))
    (problem,) = caught.value.problems
    assert problem.path == path
    assert message in problem.message
    assert problem.file == FILE
