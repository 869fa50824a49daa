"""What holds for every day on every set of node groups: bounds, that everybody runs, and that work is paid for."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.engine import simulation
from reconciler.engine.simulation import simulate
from reconciler.model.simulation import PodRun, Pool, Rules, Setting, Size

HOUR = 3600.0
sizes = st.builds(Size, st.integers(100, 4000), st.integers(64, 16_000), st.integers(0, 1))
labels = st.dictionaries(st.sampled_from(["zone", "kind"]), st.sampled_from(["a", "b"]), max_size=2)
keys = st.frozensets(st.sampled_from(["gpu", "big"]), max_size=2)


@st.composite
def pools(draw: st.DrawFn) -> tuple[Pool, ...]:
    made = []
    for number in range(draw(st.integers(1, 3))):
        low = draw(st.integers(0, 2))
        size = draw(st.builds(Size, st.integers(1000, 8000), st.integers(1024, 32_000), st.integers(0, 2)))
        made.append(Pool(f"g{number}", low, draw(st.integers(low, 6)), size, draw(labels), draw(keys)))
    return tuple(made)


@st.composite
def days(draw: st.DrawFn) -> list[PodRun]:
    return [
        PodRun(
            f"p{number}",
            draw(st.floats(0, HOUR)),
            draw(st.floats(60, HOUR)),
            draw(sizes),
            draw(labels),
            draw(keys),
            draw(st.sampled_from([-9, 0, 5])),  # above that of placeholders
            draw(st.booleans()),
        )
        for number in range(draw(st.integers(0, 12)))
    ]


@settings(max_examples=50, deadline=None)
@given(days(), pools(), st.integers(0, 4), sizes, st.sampled_from([0, 60, 900]))
def test_every_day(day: list[PodRun], groups: tuple[Pool, ...], placeholders: int, size: Size, start: int) -> None:
    setting = Setting("any", groups, placeholders, size)
    told = simulate(day, setting, Rules(start=start))

    most = sum(pool.maximum for pool in groups)
    assert all(m.nodes + m.starting <= most for m in told.moments)
    assert all(m.nodes + m.starting >= sum(p.minimum for p in groups) for m in told.moments)
    able = [pod for pod in day if any(pool.maximum and pool.takes(pod) for pool in groups)]
    assert len(told.waited) == len(able), "every pod that fits runs"
    assert set(told.never) == {pod.name for pod in day} - {pod.name for pod in able}
    assert all(seconds >= 0 for seconds in told.waited)

    for part in range(3):
        work = sum(pod.size[part] * pod.duration for pod in able) / HOUR
        paid = sum(told.node_hours[pool.name] * pool.size[part] for pool in groups)
        assert paid >= work * (1 - 1e-9), "nobody runs on a node that is not paid for"
    assert told == simulate(list(reversed(day)), setting, Rules(start=start)), "the same day, the same answer"


def pod(name: str, arrival: float, hours: float = 1, cpu: int = 2000, **more: object) -> PodRun:
    return PodRun(name, arrival, hours * HOUR, Size(cpu, 1000), **more)  # type: ignore[arg-type]


POOL = Pool("w", 0, 3, Size(4000, 8000))


def test_from_zero_a_pod_waits_for_a_look_and_a_node() -> None:
    told = simulate([pod("a", 5)], Setting("", [POOL]), Rules(start=300))
    assert told.waited == (305.0,), "the look at 10 s asks, the node is ready 300 s later"
    assert (told.most, told.added) == (1, 1)


def test_a_placeholder_gives_its_room_at_once_and_has_it_made_again() -> None:
    setting = Setting("", [POOL], placeholders=1, placeholder=Size(4000, 8000))
    told = simulate([pod("a", HOUR)], setting, Rules(start=300))
    assert told.waited == (0.0,)
    assert (told.displaced, told.added, told.most) == (1, 2, 2)


def test_an_idle_node_goes_after_ten_minutes_and_not_sooner() -> None:
    day = [pod("a", 0, hours=0.5), pod("late", 3 * HOUR, hours=0.1)]
    told = simulate(day, Setting("", [POOL]), Rules(start=300))
    empty = 300 + 1800
    (gone,) = [m.time for m in told.moments if m.nodes == 0 and m.time > empty][:1]
    assert 600 <= gone - empty <= 610 + 10
    assert told.removed == 1


def test_pods_of_a_little_used_node_are_moved_but_not_one_that_must_stay() -> None:
    def told(movable: bool) -> int:
        day = [pod("big", 0, 0.5, 4000), pod("one", 0, 6, 1000), pod("two", 2000, 6, 1000, movable=movable)]
        return simulate(day, Setting("", [Pool("w", 2, 3, Size(4000, 8000))]), Rules(start=300)).moved

    assert told(True) == told(False) == 0, "the minimum holds"
    pool = Pool("w", 1, 3, Size(4000, 8000))
    day = [pod("big", 0, 0.5, 4000), pod("one", 0, 6, 1000), pod("two", 100, 6, 1000, movable=False)]
    assert simulate(day, Setting("", [pool]), Rules(start=300)).removed == 1


def test_the_least_wasteful_group_grows() -> None:
    small, big = Pool("small", 0, 3, Size(2000, 2000)), Pool("big", 0, 3, Size(16000, 64000))
    told = simulate([pod("a", 0, cpu=2000)], Setting("", [big, small]), Rules())
    assert (told.node_hours["big"], told.node_hours["small"] > 0) == (0, True)


def test_what_is_below_the_cutoff_asks_for_nothing() -> None:
    told = simulate([pod("a", 0, priority=-11)], Setting("", [POOL]), Rules())
    assert (told.never, told.added) == (("a",), 0)


@pytest.mark.parametrize("part", [0.5, 0.95, 1.0])
def test_waiting_of_nobody_is_none(part: float) -> None:
    assert simulate([], Setting("", [POOL])).waiting(part) == 0


@pytest.mark.parametrize("name", ["placeholder", "pl", "placeholder-1"])
def test_a_pod_is_no_placeholder_whatever_its_name(name: str) -> None:
    day = [pod(f"{name}-{n}", 0) for n in range(1, 5)] + [pod(name, 0)]
    told = simulate(day, Setting("", [POOL], placeholders=2, placeholder=Size(1000, 1000)), Rules(start=300))
    other = [PodRun(f"a{p.name}", p.arrival, p.duration, p.size) for p in day]
    assert told == simulate(other, Setting("", [POOL], placeholders=2, placeholder=Size(1000, 1000)), Rules(start=300))
    assert len(told.waited) == 5


def test_a_month_in_which_nothing_happens_is_not_stepped_through(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, look = list[float](), simulation._Day._look

    def counted(self: simulation._Day) -> None:
        looks.append(self._now)
        look(self)

    monkeypatch.setattr(simulation._Day, "_look", counted)
    idle = Pool("w", 2, 3, Size(4000, 8000))
    told = simulate([pod("a", 0, hours=31 * 24)], Setting("", [idle]))
    assert (told.end, told.removed) == (31 * 24 * HOUR, 0), "the other node is idle all the time, and stays"
    assert len(looks) < 10


@settings(max_examples=50, deadline=None)
@given(days(), pools(), st.integers(0, 4), sizes, st.sampled_from([0, 60, 900]), st.sampled_from([0, 55, 600]))
def test_looking_only_when_something_can_be_decided_changes_nothing(
    day: list[PodRun], groups: tuple[Pool, ...], placeholders: int, size: Size, start: int, unneeded: int
) -> None:
    setting, rules = Setting("any", groups, placeholders, size), Rules(start=start, unneeded=unneeded)
    with patch.object(simulation._Day, "_next_look", lambda self, scan: scan + self._rules.scan):
        stepped = simulate(day, setting, rules)
    assert simulate(day, setting, rules) == stepped


def test_a_node_does_not_go_in_the_look_that_asked_for_it() -> None:
    told = simulate([pod("a", 5)], Setting("", [POOL]), Rules(start=0, unneeded=0, delay_after_add=0))
    assert (told.waited, told.added) == ((5.0,), 1), "else it would be asked for again and again, and the pod wait"
