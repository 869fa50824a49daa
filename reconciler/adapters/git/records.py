"""A folder of the observed branch, read as what anybody may have pushed there: plain files, within bounds. What is of
another kind is left out and said; it keeps nobody from going on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ...errors import Invalid
from ...ports import RECORD_BYTES
from .branch import Branch
from .objects import Entry, Objects, blob_id

_MAX_ENTRIES = 1000  # looked at for one folder, which has five files
_MAX_DEPTH = 8
_ALL_BYTES = 4 * RECORD_BYTES
_SHOWN = 3  # of what is left out of one folder: who pushes ten thousand links fills no log
_REMEMBERED = 1000  # warnings that were given
# path, id, and what is wrong
Doubt: TypeAlias = Callable[[str, str, str], None]


class Doubts:
    """Tells `log` what counts as nothing, once for each content."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._warned: set[tuple[str, str]] = set()

    def at(self, branch: Branch, commit: str) -> Doubt:
        """For what a commit of a branch has."""

        def doubt(path: str, id_: str, why: str) -> None:
            if (path, id_) not in self._warned:
                self._warned = {(path, id_), *(self._warned if len(self._warned) < _REMEMBERED else ())}
                self._log(f"warning: {path} of {branch.name!r} at {commit[:12]} counts as not recorded: {why}")

        return doubt


def read(objects: Objects, commit: str, folder: str, doubt: Doubt) -> dict[str, bytes]:
    """The files below `folder` ("": all of them), by their paths from the root."""
    content: dict[str, bytes] = {}
    listing, left = _listing(objects, commit, folder), _ALL_BYTES
    for path, entry in listing.files.items():
        try:
            content[path] = objects.content(entry, min(left, RECORD_BYTES))
        except Invalid as error:
            listing.leave_out(path, entry.id, error.message)
        else:
            left -= len(content[path])
    for path, id_, why in listing.left_out[:_SHOWN]:
        doubt(path, id_, why)
    return content


def holds(objects: Objects, commit: str, folder: str, content: Mapping[str, bytes]) -> bool:
    """Is `content` (plain files) all that the folder has?"""
    there = _listing(objects, commit, folder)
    files = {path: (entry.mode, entry.id) for path, entry in there.files.items()}
    return not there.left_out and files == {path: ("100644", blob_id(data)) for path, data in content.items()}


@dataclass
class _Listing:
    """The plain files of a folder by path, and what else is there: path, id, and what is wrong with it."""

    files: dict[str, Entry] = field(default_factory=dict)
    left_out: list[tuple[str, str, str]] = field(default_factory=list)
    more: int = _MAX_ENTRIES

    def leave_out(self, path: str, id_: str, why: str) -> None:
        self.left_out.append((path, id_, why))


def _listing(objects: Objects, commit: str, folder: str) -> _Listing:
    listing = _Listing()
    try:
        tree = objects.commit(commit)[1]
        start = objects.at(tree, folder) if folder else Entry("", "40000", tree)
        if start is not None:
            _walk(objects, start, listing, 0)
    except Invalid as error:
        listing.leave_out(folder, commit, error.message)
    return listing


def _walk(objects: Objects, at: Entry, listing: _Listing, depth: int) -> None:
    if not at.is_folder or depth > _MAX_DEPTH:
        return listing.leave_out(at.path, at.id, "is nested too deeply" if at.is_folder else "is not a folder")
    for entry in objects.listing(at.id):
        listing.more -= 1
        if listing.more < 0:
            raise Invalid(f"has more than {_MAX_ENTRIES} files")
        path = f"{at.path}/{entry.path}".lstrip("/")
        if entry.is_folder:
            _walk(objects, Entry(path, entry.mode, entry.id), listing, depth + 1)
        elif entry.is_file:
            listing.files[path] = Entry(path, entry.mode, entry.id)
        else:
            listing.leave_out(path, entry.id, "is not a plain file")
    return None
