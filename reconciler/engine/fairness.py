"""Which repository gets the next worker when there are fewer workers than clusters that wait: pure.

In turn, whoever got one the longest ago first: one with two hundred clusters is as one with a single cluster. And as
cycles may take an hour, the last free worker is for whoever has none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Turns:
    """`workers` in all, at least 1, for the repositories `members`. `busy` is how many each has now, `served` when each
    got its last one (a count), `waiting` who wants one."""

    workers: int
    members: frozenset[str]
    busy: Mapping[str, int] = field(default_factory=dict)
    served: Mapping[str, int] = field(default_factory=dict)
    waiting: frozenset[str] = frozenset()


def next_of(turns: Turns) -> str | None:
    """Who gets the next free worker; None where there is none for anybody who waits."""
    able = [name for name in turns.waiting if _may(turns, name)]
    return min(able, key=lambda name: (turns.served.get(name, 0), name), default=None)


def joined(turns: Turns, name: str) -> Turns:
    return replace(turns, members=turns.members | {name})


def left(turns: Turns, name: str) -> Turns:
    return replace(turns, members=turns.members - {name}, waiting=turns.waiting - {name})


def wants(turns: Turns, name: str) -> Turns:
    return replace(turns, waiting=turns.waiting | {name})


def rests(turns: Turns, name: str) -> Turns:
    """It wants none for now."""
    return replace(turns, waiting=turns.waiting - {name})


def given(turns: Turns, name: str) -> Turns:
    """It has one more, and waits no longer until it says so again."""
    busy = {**turns.busy, name: turns.busy.get(name, 0) + 1}
    served = {**turns.served, name: max(turns.served.values(), default=0) + 1}
    return replace(turns, busy=busy, served=served, waiting=turns.waiting - {name})


def returned(turns: Turns, name: str) -> Turns:
    return replace(turns, busy={**turns.busy, name: turns.busy.get(name, 0) - 1})


def _may(turns: Turns, name: str) -> bool:
    free = turns.workers - sum(turns.busy.values())
    return free > _kept_free(turns, name)


def _kept_free(turns: Turns, name: str) -> int:
    """One, where somebody else has none and there are several workers."""
    others: Collection[str] = turns.members - {name}
    mine = turns.busy.get(name, 0)
    return int(mine > 0 and turns.workers > 1 and any(not turns.busy.get(other) for other in others))
