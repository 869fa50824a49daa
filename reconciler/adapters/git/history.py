"""A file's history on a branch, read from the object database: since when something is as it is."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from .objects import Entry, Objects
from .refs import Damaged

COMMITS = 500  # how far back is looked, which takes half a second: a difference older than that is old


def versions(objects: Objects, tip: str, path: str) -> Iterator[tuple[str, bytes]]:
    """The file's contents along the first parents of `tip`, newest first; commits that left it alone are one with the
    commit that wrote it. Ends where the file was not there, where the history does, or where a clone is shallow."""
    entry: Entry | None = None
    wrote = 0
    for when, found in _each(objects, tip, path):
        if entry is not None and (found is None or found.id != entry.id):
            yield _iso(wrote), objects.content(entry)
        if found is None:
            return
        entry, wrote = found, when
    if entry is not None:
        yield _iso(wrote), objects.content(entry)


def _each(objects: Objects, tip: str, path: str) -> Iterator[tuple[int, Entry | None]]:
    folder, _, _ = path.rpartition("/")
    at: str | None = tip
    for _ in range(COMMITS):
        if at is None:
            return
        try:
            tree, parent, when = objects.ancestry(at)
        except Damaged:  # a shallow clone names parents it does not have
            return
        yield when, next((e for e in objects.files(tree, folder) if e.path == path), None)
        at = parent


def _iso(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat().replace("+00:00", "Z")
