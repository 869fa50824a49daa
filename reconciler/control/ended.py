"""What the end of a cycle means for the next one: whether it is tried again, and whether something opens soon."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from ..engine import windows
from ..engine.touched import Uses
from ..errors import Invalid, ReconcilerError
from ..model.desired import Maintenance, moment
from ..model.outcome import Outcome, Status
from ..spec.load import DesiredCluster
from .lease import HeldElsewhere


@dataclass(frozen=True, slots=True)
class Ending:
    """`failed` says why it is tried again; `wake` in how many seconds a window opens or a freeze ends; `outputs` is
    what was recorded for others."""

    outcome: Outcome
    cloud: str
    uses: Uses
    failed: str = ""
    wake: float | None = None
    outputs: str = ""


def ending(outcome: Outcome, cluster: DesiredCluster, used: Uses, outputs: str) -> Ending:
    spec = cluster.cluster.spec
    now = datetime.datetime.now(datetime.UTC)
    opens = _opens(outcome, spec.maintenance, now)
    wake = (opens - now).total_seconds() if opens else None
    return Ending(outcome, spec.cloud, used, _failed(outcome), wake, outputs)


def problems(error: ReconcilerError | None) -> str | None:
    """The mistakes that a cycle ended with, in one line."""
    return "; ".join(str(p) for p in error.problems) if isinstance(error, Invalid) and error.problems else None


def holder(error: ReconcilerError | None) -> str:
    """Who kept a cycle off; "" where nobody did."""
    return error.holder if isinstance(error, HeldElsewhere) else ""


def _failed(outcome: Outcome) -> str:
    """A failed step, something unknown, or a repair that did not help. Drift that is only told, a guard's no and a
    suspended cluster are no failures: trying again changes nothing."""
    if outcome.status is Status.FAILED:
        return outcome.error or "a step failed"
    if outcome.status is Status.UNKNOWN:
        return next((f"{d.component}: {d.why or 'unknown'}" for d in outcome.after.unknown), "something is unknown")
    if outcome.status is Status.DRIFTED and outcome.steps and outcome.after.steps:
        return f"what was done did not help: {outcome.after.steps[0].summary}"
    return ""


def _opens(outcome: Outcome, maintenance: Maintenance, now: datetime.datetime) -> datetime.datetime | None:
    guards = {refusal.guard for refusal in outcome.after.refusals}
    frozen = windows.frozen(maintenance, now)
    if "freeze" in guards and frozen:
        return moment(frozen.until)
    return windows.next_opening(maintenance, now) if "maintenance-window" in guards else None
