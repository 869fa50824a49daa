"""A file's history on a branch, read from the object database: since when something is as it is."""

from __future__ import annotations

import datetime
import threading
from collections import OrderedDict
from collections.abc import Iterator

from ...errors import Invalid
from ...ports import RECORD_BYTES
from .objects import Entry, Objects, within
from .refs import Damaged

COMMITS = 500  # how far back is looked, which takes half a second: a difference older than that is old

_ALL_BYTES = 4 * RECORD_BYTES  # so much is read of one history, whoever wrote it; what lies further back is old
_LAST_SECOND = 253402300799  # of the year 9999
# By repository and commit: an id that somebody pushed here must not bring what another repository has. 200 clusters
# make it 3 MB.
_remembered: OrderedDict[tuple[str, str], tuple[tuple[str, str | None, int], bytes]] = OrderedDict()
_guard = threading.Lock()


def versions(objects: Objects, tip: str, path: str) -> Iterator[tuple[str, bytes]]:
    """The file's contents along the first parents of `tip`, newest first; commits that left it alone are one with the
    commit that wrote it. Ends where the file was not there, where the history does, or where a clone is shallow. What
    is no plain file, or too large for one, says nothing: it is left out."""
    entry: Entry | None = None
    wrote, left = 0, _ALL_BYTES
    for when, found in _each(objects, tip, path):
        if found is not None and not found.is_file:
            continue
        if entry is not None and (found is None or found.id != entry.id):
            for content in _content(objects, entry, left):
                left -= len(content)
                yield _iso(wrote), content
        if found is None:
            return
        entry, wrote = found, when
    if entry is not None:
        yield from ((_iso(wrote), content) for content in _content(objects, entry, left))


def trailers(objects: Objects, tip: str, folder: str, name: str) -> Iterator[str]:
    """What the commits that changed `folder` say in the trailer `name`, newest first, as far as `versions` goes."""
    child: str | None = None
    was: str | None = None
    for id_, (_, parent, _), below in _commits(objects, tip, folder):
        if child is not None and was != below:
            yield from _trailer(objects.message(child), name)
        if parent is None and below is not None:
            yield from _trailer(objects.message(id_), name)
        child, was = id_, below


def _trailer(message: str, name: str) -> Iterator[str]:
    """It stands in the last paragraph, on a line of its own."""
    last = message.rstrip("\n").rpartition("\n\n")[2]
    yield from (value for line in last.split("\n") if line.startswith(f"{name}: ") for value in [line[len(name) + 2 :]])


def _content(objects: Objects, entry: Entry, left: int) -> Iterator[bytes]:
    try:
        yield objects.content(entry, min(left, RECORD_BYTES))
    except Invalid:
        return


def _each(objects: Objects, tip: str, path: str) -> Iterator[tuple[int, Entry | None]]:
    """Most commits leave a cluster's folder alone: then what was found in the one after still holds."""
    seen: tuple[str | None, Entry | None] | None = None
    for _, (tree, _, when), below in _commits(objects, tip, path.rpartition("/")[0]):
        if seen is None or seen[0] != below:
            try:
                seen = below, objects.at(tree, path)
            except Invalid:
                return
        yield when, seen[1]


def _commits(objects: Objects, tip: str, folder: str) -> Iterator[tuple[str, tuple[str, str | None, int], str | None]]:
    """The commits along the first parents of `tip`, each with what `Objects.ancestry` says and the id of what is called
    like the first part of `folder`."""
    at: str | None = tip
    left = _ALL_BYTES
    for _ in range(COMMITS):
        if at is None or left < 0:
            return
        try:
            ancestry, root = _commit(objects, at)
            below = within(root, folder.partition("/")[0]) if folder else ancestry[0]
        except (Damaged, Invalid):  # a shallow clone names parents it does not have
            return
        left -= len(root)
        yield at, ancestry, below
        at = ancestry[1]


def _commit(objects: Objects, id_: str) -> tuple[tuple[str, str | None, int], bytes]:
    """A commit's tree, parent and time, and that tree. A daemon asks for the same ones for each of its clusters."""
    key = (objects.place, id_)
    with _guard:
        found = _remembered.get(key)
    if found is None:
        said = objects.ancestry(id_)
        found = said, objects.tree(said[0])
        with _guard:
            _remembered[key] = found
            while len(_remembered) > COMMITS or sum(len(tree) for _, tree in _remembered.values()) > _ALL_BYTES:
                _remembered.popitem(last=False)
    return found


def _iso(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(min(seconds, _LAST_SECOND), datetime.UTC).isoformat().replace("+00:00", "Z")
