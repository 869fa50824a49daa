"""What was taken out of an object once and is there again: told, and left to people. Two that undo each other's work
for ever help nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..model.change import Difference
from .history import Identity, identity

_WHY = "was removed once and is back: somebody puts it there; take it into git, ignore it, or approve removing it again"


def returned(differences: Iterable[Difference], removed: Mapping[Identity, str]) -> tuple[Difference, ...]:
    """Mark the added fields that are among those `removed`, which says when those had been set. What was set at that
    very time never went: that is no return."""
    return tuple(_judged(d, removed) for d in differences)


def _judged(difference: Difference, removed: Mapping[Identity, str]) -> Difference:
    before = removed.get(identity(difference)) if difference.added and difference.actionable else None
    if before is None or before == difference.set_at:
        return difference
    by = f" (set by {difference.owner})" if difference.owner else ""
    return replace(difference, returned=True, why=_WHY + by)
