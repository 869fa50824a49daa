"""What came of a cycle: each step's result, and the cluster's state before and after."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .plan import Plan, Step


class Status(StrEnum):
    """The cluster's state in one word, with the exit code scripts read."""

    IN_SYNC = "in sync"
    DRIFTED = "drifted"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"
    FAILED = "failed"
    SUSPENDED = "suspended"
    DESTROYED = "destroyed"

    @property
    def exit_code(self) -> int:
        return {"in sync": 0, "suspended": 0, "destroyed": 0, "drifted": 3, "blocked": 4}.get(self.value, 1)


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """One step carried out. `error` and `hint` are empty on success; `seconds` is wall time."""

    step: Step
    seconds: float
    error: str = ""
    hint: str = ""

    @property
    def ok(self) -> bool:
        return not self.error


@dataclass(frozen=True, slots=True)
class Outcome:
    """One cycle for one cluster. `before` is the plan it started from, `after` the plan that is left."""

    cluster: str
    commit: str
    status: Status
    before: Plan
    after: Plan
    steps: tuple[StepOutcome, ...] = ()
    seconds: float = 0.0
    error: str = ""
    hint: str = ""
