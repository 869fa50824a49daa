"""A file's history on a branch, read from the object database: since when something is as it is."""

from __future__ import annotations

import datetime
import threading
from collections import OrderedDict
from collections.abc import Iterator

from .objects import Entry, Objects, within
from .refs import Damaged

COMMITS = 500  # how far back is looked, which takes half a second: a difference older than that is old

# By the commits' ids, so it holds for any repository. 200 clusters make it 3 MB.
_remembered: OrderedDict[str, tuple[tuple[str, str | None, int], bytes]] = OrderedDict()
_guard = threading.Lock()


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
    """Most commits leave a cluster's folder alone: then what was found in the one after still holds."""
    folder, _, _ = path.rpartition("/")
    at: str | None = tip
    seen: tuple[str | None, Entry | None] | None = None
    for _ in range(COMMITS):
        if at is None:
            return
        try:
            (tree, parent, when), root = _commit(objects, at)
        except Damaged:  # a shallow clone names parents it does not have
            return
        below = within(root, folder.partition("/")[0]) if folder else tree
        if seen is None or seen[0] != below:
            seen = below, next((e for e in objects.files(tree, folder) if e.path == path), None)
        yield when, seen[1]
        at = parent


def _commit(objects: Objects, id_: str) -> tuple[tuple[str, str | None, int], bytes]:
    """A commit's tree, parent and time, and that tree. A daemon asks for the same ones for each of its clusters."""
    with _guard:
        found = _remembered.get(id_)
    if found is None:
        said = objects.ancestry(id_)
        found = said, objects.tree(said[0])
        with _guard:
            _remembered[id_] = found
            while len(_remembered) > COMMITS:
                _remembered.popitem(last=False)
    return found


def _iso(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat().replace("+00:00", "Z")
