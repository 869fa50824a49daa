"""Which steps of a plan come next, and which wait behind one that failed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import takewhile

from ..model.change import Action
from ..model.plan import WAVE, Plan, Step


def next_phase(current: Plan, seen: Collection[str], failed: Sequence[Step]) -> tuple[Step, ...]:
    """The leading steps of one component that were not tried yet: what comes after them depends on what they leave."""
    open_ = [s for s in current.steps if not s.held]
    left = [s for s in open_ if name(s) not in seen and not any(_behind(s, other) for other in failed)]
    return tuple(takewhile(lambda step: step.component is left[0].component, left))


def new_servers(phase: Sequence[Step]) -> frozenset[str]:
    """The servers that these steps make: they still boot when the steps are done."""
    differences = (d for step in phase for d in step.differences if d.key.kind == "server")
    return frozenset(d.key.name for d in differences if d.action in (Action.CREATE, Action.REPLACE))


def _behind(step: Step, other: Step) -> bool:
    """Does the step build on what the other one should have done? What goes, goes in the reverse order."""
    if (step.component, step.operation) != (other.component, other.operation):
        return False
    mine, theirs = (int(s.arguments.get(WAVE, 0)) for s in (step, other))
    return mine < theirs if step.operation == "prune" else mine > theirs


def name(step: Step) -> str:
    """What tells a step from the others of a cycle."""
    return f"{step.component} {step.tool} {step.operation} {','.join(step.targets)}"
