"""Which live objects are ours: those that we applied, by the server's own books. A label is copied by controllers (a
Service's to its Endpoints), by people (`kubectl get -o yaml | kubectl create`) and by backups: alone it says nothing.
Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import Permanent
from .books import odd
from .fields import GENERATE, PART_OF

_LABEL = f"f:{PART_OF}"


def applied_by(metadata: Mapping[str, Any], manager: str, *, recorded: bool) -> bool:
    """Did `manager` apply the object that has our label? Where the server keeps no books of an object, the record of
    what was applied decides (`recorded`). What a controller owns goes with its owner and is never ours to delete."""
    if any(owner.get("controller") for owner in metadata.get("ownerReferences") or ()):
        return False
    if not (books := _books(metadata)):
        return recorded
    labelled = [entry for entry in books if _owns_label(entry)]
    mine = [e for e in labelled if e.get("manager") == manager and e.get("operation") in _ways(metadata)]
    return bool(mine) and not _written_again(max(_time(entry) for entry in mine), labelled, manager)


def copied(metadata: Mapping[str, Any]) -> bool:
    """Did nobody apply our label there, by books that say so? Then a controller copied it, or a person."""
    try:
        books, ways = _books(metadata), _ways(metadata)
    except Permanent:
        return False
    return bool(books) and not any(_owns_label(e) and e.get("operation") in ways for e in books)


def _books(metadata: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The entries that are not about a status. Raises Permanent where they are in another shape."""
    listed = metadata.get("managedFields") or ()
    if not isinstance(listed, (list, tuple)) or not all(isinstance(entry, Mapping) for entry in listed):
        raise odd("they are no list of mappings")
    return [entry for entry in listed if not entry.get("subresource")]


def _ways(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """How we write the label; a generated Secret is made once, and never applied."""
    return ("Apply", "Update") if GENERATE in (metadata.get("annotations") or {}) else ("Apply",)


def _written_again(applied: str, labelled: list[Mapping[str, Any]], manager: str) -> bool:
    """A copy may bring our entry of the books with it; then whoever made it wrote the label as well, and later. To set
    a label to what it is makes nobody its owner."""
    others = (e for e in labelled if e.get("manager") != manager and e.get("operation") == "Update")
    return any(_time(entry) >= applied for entry in others)


def _owns_label(entry: Mapping[str, Any]) -> bool:
    below: Any = entry.get("fieldsV1")
    for step in ("f:metadata", "f:labels", _LABEL):
        if not isinstance(below, Mapping) or step not in below:
            return False
        below = below[step]
    return True


def _time(entry: Mapping[str, Any]) -> str:
    """As the server writes it: UTC in whole seconds, so that text sorts like time."""
    return str(entry.get("time") or "")
