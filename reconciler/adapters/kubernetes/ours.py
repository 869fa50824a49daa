"""Which live objects are ours: those that we applied, by the server's own books. A label is copied by controllers (a
Service's to its Endpoints), by people (`kubectl get -o yaml | kubectl create`) and by backups: alone it says nothing.
Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .fields import GENERATE, PART_OF

_LABEL = f"f:{PART_OF}"


def applied_by(metadata: Mapping[str, Any], manager: str, *, recorded: bool) -> bool:
    """Did `manager` apply the object that has our label? Where the server keeps no books of an object, the record of
    what was applied decides (`recorded`). What a controller owns goes with its owner and is never ours to delete."""
    if any(owner.get("controller") for owner in metadata.get("ownerReferences") or ()):
        return False
    books = [entry for entry in metadata.get("managedFields") or () if not entry.get("subresource")]
    if not books:
        return recorded
    wrote = "Update" if GENERATE in (metadata.get("annotations") or {}) else ""  # made once, and never applied
    labelled = [entry for entry in books if _owns_label(entry)]
    mine = [e for e in labelled if e.get("manager") == manager and e.get("operation") in ("Apply", wrote)]
    return bool(mine) and not _copied(max(_time(entry) for entry in mine), labelled, manager)


def _copied(applied: str, labelled: list[Mapping[str, Any]], manager: str) -> bool:
    """A copy may bring our entry of the books with it; then whoever made it wrote the label as well, and later. To set
    a label to what it is makes nobody its owner."""
    others = (e for e in labelled if e.get("manager") != manager and e.get("operation") == "Update")
    return any(_time(entry) >= applied for entry in others)


def _owns_label(entry: Mapping[str, Any]) -> bool:
    metadata = (entry.get("fieldsV1") or {}).get("f:metadata") or {}
    return _LABEL in (metadata.get("f:labels") or {})


def _time(entry: Mapping[str, Any]) -> str:
    """As the server writes it: UTC in whole seconds, so that text sorts like time."""
    return str(entry.get("time") or "")
