"""A lease around a cycle: who has it applies, who loses it stops, and who has nothing to do asks for none."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler import interrupt
from reconciler.control.cycle import Cycle
from reconciler.control.lease import Terms, leased
from reconciler.errors import Blocked, Outdated, Permanent, ReconcilerError, Transient
from reconciler.model.lease import Lease, Unreadable
from reconciler.model.outcome import Status
from reconciler.ports import CloudSnapshot
from reconciler.progress import QuietProgress
from tests.unit.control.world import FILES, World
from tests.unit.examples import FILE


class Memory:
    """Leases in memory. `fails` is raised by whoever asks; `meanwhile` runs once, just before a swap."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[str, Lease | Unreadable]] = {}
        self.seen: dict[str, tuple[str, Lease | Unreadable]] = {}
        self.moves = 0
        self.fails: ReconcilerError | None = None
        self.meanwhile: Callable[[], None] | None = None
        self.remote = True
        self.before: list[Lease] = []

    def shared(self) -> bool:
        return self.remote

    def known(self, cluster: str) -> tuple[str, Lease | Unreadable] | None:
        return self.seen.get(cluster)

    def read(self, cluster: str) -> tuple[str, Lease | Unreadable] | None:
        if self.fails:
            raise self.fails
        return self.held.get(cluster)

    def history(self, cluster: str) -> Iterator[Lease]:
        return iter(self.before)

    def swap(self, cluster: str, before: str | None, after: Lease) -> str | None:
        if self.fails:
            raise self.fails
        if meanwhile := self.meanwhile:
            self.meanwhile = None
            meanwhile()
        there = self.held.get(cluster)
        if (there[0] if there else None) != before:
            return None
        self.moves += 1
        self.seen[cluster] = self.held[cluster] = (f"name-{self.moves}", after)
        return f"name-{self.moves}"

    def free(self) -> bool:
        """Is the lease of demo nobody's?"""
        return "demo" not in self.held or self.lease.released is not None

    @property
    def lease(self) -> Lease:
        """The lease of demo."""
        there = self.held["demo"][1]
        assert isinstance(there, Lease)
        return there

    def give(self, ends: float, host: str = "elsewhere") -> None:
        """Somebody else holds the lease of demo for so many seconds from now."""
        now = datetime.datetime.now(datetime.UTC)
        self.held["demo"] = ("theirs", Lease(host, 7, "1", now, now + datetime.timedelta(seconds=ends)))


@pytest.fixture
def store() -> Memory:
    return Memory()


@pytest.fixture
def empty(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def world(empty: World) -> World:
    empty.settle()
    return empty


def cycle(world: World, store: Memory, seconds: float = 300) -> Cycle:
    plain = world.cycle()
    return replace(plain, tools=replace(plain.tools, leases=Terms(store, seconds)))


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_is_held_while_applying_and_given_back(world: World, store: Memory) -> None:
    seen: list[Lease] = []
    world.lose("port", "demo-worker-1")
    world.before_apply = lambda: seen.append(store.lease)
    outcome, _ = cycle(world, store).reconcile()
    assert outcome.status is Status.IN_SYNC
    assert (len(seen), store.free(), store.moves) == (1, True, 2)
    assert (seen[0].commit, seen[0].released) == ("c0ffee", None)


def test_with_nothing_to_do_nothing_is_asked(world: World, store: Memory) -> None:
    store.fails = Transient("nobody may ask")
    assert cycle(world, store).reconcile()[0].status is Status.IN_SYNC


def test_a_plan_that_is_refused_takes_no_lease(world: World, store: Memory) -> None:
    store.fails = Transient("nobody may ask")
    world.take({**FILES, FILE: FILES[FILE].replace("image: ubuntu-24.04", "image: b", 1)})
    outcome, _ = cycle(world, store).reconcile()
    assert (outcome.status, world.log) == (Status.BLOCKED, [])


def test_without_a_remote_the_lock_of_this_machine_is_enough(world: World, store: Memory) -> None:
    store.remote = False
    store.fails = Transient("nobody may ask")
    world.lose("port", "demo-worker-1")
    assert cycle(world, store).reconcile()[0].status is Status.IN_SYNC


def test_somebody_elses_is_named_and_nothing_is_changed(world: World, store: Memory) -> None:
    store.give(60)
    world.lose("port", "demo-worker-1")
    with pytest.raises(Transient, match=r"'demo' is applied by another reconciler: elsewhere \(process 7\) until 2"):
        cycle(world, store).reconcile()
    assert (world.log, world.recorded) == ([], [])


def test_a_remote_that_does_not_answer_is_no_go_ahead(world: World, store: Memory) -> None:
    store.fails = Transient("the git remote 'origin' can't be reached")
    world.lose("port", "demo-worker-1")
    with pytest.raises(Transient, match="can't be reached"):
        cycle(world, store).reconcile()
    assert (world.log, world.recorded) == ([], [])


def test_an_expired_one_is_taken_over(world: World, store: Memory) -> None:
    store.give(-11)
    world.lose("port", "demo-worker-1")
    assert cycle(world, store).reconcile()[0].status is Status.IN_SYNC


def test_who_was_faster_has_it(world: World, store: Memory) -> None:
    store.meanwhile = lambda: store.give(60)
    world.lose("port", "demo-worker-1")
    with pytest.raises(Transient, match="'demo' is applied by another reconciler: elsewhere"):
        cycle(world, store).reconcile()
    assert world.log == []


def test_what_another_repaired_before_us_is_not_repaired_again(world: World, store: Memory) -> None:
    """Between our look and our lease somebody else had it: the plan is made anew."""
    whole = list(world.resources)
    world.lose("port", "demo-worker-1")
    store.meanwhile = lambda: setattr(world, "resources", whole)
    outcome, _ = cycle(world, store).reconcile()
    assert (outcome.status, world.log) == (Status.IN_SYNC, [])


def test_who_loses_it_stops_before_the_next_step_and_leaves_it_to_the_other(empty: World, store: Memory) -> None:
    def taken_over() -> None:
        store.give(60)
        until(interrupt.requested)

    empty.before_apply = taken_over
    outcome, _ = cycle(empty, store, seconds=1.5).reconcile()
    assert empty.log == ["terraform infrastructure"]
    assert outcome.status is Status.FAILED
    assert "the lease of 'demo' was lost: taken over by elsewhere (process 7)" in outcome.error
    assert store.held["demo"][0] == "theirs"
    assert not interrupt.requested(), "the next cycle may go on"


def test_what_cannot_be_renewed_in_time_is_lost(empty: World, store: Memory) -> None:
    def cut_off() -> None:
        store.fails = Transient("can't be reached")
        assert not interrupt.requested()
        until(interrupt.requested)

    empty.before_apply = cut_off
    outcome, _ = cycle(empty, store, seconds=0.6).reconcile()
    assert "it could not be renewed in time" in outcome.error
    assert empty.log == ["terraform infrastructure"]


def test_it_lives_as_long_as_the_step(world: World, store: Memory) -> None:
    def long() -> None:
        until(lambda: store.moves > 4)
        assert not interrupt.requested()

    world.lose("port", "demo-worker-1")
    world.before_apply = long
    assert cycle(world, store, seconds=0.6).reconcile()[0].status is Status.IN_SYNC
    assert store.free()


@pytest.mark.parametrize("error", [Transient("cut off for a moment"), Permanent("a lock was in the way")])
def test_one_missed_renewal_is_made_up_for(tmp_path: Path, store: Memory, error: ReconcilerError) -> None:
    (tmp_path / "demo").mkdir()
    with leased(Terms(store, 1.2), "demo", tmp_path, QuietProgress()):
        first = store.held["demo"][0]
        store.fails = error
        time.sleep(0.5)
        store.fails = None
        until(lambda: store.held["demo"][0] != first)
        assert not interrupt.requested()


def test_what_a_killed_process_of_this_folder_held_is_taken_over_at_once(tmp_path: Path, store: Memory) -> None:
    (tmp_path / "demo").mkdir()
    for _ in range(2):
        with leased(Terms(store), "demo", tmp_path, QuietProgress()):
            name, left = store.held["demo"][0], store.lease
        store.held["demo"] = name, left  # as if it had not come to give it back
    with leased(Terms(store), "demo", tmp_path, QuietProgress()):
        assert store.lease.id != left.id
    (tmp_path / "other/demo").mkdir(parents=True)
    store.held["demo"] = name, left
    with pytest.raises(Transient), leased(Terms(store), "demo", tmp_path / "other", QuietProgress()):
        pass


def test_what_cannot_be_given_back_expires_and_is_no_failure(tmp_path: Path, store: Memory) -> None:
    (tmp_path / "demo").mkdir()
    with leased(Terms(store), "demo", tmp_path, QuietProgress()):
        store.fails = Transient("can't be reached")
    assert not store.free()


def test_who_waited_with_an_older_commit_does_not_go_back_on_a_newer_one(world: World, store: Memory) -> None:
    now = datetime.datetime.now(datetime.UTC)
    ended = Lease("elsewhere", 7, "1", now, now, "newer", released=now)
    store.meanwhile = lambda: store.held.update(demo=("theirs", ended))
    world.newer = {"newer"}
    world.lose("port", "demo-worker-1")
    with pytest.raises(Outdated, match="'demo' was applied from newer already, which is newer than c0ffee"):
        cycle(world, store).reconcile()
    assert (world.log, world.recorded, store.free()) == ([], [], True)


@pytest.mark.parametrize("before", ["", "c0ffee", "older"])
def test_who_is_not_behind_goes_on(world: World, store: Memory, before: str) -> None:
    now = datetime.datetime.now(datetime.UTC)
    store.held["demo"] = ("theirs", Lease("elsewhere", 7, "1", now, now, before, released=now))
    world.newer = {"newer"}
    world.lose("port", "demo-worker-1")
    assert cycle(world, store).reconcile()[0].status is Status.IN_SYNC
    assert world.fetched == 1, "who had it before recorded what it did"
    lease = store.held["demo"][1]
    assert isinstance(lease, Lease)
    assert f"Lease: {lease.id}" in world.recorded[-1][1]


def test_a_commit_that_is_not_signed_as_it_has_to_be_changes_nothing(world: World, store: Memory) -> None:
    world.unsigned = True
    world.lose("port", "demo-worker-1")
    with pytest.raises(Blocked, match="is not signed"):
        cycle(world, store).reconcile()
    assert (world.log, world.recorded, store.held) == ([], [], {})


def test_what_somebody_recorded_while_we_looked_stays(world: World, store: Memory) -> None:
    """Without a lease nobody is told to wait: theirs is newer than what we saw."""
    mine = cycle(world, store)
    look = world.observe

    def meanwhile(clusters: Sequence[str]) -> CloudSnapshot:
        world.recorded_state = {"demo/applied.yaml": "theirs"}
        return look(clusters)

    world.observe = meanwhile  # type: ignore[method-assign]
    world.take({**FILES, FILE: FILES[FILE] + "  suspend: true\n"})
    mine = replace(mine, desired=world.desired)
    assert mine.reconcile()[0].status is Status.SUSPENDED
    assert (world.recorded_state, world.recorded) == ({"demo/applied.yaml": "theirs"}, [])


class Claims(Memory):
    """Whoever reads the ref can write into it what he likes, our own id too."""

    def swap(self, cluster: str, before: str | None, after: Lease) -> str | None:
        name = super().swap(cluster, before, after)
        if name and not after.released:
            ever = datetime.datetime.max.replace(tzinfo=datetime.UTC)
            self.held[cluster] = (f"{name} of eve", replace(after, expires=ever))
        return name


def test_a_lease_that_somebody_makes_last_for_ever_is_lost_in_time_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    store = Claims()
    with leased(Terms(store, 0.6), "demo", tmp_path, QuietProgress()) as tenure:
        assert tenure
        until(lambda: tenure.name.endswith("of eve"))
        store.fails = Transient("can't be reached")
        until(interrupt.requested)
    assert "could not be renewed in time" in tenure.lost()


def test_a_lease_that_cannot_be_read_is_somebodys_and_its_taking_is_told(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    store, now = Memory(), datetime.datetime.now(datetime.UTC)
    store.held["demo"] = ("theirs", Unreadable("it has no file lease.json"))
    told: list[str] = []

    def terms(minutes: float) -> Terms:
        return Terms(store, clock=lambda: now + datetime.timedelta(minutes=minutes))

    for minutes in (0, 60):
        held = pytest.raises(Transient, match=r"whose lease can't be read \(it has no file")
        with held as caught, leased(terms(minutes), "demo", tmp_path, Told(told)):
            pass
        assert f"at {now + datetime.timedelta(hours=1):%Y-%m-%d %H:%M:%S} UTC at the latest" in str(caught.value.hint)
    with leased(terms(61), "demo", tmp_path, Told(told)) as tenure:
        assert tenure
        assert tenure.foreign
    assert told == [
        "warning: the lease of 'demo' is taken from somebody whose lease can't be read (it has no file lease.json)"
    ]


class Told(QuietProgress):
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def log(self, text: str) -> None:
        self._lines.append(text)


def test_a_commit_that_a_lease_names_makes_nobody_step_back_for_ever(world: World, store: Memory) -> None:
    """Whoever may write the ref may name a commit that is newer than any. It counts once: then ours is there."""
    now = datetime.datetime.now(datetime.UTC)
    store.held["demo"] = ("theirs", Lease("eve", 7, "1", now, now, "newer", released=now))
    world.newer = {"newer"}
    world.lose("port", "demo-worker-1")
    with pytest.raises(Outdated):
        cycle(world, store).reconcile()
    assert cycle(world, store).reconcile()[0].status is Status.IN_SYNC
