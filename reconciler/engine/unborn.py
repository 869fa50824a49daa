"""Servers that never ran: a first creation that failed for want of room leaves them in ERROR, with nothing in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..model.change import Difference
from ..model.naming import FAULT, NEVER_RAN
from ..model.resource import Component, Observed


def emptied(differences: Iterable[Difference], observed: Observed) -> tuple[Difference, ...]:
    """The differences; those of a server that never ran say so, so that no guard speaks of the data it does not hold,
    and say what Nova says of it."""
    servers = observed.resources(Component.INFRASTRUCTURE, "server")
    unborn = {(s.key, s.id): s for s in servers if s.fields.get(NEVER_RAN) is True}
    faults = {(s.key, s.id): str(s.fields[FAULT]) for s in servers if s.fields.get(FAULT)}

    def told(d: Difference) -> Difference:
        at = (d.key, d.id)
        if d.component is not Component.INFRASTRUCTURE or (at not in unborn and at not in faults):
            return d
        never = "it never ran" if at in unborn else ""
        fault = f"Nova says: {faults[at]}" if at in faults and d.field == "status" else ""
        why = "; ".join(part for part in (d.why, never if d.field == "status" else "", fault) if part)
        return replace(d, empty=at in unborn, why=why)

    return tuple(told(d) for d in differences)
