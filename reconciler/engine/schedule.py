"""When a thing that is done again and again is done next: what came in between is put together, failures wait longer.

One `Slot` is one cluster's cycles, or the fetches, or the looks at what changed in one cloud. Values in, values out:
who calls has the clock and the dice. All times are seconds of one monotonic clock.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from enum import StrEnum

from .backoff import CAP_SECONDS, Patience, delay, jittered


class Trigger(StrEnum):
    """Why something is done now."""

    WEBHOOK = "webhook"  # somebody pushed, says the forge
    LOCAL = "local"  # a ref of the clone moved
    POLL = "poll"  # a fetch found a new commit
    KUBERNETES = "kubernetes"  # an object of ours changed
    CLOUD = "cloud"  # a server of ours changed
    DEPENDENCY = "dependency"  # what another cluster gives it changed
    WINDOW = "window"  # a maintenance window opened, or a freeze ended
    RETRY = "retry"  # it failed before
    CHECK = "check"  # it is time
    START = "start"  # we were just started


# A person did something: what failed before may succeed now.
_FRESH = frozenset({Trigger.WEBHOOK, Trigger.LOCAL, Trigger.POLL})
# We saw something ourselves: a controller that never rests must not keep us from resting.
_SEEN = frozenset({Trigger.KUBERNETES, Trigger.CLOUD})
# Who waits for a worker: people first, then what is broken, then what is only due.
_URGENCY = tuple(Trigger)


@dataclass(frozen=True, slots=True)
class Slot:
    """`due` is when the next one starts if nothing comes before, `why` is its reason then. `waiting` came since the
    last one started. Until `until` it backs off, for `reason`. `first`: it was not done yet."""

    interval: float
    due: float
    why: Trigger = Trigger.START
    waiting: frozenset[Trigger] = frozenset()
    running: bool = False
    failures: int = 0
    until: float = 0.0
    reason: str = ""
    first: bool = True
    patience: Patience = field(default_factory=Patience)


def asked(slot: Slot, trigger: Trigger) -> Slot:
    """Something came. What people do ends a back-off; what we see ourselves waits for its end."""
    waiting = slot.waiting | {trigger}
    if trigger in _FRESH and not slot.running:
        return replace(slot, waiting=waiting, failures=0, until=0.0, reason="")
    return replace(slot, waiting=waiting)


def begins(slot: Slot, now: float) -> float:
    """When it starts next: in the past or now, it should start now. Never, while it runs."""
    if slot.running:
        return float("inf")
    if slot.waiting - _SEEN:
        soonest = now
    elif slot.waiting:
        soonest = now + slot.patience.wait(now)
    else:
        soonest = float("inf")
    return max(slot.until, min(slot.due, soonest))


def started(slot: Slot, now: float) -> tuple[Slot, frozenset[Trigger]]:
    """It starts, for these reasons. What comes from now on leads to exactly one more."""
    reasons = slot.waiting or frozenset({slot.why})
    patience = slot.patience.used(now) if reasons <= _SEEN else slot.patience.now(now)
    return replace(slot, running=True, waiting=frozenset(), patience=patience), reasons


def ended(
    slot: Slot, now: float, chance: float, *, failed: str = "", wake: float | None = None, jitter: float = 0.1
) -> Slot:
    """It is over. `failed` says why it has to be tried again; `wake` is in how many seconds there is a reason to look
    before the interval is over (a window opens). `chance` is from 0 to 1."""
    rested = replace(slot, running=False, failures=0, until=0.0, reason="", first=False)
    if failed:
        failures = 0 if slot.waiting & _FRESH else slot.failures
        pause = delay(failures + 1, chance, cap=min(CAP_SECONDS, max(slot.interval, 1.0)))
        again = 0.0 if slot.waiting & _FRESH else now + pause
        return replace(rested, failures=failures + 1, until=again, reason=failed, due=now + pause, why=Trigger.RETRY)
    # who began together should not be checked together for ever
    due = now + (slot.interval * max(jitter, chance) if slot.first else jittered(slot.interval, jitter, chance))
    if wake is not None and now + wake < due:
        return replace(rested, due=now + max(wake, 0.0), why=Trigger.WINDOW)
    return replace(rested, due=due, why=Trigger.CHECK)


def urgency(slot: Slot) -> int:
    """Smaller goes first when workers are scarce."""
    return first(slot.waiting or {slot.why})


def first(reasons: Collection[Trigger]) -> int:
    return min(_URGENCY.index(reason) for reason in reasons)


def main(reasons: Collection[Trigger]) -> Trigger:
    """The one to name when several came together."""
    return _URGENCY[first(reasons)]
