"""Environments in a cycle: told before they end, stopped the day after, and back when git says so. No clock but the
cycle's own decides."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from reconciler.model.outcome import Status
from reconciler.model.resource import Key
from tests.unit.control.world import FILES, World

ROOT = Path(__file__).parents[3]
ENVIRONMENT = "desired/demo/environments/ada.yaml"
SET = Key("StatefulSet", "env-ada/work")
TEMPLATES = {str(p.relative_to(ROOT)): p.read_text() for p in (ROOT / "manifests/environments").rglob("*.yaml")}


def text(expires: str = "2026-12-20", volume: str = "10Gi") -> str:
    return f"""\
apiVersion: research.moc/v1alpha1
kind: Environment
metadata: {{name: work}}
spec:
  type: rstudio
  owner: ada
  volume: {volume}
  expires: {expires}
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path, {**FILES, **TEMPLATES, ENVIRONMENT: text()})
    made.settle()
    return made


def replicas(world: World) -> int | None:
    found: int | None = world.apis["own"].objects[SET]["spec"].get("replicas")
    return found


def day(world: World, month: int, day_: int) -> None:
    world.now = datetime.datetime(2026, month, day_, 9, tzinfo=datetime.UTC)


def test_it_is_told_before_and_the_cluster_is_in_sync(world: World) -> None:
    assert not world.cycle().check()[0].notices
    for month, day_, level in ((12, 6, "low"), (12, 14, "medium"), (12, 19, "high"), (12, 20, "high")):
        day(world, month, day_)
        outcome, _ = world.cycle().reconcile()
        (told,) = outcome.after.notices
        assert (outcome.status, outcome.steps, str(told.severity)) == (Status.IN_SYNC, (), level)
        assert f"{ENVIRONMENT}:8" in told.why
    assert "Environment ada/work" in world.recorded_state["demo/drift.md"]


def test_a_day_that_passes_is_no_change_to_write_down(world: World) -> None:
    day(world, 12, 7)
    world.cycle().reconcile()
    before = dict(world.recorded_state)
    day(world, 12, 11)
    world.cycle().reconcile()
    assert world.recorded_state == before


def test_it_is_stopped_the_day_after_and_comes_back_with_another_date(world: World) -> None:
    day(world, 12, 21)
    outcome, _ = world.cycle().reconcile()
    assert (outcome.status, world.log, replicas(world)) == (Status.IN_SYNC, [f"own apply {SET}"], 0)
    (found,) = [d for d in outcome.before.open if d.key == SET]
    assert found.cls == "pending"
    (told,) = outcome.after.notices
    assert told.why.startswith("expired on 2026-12-20 (UTC): it is stopped and its volume is kept")
    assert world.cycle().reconcile()[0].steps == ()

    world.take({**FILES, **TEMPLATES, ENVIRONMENT: text("2027-06-30")})
    outcome, _ = world.cycle().reconcile()
    assert (outcome.status, outcome.after.notices, replicas(world)) == (Status.IN_SYNC, (), None)


def test_one_that_is_over_when_it_is_asked_for_is_made_and_stopped(tmp_path: Path) -> None:
    world = World(tmp_path, {**FILES, **TEMPLATES, ENVIRONMENT: text("2020-01-01")})
    world.settle()
    assert replicas(world) == 0
    assert Key("PersistentVolumeClaim", "env-ada/work") in world.apis["own"].objects


def test_an_ignore_rule_silences_a_notice(world: World) -> None:
    quiet = "  ignore: [{resource: 'Environment ada/*', reason: we know}]\n"
    world.take({**world_files(world), "desired/demo/cluster.yaml": FILES["desired/demo/cluster.yaml"] + quiet})
    day(world, 12, 20)
    assert not world.cycle().check()[0].notices


def world_files(world: World) -> dict[str, str]:
    return {path: content.decode() for path, content in world.files.items()}


def test_removing_the_file_removes_all_but_the_data(world: World) -> None:
    world.take({**FILES, **TEMPLATES})
    world.cycle().reconcile()
    left = [str(key) for key in world.apis["own"].objects if "ada" in key.name]
    assert left == ["Namespace env-ada", "PersistentVolumeClaim env-ada/work"]
