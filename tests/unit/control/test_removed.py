"""A cycle takes out what somebody added, once; what comes back is told and held."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from reconciler.control.removed import KEPT, removed
from reconciler.engine.history import Identity
from reconciler.model.change import Class
from reconciler.model.outcome import Status
from reconciler.model.resource import Addition, Key, Owner

from .world import World

MINE = Key("ConfigMap", "sid/a")
NOW = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.settle()
    return made


def _added(manager: str, hour: int) -> dict[str, Addition]:
    return {"data.y": Addition(Owner(manager), f"2026-11-29T{hour:02}:00:00Z")}


def test_what_a_person_added_goes_and_what_comes_back_is_left_to_people(world: World) -> None:
    own = world.apis["own"]
    own.added[MINE] = _added("kubectl-patch", 1)
    outcome, _ = world.cycle().reconcile()
    assert outcome.status is Status.IN_SYNC
    assert world.log == ["own apply ConfigMap sid/a"]
    assert own.allowances[-1].removing == {MINE: frozenset({"data.y"})}

    own.added[MINE] = _added("kubectl-patch", 2)
    outcome, _ = world.cycle().reconcile()
    assert outcome.status is Status.BLOCKED
    assert world.log == ["own apply ConfigMap sid/a"], "it was not fought over"
    (refusal,) = outcome.after.refusals
    assert "ConfigMap sid/a data.y was removed once and put back by kubectl-patch" in refusal.message
    (d,) = outcome.after.open
    assert (d.cls, d.owner, d.set_at) == (Class.UNMANAGED, Owner("kubectl-patch"), "2026-11-29T02:00:00Z")

    world.approve(outcome.after.digest, "conflict")
    outcome, _ = world.cycle().reconcile()
    assert outcome.status is Status.IN_SYNC


def test_what_another_manager_added_is_taken_by_a_line_in_git_only(world: World) -> None:
    own = world.apis["own"]
    own.added[MINE] = _added("my-operator", 1)
    outcome, _ = world.cycle().reconcile()
    assert outcome.status is Status.BLOCKED
    assert not world.log
    world.approve(outcome.after.digest, "conflict")
    world.cycle().reconcile()
    assert own.allowances[-1].taking == {MINE: frozenset({Owner("my-operator")})}


def test_what_was_added_on_an_openshift_is_taken_out_as_terraform_would(world: World) -> None:
    service = Key("Service", "web/web")
    world.apis["moc"].added[service] = _added("oc", 1)
    outcome, _ = world.cycle().reconcile()
    assert outcome.status is Status.IN_SYNC
    assert world.log == ["moc apply Service web/web as kubectl"]


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[[1]]", b"{}", b"[" * 100_000, b'[["a","b","c","d","e","f","never"]]', b"\xff", b"null"]
)
def test_a_memory_that_can_not_be_read_says_nothing(tmp_path: Path, text: bytes) -> None:
    assert removed(tmp_path, "demo", NOW) == {}
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "removed.json").write_bytes(text)
    assert removed(tmp_path, "demo", NOW) == {}


def test_a_removal_counts_for_a_month(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    line = f'[["workloads", "A", "b", "", "c", "then", "{NOW.isoformat()}"]]'
    (tmp_path / "demo" / "removed.json").write_text(line)
    name: Identity = ("workloads", "A", "b", "", "c")
    assert removed(tmp_path, "demo", NOW + KEPT / 2) == {name: "then"}
    assert removed(tmp_path, "demo", NOW + KEPT) == {}
