"""Who gets the next worker: in turn, and never all of them for one where another has none."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.engine import fairness
from reconciler.engine.fairness import Turns


def turns(workers: int, *names: str) -> Turns:
    return Turns(workers, frozenset(names), waiting=frozenset(names))


def taken(at: Turns, name: str) -> Turns:
    assert fairness.next_of(at) == name
    return fairness.given(at, name)


def test_the_only_one_gets_all_of_them() -> None:
    at = turns(2, "a")
    for _ in range(2):
        at = fairness.wants(taken(at, "a"), "a")
    assert fairness.next_of(at) is None


def test_one_worker_goes_from_one_to_the_next() -> None:
    at, order = turns(1, "big", "small", "other"), []
    for _ in range(6):
        name = fairness.next_of(at)
        assert name is not None
        order.append(name)
        at = fairness.wants(fairness.returned(fairness.given(at, name), name), name)
    assert order == ["big", "other", "small"] * 2


def test_the_last_one_is_for_whoever_has_none() -> None:
    at = Turns(3, frozenset({"big", "small"}), waiting=frozenset({"big"}))
    for _ in range(2):
        at = fairness.wants(taken(at, "big"), "big")
    assert fairness.next_of(at) is None
    at = taken(fairness.wants(at, "small"), "small")
    assert fairness.next_of(at) is None
    assert fairness.next_of(fairness.left(fairness.returned(at, "small"), "small")) == "big"


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(1, 4), st.lists(st.integers(0, 3), max_size=60))
def test_never_too_many_and_whoever_always_waits_always_gets_one(workers: int, count: int, ends: list[int]) -> None:
    names = [f"r{number}" for number in range(count)]
    at, got = turns(workers, *names), dict.fromkeys(names, 0)
    for end in [*ends, *list(range(count)) * 2]:
        while name := fairness.next_of(at):
            got[name] += 1
            at = fairness.wants(fairness.given(at, name), name)
        assert sum(at.busy.values()) <= workers
        if workers >= 2 or count == 1:
            assert sum(at.busy.values()) >= workers - 1
        busy = [n for n in names if at.busy.get(n)]
        at = fairness.returned(at, busy[end % len(busy)])
    if workers > 1:
        assert all(got.values()) or workers - 1 < 1 or count > workers
