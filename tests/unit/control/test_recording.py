"""Several machines look at one cluster and record what they saw: a stale look never takes a newer finding off the
observed branch."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.control.survey import Survey
from reconciler.model.outcome import Status
from reconciler.model.resource import Resource
from reconciler.ports import Files
from tests.unit.control.world import World

OPEN = Resource("security_group_rule", "open", {"remote_ip_prefix": "0.0.0.0/0"}, "stray-rule", "demo")
SECOND = datetime.timedelta(seconds=1)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.settle()
    made.recorded.clear()
    return made


def aged(world: World, seconds: float) -> Survey:
    """A listing of the cloud as it is now, which is `seconds` old by the time a cycle gets it."""
    times = [0.0]
    survey = Survey(lambda _: world, ("demo",), clock=lambda: times[0])
    survey.of("sandbox")
    times[0] = seconds
    return survey


def found(world: World) -> bool:
    """Is the open rule on the observed branch?"""
    return "stray-rule" in world.recorded_state["demo/observed.yaml"]


def report_only(world: World) -> None:
    """The cluster is looked at and never changed, so that what is open stays so."""
    texts = {path: text.decode() for path, text in world.files.items()}
    cluster = "desired/demo/cluster.yaml"
    world.take({**texts, cluster: texts[cluster].replace("  kubernetes:\n", "  mode: report\n  kubernetes:\n")})


def test_a_look_with_an_older_listing_does_not_replace_a_newer_record(world: World) -> None:
    report_only(world)
    stale = aged(world, 20)
    world.resources.append(OPEN)
    world.cycle().reconcile()
    assert found(world)
    outcome, _ = world.cycle(survey=stale).reconcile()
    assert outcome.status is Status.IN_SYNC, "that is what the old listing says"
    assert found(world), "and the critical finding stays where people look for it"


def test_the_next_look_is_recorded_again(world: World) -> None:
    report_only(world)
    world.resources.append(OPEN)
    world.cycle().reconcile()
    world.resources.remove(OPEN)
    world.now += SECOND
    world.cycle().reconcile()
    assert not found(world)
    assert f"Observed-At: {world.now:%Y-%m-%dT%H:%M:%S}Z" in world.recorded[-1][1]


def meanwhile(world: World, do: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let another machine `do` something just before this one records."""
    record, done = world.record, list[str]()

    def later(folder: str, files: Files, message: str) -> str | None:
        if not done:
            done.append("once")
            do()
        return record(folder, files, message)

    monkeypatch.setattr(world, "record", later)


def other(world: World, *, looked: datetime.datetime | None) -> Callable[[], None]:
    """Another machine's record of a rule open to the world, looked at then; None: by version 0.1.0."""

    def commit() -> None:
        state = {**world.recorded_state, "demo/observed.yaml": "cluster: demo\nrule: stray-rule\n"}
        said = f"\nObserved-At: {looked.isoformat()}" if looked else ""
        world.recorded.append((state, f"demo: drifted\n\nChanges: 0{said}\n"))
        world.recorded_state = state

    return commit


def test_another_machine_that_looked_later_and_was_faster(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    report_only(world)
    world.cycle().reconcile()
    newer = other(world, looked=world.now + SECOND / 2)

    def overtake() -> None:
        newer()
        world.now += SECOND

    meanwhile(world, overtake, monkeypatch)
    world.resources.append(Resource("server", "x", {}, "x", "demo"))
    world.cycle().reconcile()
    assert found(world)


def test_another_machine_that_looked_earlier_and_was_faster(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    report_only(world)
    world.cycle().reconcile()
    world.resources.append(Resource("server", "x", {}, "x", "demo"))
    meanwhile(world, other(world, looked=world.now - SECOND), monkeypatch)
    world.cycle().reconcile()
    assert not found(world)


def test_what_0_1_0_recorded_meanwhile_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    report_only(world)
    world.cycle().reconcile()
    world.resources.append(Resource("server", "x", {}, "x", "demo"))
    meanwhile(world, other(world, looked=None), monkeypatch)
    world.cycle().reconcile()
    assert found(world)
    world.cycle().reconcile()
    assert not found(world), "the next cycle began with it"


def test_who_applies_looks_again_after_somebody_who_looked_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.lose("port", "demo-worker-1")
    newer = other(world, looked=world.now + SECOND / 2)

    def overtake() -> None:
        newer()
        world.now += SECOND

    meanwhile(world, overtake, monkeypatch)
    outcome, _ = world.cycle().reconcile()
    assert [step.ok for step in outcome.steps] == [True]
    assert not found(world), "what was applied is written down, as seen after theirs"
    assert "Changes: 1" in world.recorded[-1][1]
    assert f"Observed-At: {world.now:%Y-%m-%dT%H:%M:%S}Z" in world.recorded[-1][1]


def test_a_clock_that_is_ahead_keeps_nobody_from_recording(world: World) -> None:
    report_only(world)
    world.now += datetime.timedelta(hours=5)
    world.cycle().reconcile()
    world.now -= datetime.timedelta(hours=5)
    world.resources.append(OPEN)
    world.cycle().reconcile()
    assert found(world)
