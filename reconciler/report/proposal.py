"""What merging a change would bring, in the words of who proposes it: changes, and apart what differs anyway."""

from __future__ import annotations

from ..model.change import Class
from ..model.outcome import Status
from .values import number
from .view import View

_SETTLED = {Status.IN_SYNC: "nothing would change", Status.SUSPENDED: "suspended, so nothing would change"}


def proposed(view: View) -> int:
    """How many differences the change itself makes: git says something else than was applied last."""
    return sum(f.cls is Class.PENDING for f in view.findings)


def besides(view: View) -> int:
    """How many differences are there whatever is merged: somebody changed what is live."""
    return sum(f.cls in (Class.DRIFT, Class.UNMANAGED) for f in view.findings)


def sentence(view: View) -> str:
    """Such as: 3 changes proposed; 1 difference that is there already."""
    if view.status in _SETTLED:
        return _SETTLED[view.status]
    parts = [f"{number(proposed(view), 'change')} proposed"] if proposed(view) else []
    parts += [f"{number(besides(view), 'difference')} that {_is(besides(view))} there already"] if besides(view) else []
    parts += [f"held by the guard {refusal.guard}" for refusal in view.refusals]
    parts += [f"{len(view.unknowns)} could not be observed"] if view.unknowns else []
    return "; ".join(parts) or view.headline


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
