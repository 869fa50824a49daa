"""What runs on a machine that is to go: what a drain has to move, and what keeps it from doing so."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Guest:
    """A pod that a drain evicts, as namespace/name. `alone`: no controller makes it anew elsewhere. `volumes` are its
    claims, and `pinned` those whose data lies on this very machine; `budgets` the PodDisruptionBudgets that allow no
    eviction of it now. `draining`: its node takes no new pods."""

    name: str
    node: str
    alone: bool = False
    volumes: tuple[str, ...] = ()
    pinned: tuple[str, ...] = ()
    budgets: tuple[str, ...] = ()
    draining: bool = False
