"""What a plan lets an apply do to others' fields: read from the differences of its step, which was guarded."""

from __future__ import annotations

from collections.abc import Mapping

from ..model.plan import Step
from ..model.resource import Key, Owner


def taken(step: Step) -> Mapping[Key, frozenset[Owner]]:
    """From whom the plan, which was guarded, takes fields of which object."""
    found: dict[Key, set[Owner]] = {}
    for d in step.differences:
        if d.taken and d.owner:
            found.setdefault(_untargeted(d.key), set()).add(d.owner)
    return {key: frozenset(owners) for key, owners in found.items()}


def removing(step: Step) -> Mapping[Key, frozenset[str]]:
    """Which fields of which object the plan takes out."""
    found: dict[Key, set[str]] = {}
    for d in step.differences:
        if d.field and (d.added or (d.desired is None and d.live is not None)):
            found.setdefault(_untargeted(d.key), set()).add(d.field)
    return {key: frozenset(fields) for key, fields in found.items()}


def _untargeted(key: Key) -> Key:
    """As a manifest says it: of which API it is the adapter knows."""
    return Key(key.kind, key.name)
