"""What an event of a watch means: somebody changed an object of ours, or it is our own apply that comes back. Pure.

The server says who set which fields and when (managedFields). Its time moves when a manager adds, changes or removes
fields, and stays when another manager takes some of them over (Kubernetes API, ManagedFieldsEntry).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .fields import PART_OF

MANAGER = "reconciler"


@dataclass(frozen=True, slots=True)
class Witness:
    """An object without its status. `others` has, hashed, when each other manager last changed it; `ours` is a hash of
    the fields that we own, `applied` when we last set one. `generation` moves with the spec, where the kind has one."""

    name: str
    part_of: str
    going: bool
    generation: int
    others: frozenset[int]
    ours: int
    applied: str


def witnessed(metadata: Mapping[str, Any]) -> Witness:
    entries = [e for e in metadata.get("managedFields") or () if e.get("subresource") != "status"]
    mine = [e for e in entries if e.get("manager") == MANAGER]
    others = {
        hash((e.get("manager"), e.get("operation"), e.get("subresource", ""), e.get("time")))
        for e in entries
        if e.get("manager") != MANAGER
    }
    if not entries:  # a server that does not say: every version counts
        others = {hash(metadata.get("resourceVersion"))}
    return Witness(
        name="/".join(n for n in (metadata.get("namespace"), metadata["name"]) if n),
        part_of=(metadata.get("labels") or {}).get(PART_OF, ""),
        going=bool(metadata.get("deletionTimestamp")),
        generation=int(metadata.get("generation") or 0),
        others=frozenset(others),
        ours=hash(json.dumps([e.get("fieldsV1") for e in mine], sort_keys=True)),
        applied=max((str(e.get("time")) for e in mine), default=""),
    )


def echo(before: Witness | None, now: Witness) -> bool:
    """Is this nothing but what we did ourselves? An object that only we have touched; or one we applied again, while
    nobody else did anything."""
    if now.going and not (before and before.going):
        return False
    if before is None:
        return bool(now.applied) and not now.others
    return now.applied != before.applied and now.others <= before.others
