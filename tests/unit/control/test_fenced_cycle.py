"""A cycle whose lease somebody else has by now: it begins nothing more and records nothing, whatever its clock says."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler import interrupt
from reconciler.control import lease
from reconciler.control.cycle import Cycle, Moment
from reconciler.control.lease import Lost, Terms, leased
from reconciler.control.machine_lock import Neighbours
from reconciler.control.unlock import unlock
from reconciler.errors import Blocked, Permanent, Transient
from reconciler.model.lease import Lease, Unreadable
from reconciler.model.outcome import Status
from reconciler.progress import QuietProgress
from tests.unit.control.test_lease import Memory
from tests.unit.control.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def store() -> Memory:
    return Memory()


def cycle(world: World, store: Memory, **terms: Callable[[], float]) -> Cycle:
    plain = world.cycle()
    return replace(plain, tools=replace(plain.tools, leases=Terms(store, **terms)))  # type: ignore[arg-type]


def test_a_clock_that_stood_still_is_not_believed(world: World, store: Memory) -> None:
    """A machine that was paused: by its clocks the lease is good, and no renewal was due. The remote knows better."""
    world.before_apply = lambda: store.give(60)
    outcome, _ = cycle(world, store).reconcile()
    assert outcome.status is Status.FAILED
    assert "the lease of 'demo' was lost: taken over by elsewhere (process 7)" in outcome.error
    assert (world.log, world.recorded) == (["terraform infrastructure"], [])
    assert store.held["demo"][0] == "theirs"
    assert not interrupt.requested(), "the next cycle may go on"


def test_a_machine_that_was_suspended_knows_by_the_clock_that_went_on(world: World, store: Memory) -> None:
    steady = [0.0]

    def asleep() -> None:
        steady[0] += 301
        store.fails = Transient("can't be reached")

    world.before_apply = asleep
    outcome, _ = cycle(world, store, steady=lambda: steady[0]).reconcile()
    assert "it could not be renewed in time" in outcome.error
    assert (world.log, world.recorded) == (["terraform infrastructure"], [])


def test_a_remote_that_does_not_say_whose_it_is_is_no_yes(
    world: World, store: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interrupt, "wait", lambda _: None)
    world.before_apply = lambda: setattr(store, "fails", Transient("can't be reached"))
    outcome, _ = cycle(world, store).reconcile()
    assert "nobody can say whether the lease of 'demo' is still ours: can't be reached" in outcome.error
    assert (world.log, world.recorded) == (["terraform infrastructure"], [])


def test_a_renewal_that_hangs_is_waited_for_so_long_and_is_no_yes(
    tmp_path: Path, store: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may wait for the clone, and the clone's lock be held by whoever asks."""
    monkeypatch.setattr(interrupt, "wait", lambda _: None)
    monkeypatch.setattr(lease, "_TURN_SECONDS", 0.01)
    (tmp_path / "demo").mkdir()
    with leased(Terms(store), "demo", tmp_path, QuietProgress()) as tenure:
        assert tenure
        with tenure._turn:
            assert "still ours: its renewal does not come to an end" in tenure.doubt()
        assert tenure.doubt() == ""


def test_who_wakes_when_all_is_done_and_the_other_has_given_it_back_records_nothing(
    world: World, store: Memory
) -> None:
    def all_over() -> None:
        now = datetime.datetime.now(datetime.UTC)
        store.held["demo"] = ("theirs", Lease("elsewhere", 7, "1", now, now, released=now, number=2))

    world.settle()
    world.lose("port", "demo-worker-1")
    world.before_apply = all_over
    outcome, _ = cycle(world, store).reconcile()
    assert (outcome.status, world.log, world.recorded) == (Status.FAILED, ["terraform infrastructure"], [])
    assert "nothing recorded" in outcome.hint


def test_a_higher_number_that_was_recorded_is_not_written_over(world: World, store: Memory) -> None:
    world.before_apply = lambda: setattr(world, "number", 12)
    outcome, _ = cycle(world, store).reconcile()
    assert "number 12 was recorded, and ours is 1" in outcome.error
    assert (outcome.status, world.recorded) == (Status.FAILED, [])
    assert cycle(world, store).reconcile()[0].status is Status.IN_SYNC


def test_a_record_bears_the_number_and_only_a_takeover_moves_the_branch_before(world: World, store: Memory) -> None:
    world.number = 11
    cycle(world, store).reconcile()
    assert "\nLease-Number: 12\n" in world.recorded[-1][1]
    assert world.fences == []
    store.give(-11)
    world.lose("port", "demo-worker-1")
    cycle(world, store).reconcile()
    (told,) = world.fences
    assert told.startswith("demo: lease taken over\n")
    assert "never given back: elsewhere (process 7)" in told


def test_what_is_no_cycle_keeps_others_off_in_the_same_way(world: World, store: Memory) -> None:
    moments: list[Moment] = []
    store.give(-11)
    assert unlock(replace(cycle(world, store), told=moments.append), "4711") == "infrastructure"
    assert (len(world.fences), store.free(), store.lease.commit) == (1, True, "c0ffee")
    assert moments == [Moment.LEASED, Moment.APPLYING], "whose the name is, is asked at the last of them"

    def whose(moment: Moment) -> None:
        if moment is Moment.APPLYING:
            raise Blocked("chemistry/demo is in the project")

    world.log.clear()
    with pytest.raises(Blocked):
        unlock(replace(cycle(world, store), told=whose), "4711")
    assert world.log == []


def test_a_branch_that_cannot_be_moved_is_no_go_ahead(world: World, store: Memory) -> None:
    def refused(folder: str, message: str) -> None:
        raise Permanent("the branch 'observed' could not be written")

    fence, world.fence = world.fence, refused  # type: ignore[method-assign]
    store.give(-11)
    for _ in range(2):
        with pytest.raises(Permanent, match="could not be written"):
            cycle(world, store).reconcile()
    assert (world.log, store.free()) == ([], False), "given back it would be free, and nobody fence off who had it"
    world.fence = fence  # type: ignore[method-assign]
    cycle(world, store).reconcile()
    assert (len(world.fences), store.free()) == (1, True)
    world.lose("port", "demo-worker-1")
    cycle(world, store).reconcile()
    assert (len(world.fences), store.free()) == (1, True)


def test_who_was_killed_before_it_fenced_off_the_one_before_does_it_when_it_runs_again(
    world: World, store: Memory
) -> None:
    left: list[tuple[str, Lease | Unreadable]] = []

    def killed(folder: str, message: str) -> None:
        left.append(store.held["demo"])
        raise Permanent("killed")

    fence, world.fence = world.fence, killed  # type: ignore[method-assign]
    store.give(-11)
    with pytest.raises(Permanent, match="killed"):
        cycle(world, store).reconcile()
    (store.held["demo"],) = left
    store.seen.clear()
    world.fence = fence  # type: ignore[method-assign]
    cycle(world, store).reconcile()
    (told,) = world.fences
    assert (store.lease.took_over, "never given back" in told) == ("mine", True)


@pytest.mark.parametrize(("since", "released", "fenced"), [(1, False, True), (-10, False, False), (1, True, False)])
def test_a_process_is_fenced_if_it_had_the_lease_since_it_began_and_kept_it(
    tmp_path: Path, store: Memory, since: float, released: bool, fenced: bool
) -> None:
    """A number of a process may be another one's by now."""
    (tmp_path / "demo").mkdir()
    began = datetime.datetime.now(datetime.UTC)
    with leased(Terms(store), "demo", tmp_path, QuietProgress()) as tenure:
        assert tenure
        taken = began + datetime.timedelta(seconds=since)
        store.before = [replace(tenure.lease, id="1", pid=7, since=taken, released=taken if released else None)]
        assert tenure.fenced(7, began) is fenced
        assert not tenure.fenced(8, began)
        assert not tenure.fenced(7, None)
        store.before = [tenure.lease]
        assert not tenure.fenced(tenure.lease.pid, began - datetime.timedelta(minutes=1))
        with pytest.raises(Lost):
            tenure.check(recorded=2)


def test_with_others_on_this_machine_it_is_looked_at_again_once_they_are_kept_off(world: World) -> None:
    whole = list(world.resources)
    world.settle()
    whole = list(world.resources)
    world.lose("port", "demo-worker-1")

    def project(_: str) -> str:
        world.resources = whole
        return f"project of {world.root}"

    plain = world.cycle()
    made = replace(plain, tools=replace(plain.tools, neighbours=Neighbours(project, world.root)))
    assert (made.reconcile()[0].status, world.log) == (Status.IN_SYNC, [])
