"""Whether a step did what it says, judged by the next look: what a tool says of itself is no evidence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from ..model.change import Action, Difference
from ..model.plan import Step, Tool
from ..model.resource import Component, Key, Value

_Identity: TypeAlias = tuple[Component, Key, str, str, Action, Value, Value]
_FEW = 4


def unseen(step: Step, after: Iterable[Difference]) -> tuple[Difference, ...]:
    """The differences of a step that was carried out which are still exactly as they were.

    Not of playbooks and reboots, which are parts of a longer way: they wait for their nodes themselves. Nor what was
    removed and is back already: that is told as such.
    """
    if step.tool is Tool.KUBESPRAY or step.operation == "reboot":
        return ()
    left = {_identity(d) for d in after if d.actionable and not d.returned}
    return tuple(d for d in step.differences if _identity(d) in left)


def complaint(step: Step, left: Iterable[Difference]) -> tuple[str, str]:
    """What to say of a step whose differences are still there: message and hint. Empty for none."""
    names = tuple(dict.fromkeys(f"{d.key} {d.field}".rstrip() + _still(d) for d in left))
    if not names:
        return "", ""
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    message = f"{step.tool} {step.operation} reported success, and the next look finds {', '.join(names[:_FEW])}{more}"
    return message, "somebody may put it back, or the tool's account may not change it; the next cycle tries again"


def _still(d: Difference) -> str:
    return " still there" if d.action is Action.DELETE else " as it was"


def _identity(d: Difference) -> _Identity:
    return d.component, d.key, d.field, d.id, d.action, d.desired, d.live
