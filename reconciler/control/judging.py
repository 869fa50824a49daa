"""What a plan, or a step that was carried out, comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..engine.effect import complaint, unseen
from ..model.outcome import Status, StepOutcome
from ..model.plan import Plan


def judged_by(after: Plan, outcome: StepOutcome) -> StepOutcome:
    """A step is done when the next look no longer finds what it was for."""
    if not outcome.ok:
        return outcome
    error, hint = complaint(outcome.step, unseen(outcome.step, after.differences))
    return replace(outcome, error=error, hint=hint)


def acts(current: Plan) -> bool:
    """Whether this plan would be carried out."""
    return not current.stopped and any(not step.held for step in current.steps)


def status_of(after: Plan, steps: Sequence[StepOutcome]) -> Status:
    """A cluster's state with what is left after these steps, the worst first."""
    if any(not s.ok for s in steps):
        return Status.FAILED
    if after.refusals:
        return Status.BLOCKED
    if after.unknown:
        return Status.UNKNOWN
    return Status.DRIFTED if after.open else Status.IN_SYNC
