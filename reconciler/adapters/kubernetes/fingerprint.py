"""Names all of a live object that is not status, from its metadata alone: so that a busy controller costs no request.

A status that moves gives an object a new resourceVersion and changes nothing that could be drift. What it does not
change is here: the generation (of kinds that have one it counts every change of the rest), labels, annotations,
owners and finalizers by value, and the server's own books of who wrote which field when (managedFields), those of a
status excepted."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from typing import Any

# The books count in whole seconds, and several API servers may keep them by different clocks: what was written this
# lately may be written again without a trace.
SETTLED_SECONDS = 60
_BY_VALUE = ("uid", "generation", "labels", "annotations", "ownerReferences", "finalizers", "deletionTimestamp")


def fingerprint(metadata: Mapping[str, Any]) -> str:
    """Empty where the server keeps no books, or such as nest without end."""
    books = _books(metadata)
    if not books:
        return ""
    said = [*(metadata.get(name) for name in _BY_VALUE), books]
    try:
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]
    except RecursionError:
        return ""


def version(obj: Mapping[str, Any]) -> str:
    return str(obj["metadata"].get("resourceVersion"))


def same_but_status(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Do two versions of an object differ in nothing but their status?"""
    known = fingerprint(one["metadata"])
    return bool(known) and known == fingerprint(other["metadata"])


def settled(metadata: Mapping[str, Any], at: datetime.datetime | None) -> bool:
    """Is the last entry old enough, by the server's time `at`, that another change would leave a trace?"""
    return at is not None and all(_old(entry, at) for entry in _books(metadata))


def _books(metadata: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = metadata.get("managedFields")
    if not isinstance(listed, list) or not all(isinstance(entry, Mapping) for entry in listed):
        return []
    return [entry for entry in listed if entry.get("subresource") != "status"]


def _old(entry: Mapping[str, Any], at: datetime.datetime) -> bool:
    try:
        written = datetime.datetime.fromisoformat(str(entry.get("time")))
    except ValueError:
        return False
    return written.tzinfo is not None and (at - written).total_seconds() > SETTLED_SECONDS
