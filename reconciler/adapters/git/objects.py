"""Commits and trees, read from git's object database by gitdb in this process."""

from __future__ import annotations

import hashlib
import threading
from binascii import hexlify, unhexlify
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ...errors import Invalid
from .refs import Damaged

MAX_FILE_BYTES = 10 * 1024 * 1024
_MIN_ABBREVIATION = 7
_T = TypeVar("_T")
_one_at_a_time = threading.Lock()  # gitdb's memory maps are shared by the whole process and not made for threads


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a tree: `path` from the root, git's octal `mode` as text, the blob's id."""

    path: str
    mode: str
    id: str


class Objects:
    """The objects of one repository, its alternates included. Holds nothing open between two calls of a caller."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._databases = _open(folder)

    def commit(self, id_: str) -> tuple[str, str]:
        """Return the id of the commit `id_` stands for (an annotated tag stands for its commit) and of its tree."""
        kind, data = self._read(id_)
        header = dict(
            line.split(" ", 1) for line in data.decode("utf-8", "replace").split("\n\n")[0].split("\n") if " " in line
        )
        if kind == "tag":
            return self.commit(header["object"])
        if kind != "commit":
            raise Invalid(f"{id_} is a {kind}, not a commit", hint="give a branch, a tag or a commit")
        return id_, header["tree"]

    def ancestry(self, id_: str) -> tuple[str, str | None, int]:
        """Return a commit's tree, its first parent (None for the first commit) and its committer's time, in seconds
        since the epoch."""
        _, data = self._read(id_)
        head = data.decode("utf-8", "replace").split("\n\n")[0].split("\n")
        said = [line.split(" ", 1) for line in head if " " in line and not line.startswith(" ")]
        parent = next((value for name, value in said if name == "parent"), None)
        header = dict(said)
        return header["tree"], parent, int(header["committer"].rsplit(" ", 2)[1])

    def signed(self, id_: str) -> bool:
        """Does a commit bear a signature at all, whoever's?"""
        return b"\ngpgsig" in self._read(id_)[1].partition(b"\n\n")[0]

    def subject(self, id_: str) -> str:
        """The first line of a commit's message."""
        return self._read(id_)[1].partition(b"\n\n")[2].partition(b"\n")[0].decode("utf-8", "replace")

    def abbreviated(self, prefix: str) -> str | None:
        """Return the full id that begins with `prefix` (at least 7 digits), None when there is none. Raises Invalid
        when there are several."""
        if len(prefix) < _MIN_ABBREVIATION:
            return None
        with _one_at_a_time:
            found = {id_ for loose, packed in self._databases for id_ in _starting(prefix, loose, packed)}
        if len(found) > 1:
            raise Invalid(f"{prefix} stands for several objects", hint="give more of the commit's id")
        return found.pop() if found else None

    def files(self, tree: str, folder: str) -> Iterator[Entry]:
        """Every file below `folder`, in git's order, submodules left out; nothing when there is no such folder."""
        for part in [p for p in folder.split("/") if p]:
            entry = next((e for e in self._entries(tree) if e.path == part), None)
            if entry is None:
                return
            if entry.mode != "40000":
                raise Invalid(f"{folder} is not a folder")
            tree = entry.id
        yield from self._walk(tree, f"{folder}/" if folder else "")

    def tree(self, id_: str) -> bytes:
        """A tree as git keeps it, for `within`."""
        return self._read(id_)[1]

    def differing(self, before: str, after: str) -> Iterator[str]:
        """The paths whose content or mode is not the same in two trees. Folders that are the same are not read."""
        yield from self._differing(before, after, "")

    def folders(self, commit: str) -> dict[str, str]:
        """The folders at the root of a commit, each with its tree."""
        return {e.path: e.id for e in self._entries(self.commit(commit)[1]) if e.mode == "40000"}

    def content(self, entry: Entry) -> bytes:
        """A file's bytes. Raises Invalid for a symbolic link, and for a file of more than 10 MiB."""
        if entry.mode == "120000":
            raise Invalid(f"{entry.path} is a symbolic link", hint="put the file itself there: links are not followed")
        return self._read(entry.id, entry.path)[1]

    def _differing(self, before: str | None, after: str | None, prefix: str) -> Iterator[str]:
        sides = [{e.path: e for e in self._entries(tree)} if tree else {} for tree in (before, after)]
        for name in sorted({*sides[0], *sides[1]}):
            pair = [side.get(name) for side in sides]
            if pair[0] == pair[1]:
                continue
            folders = [e.id if e and e.mode == "40000" else None for e in pair]
            if any(folders):
                yield from self._differing(folders[0], folders[1], f"{prefix}{name}/")
            if any(e and e.mode not in ("40000", "160000") for e in pair):
                yield prefix + name

    def _walk(self, tree: str, prefix: str) -> Iterator[Entry]:
        for entry in self._entries(tree):
            path = prefix + entry.path
            if entry.mode == "40000":
                yield from self._walk(entry.id, f"{path}/")
            elif entry.mode != "160000":
                yield Entry(path, entry.mode, entry.id)

    def _entries(self, tree: str) -> Iterator[Entry]:
        data = self._read(tree)[1]
        at = 0
        while at < len(data):
            end = data.index(b"\0", at)
            mode, _, name = data[at:end].partition(b" ")
            at = end + 21
            try:
                yield Entry(name.decode(), mode.decode(), hexlify(data[end + 1 : at]).decode())
            except UnicodeDecodeError:
                raise Invalid(f"the file name {name!r} is not UTF-8", hint="rename it") from None

    def _read(self, id_: str, path: str = "") -> tuple[str, bytes]:
        """An object's kind and bytes, checked against its id. A repack may take a pack away under us: look twice."""
        found = self._load(id_, path)
        if found is None:
            self._databases = _open(self._folder)
            found = self._load(id_, path)
        if found is None:
            raise Damaged(
                f"the object {id_} is missing from the repository or damaged",
                hint="`git fetch`, or `git fetch --unshallow` in a shallow clone; `git fsck` says what else is damaged",
            )
        return found

    @staticmethod
    def _attempt(load: Callable[[], _T | None]) -> _T | None:
        try:
            with _one_at_a_time:
                return load()
        except Invalid:
            raise
        except Exception:  # gitdb has an error of its own for every way in which a file can be damaged
            return None

    def _load(self, id_: str, path: str) -> tuple[str, bytes] | None:
        binary = unhexlify(id_)
        for database in (d for pair in self._databases for d in pair):
            # a copy that is damaged is none: another may be whole
            if found := self._attempt(partial(_sound_copy, database, binary, path or id_)):
                return found
        return None


def _sound_copy(database: Any, binary: bytes, name: str) -> tuple[str, bytes] | None:
    if not database.has_object(binary):
        return None
    info = database.info(binary)
    if info.size > MAX_FILE_BYTES:
        raise Invalid(f"{name} has more than 10 MiB", hint="keep large files out of this folder")
    kind, data = info.type.decode(), database.stream(binary).read()
    sound = hashlib.sha1(b"%s %d\0%s" % (info.type, len(data), data), usedforsecurity=False).digest() == binary
    return (kind, data) if sound else None


def within(tree: bytes, name: str) -> str | None:
    """The id of what is called `name` in a tree as git keeps it; None when there is none."""
    at, wanted = 0, name.encode()
    while at < len(tree):
        space, end = tree.index(b" ", at), tree.index(b"\0", at)
        if tree[space + 1 : end] == wanted:
            return hexlify(tree[end + 1 : end + 21]).decode()
        at = end + 21
    return None


def blob_id(content: bytes) -> str:
    """The id git gives a file with this content."""
    return hashlib.sha1(b"blob %d\0%s" % (len(content), content), usedforsecurity=False).hexdigest()


def _open(folder: Path) -> tuple[tuple[Any, Any], ...]:
    """gitdb's loose and packed database for the folder and for each folder it borrows from."""
    from gitdb import LooseObjectDB, PackedDB

    return tuple((LooseObjectDB(str(f)), PackedDB(str(f / "pack"))) for f in _with_alternates(folder, 5) if f.is_dir())


def _with_alternates(folder: Path, depth: int) -> Iterator[Path]:
    yield folder
    listed = folder / "info" / "alternates"
    if depth and listed.is_file():
        for line in listed.read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                yield from _with_alternates((folder / line).resolve(), depth - 1)


def _starting(prefix: str, loose: Any, packed: Any) -> Iterator[str]:
    from gitdb.exc import AmbiguousObjectName, BadObject

    folder = Path(loose.root_path()) / prefix[:2]
    yield from (prefix[:2] + f.name for f in folder.glob(f"{prefix[2:]}*"))
    try:
        even = prefix if len(prefix) % 2 == 0 else prefix + "0"
        yield hexlify(packed.partial_to_complete_sha(unhexlify(even), len(prefix))).decode()
    except BadObject:
        return
    except AmbiguousObjectName:
        raise Invalid(f"{prefix} stands for several objects", hint="give more of the commit's id") from None
