"""Commits and trees, read from git's object database by gitdb in this process."""

from __future__ import annotations

import hashlib
import re
import stat
import threading
from binascii import hexlify, unhexlify
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ...errors import Invalid
from . import promised
from .refs import Damaged

MAX_FILE_BYTES = 10 * 1024 * 1024
_DEEPEST = 32  # folders within folders: who writes by hand nests less, and a walk recurses
_MIN_ABBREVIATION = 7
_MAX_TAGS = 5  # tags of tags that are followed
_ID = re.compile(r"[0-9a-f]{40}")
_T = TypeVar("_T")
_one_at_a_time = threading.Lock()  # gitdb's memory maps are shared by the whole process and not made for threads


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a tree: `path` from the root, git's octal `mode` as text, the blob's id."""

    path: str
    mode: str
    id: str

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(int(self.mode, 8))

    @property
    def is_file(self) -> bool:
        """Is it a plain file, and no link, folder or submodule?"""
        return stat.S_ISREG(int(self.mode, 8))


class Objects:
    """The objects of one repository, its alternates included. Holds nothing open between two calls of a caller."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.place = str(folder)
        self._databases = _open(folder)

    def commit(self, id_: str) -> tuple[str, str]:
        """Return the id of the commit `id_` stands for (an annotated tag stands for its commit) and of its tree."""
        for _ in range(_MAX_TAGS):
            kind, data = self._read(id_)
            header = _header(data)
            if kind == "commit":
                return id_, _named(header, "tree", id_)
            if kind != "tag":
                raise Invalid(f"{id_} is a {kind}, not a commit", hint="give a branch, a tag or a commit")
            id_ = _named(header, "object", id_)
        raise Invalid(f"{id_} is a tag of many tags", hint="give a branch, a tag or a commit")

    def ancestry(self, id_: str) -> tuple[str, str | None, int]:
        """Return a commit's tree, its first parent (None for the first commit) and its committer's time, in seconds
        since the epoch; 0 where it says none that can be read."""
        header = _header(self._read(id_)[1])
        parent = _named(header, "parent", id_) if "parent" in header else None
        time = re.search(r" (\d{1,11}) \S+$", header.get("committer", ""))
        return _named(header, "tree", id_), parent, int(time[1]) if time else 0

    def message(self, id_: str) -> str:
        """A commit's message."""
        return self._read(id_)[1].decode("utf-8", "replace").partition("\n\n")[2]

    def signed(self, id_: str) -> bool:
        """Does a commit bear a signature at all, whoever's?"""
        return b"\ngpgsig" in self._read(id_)[1].partition(b"\n\n")[0]

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
        """Every file below `folder`, in git's order, submodules left out; nothing when there is no such folder. Raises
        Invalid for a name or a depth that nobody's own git makes."""
        below = self._below(tree, folder)
        if below is not None:
            yield from self._walk(below, f"{folder}/" if folder else "")

    def beside(self, tree: str, folder: str) -> Iterator[Entry]:
        """What lies directly in `folder`, folders and submodules included. Raises Invalid as `files` does."""
        below = self._below(tree, folder)
        for entry in self._entries(below) if below is not None else ():
            yield Entry(f"{folder}/{entry.path}", entry.mode, entry.id)

    def tree(self, id_: str) -> bytes:
        """A tree as git keeps it, for `within`. Raises Invalid for anything else."""
        kind, data = self._read(id_)
        if kind != "tree":
            raise Invalid(f"{id_} is a {kind}, not a folder")
        return data

    def differing(self, before: str, after: str) -> Iterator[str]:
        """The paths whose content or mode is not the same in two trees. Folders that are the same are not read. Raises
        Invalid as `files` does."""
        yield from self._differing(before, after, "")

    def folders(self, commit: str) -> dict[str, str]:
        """The folders at the root of a commit, each with its tree; without those whose names are no text."""
        return {e.path: e.id for e in self.listing(self.commit(commit)[1]) if e.is_folder}

    def listing(self, tree: str) -> Iterator[Entry]:
        """What a tree itself has, folders and all, however it is called: names that are no text are left out, and so is
        what would leave the folder. Raises Invalid for what is no tree, or too large for one."""
        for mode, name, id_ in _listed(self.tree(tree)):
            text = name.decode("utf-8", "replace")
            if text.isprintable() and "\ufffd" not in text and "/" not in text and text not in ("", ".", "..", ".git"):
                yield Entry(text, mode, id_)

    def at(self, tree: str, path: str) -> Entry | None:
        """What stands at `path` below a tree, and nothing else is read for it; None when there is no such thing."""
        *above, name = path.split("/")
        for part in above:
            folder = next((e for e in self.listing(tree) if e.path == part and e.is_folder), None)
            if folder is None:
                return None
            tree = folder.id
        entry = next((e for e in self.listing(tree) if e.path == name), None)
        return Entry(path, entry.mode, entry.id) if entry else None

    def content(self, entry: Entry, largest: int = MAX_FILE_BYTES) -> bytes:
        """A file's bytes. Raises Invalid for a symbolic link, and for a file of more than `largest` bytes."""
        if entry.mode == "120000":
            raise link(entry.path)
        return self._read(entry.id, entry.path, largest)[1]

    def _differing(self, before: str | None, after: str | None, prefix: str) -> Iterator[str]:
        _check_depth(prefix)
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

    def _below(self, tree: str, folder: str) -> str | None:
        """The tree of `folder`; None when there is no such folder."""
        for part in [p for p in folder.split("/") if p]:
            entry = next((e for e in self._entries(tree) if e.path == part), None)
            if entry is None:
                return None
            if entry.mode != "40000":
                raise Invalid(f"{folder} is not a folder")
            tree = entry.id
        return tree

    def _walk(self, tree: str, prefix: str) -> Iterator[Entry]:
        _check_depth(prefix)
        for entry in self._entries(tree):
            path = prefix + entry.path
            if entry.mode == "40000":
                yield from self._walk(entry.id, f"{path}/")
            elif entry.mode != "160000":
                yield Entry(path, entry.mode, entry.id)

    def _entries(self, tree: str) -> Iterator[Entry]:
        for mode, name, id_ in _listed(self.tree(tree)):
            yield Entry(check_file_name(name), mode, id_)

    def _read(self, id_: str, path: str = "", largest: int = MAX_FILE_BYTES) -> tuple[str, bytes]:
        """An object's kind and bytes, checked against its id. A repack may take a pack away under us: look twice."""
        found = self._load(id_, path, largest)
        if found is None:
            self._databases = _open(self._folder)
            found = self._load(id_, path, largest)
        if found is None and promised.remotes(self._folder.parent) and promised.fetch(self._folder.parent, id_):
            self._databases = _open(self._folder)
            found = self._load(id_, path, largest)
        if found is None:
            raise Damaged(
                f"the object {id_} is missing from the repository or damaged", hint=promised.hint(self._folder.parent)
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

    def _load(self, id_: str, path: str, largest: int) -> tuple[str, bytes] | None:
        if not _ID.fullmatch(id_):
            return None
        binary = unhexlify(id_)
        for database in (d for pair in self._databases for d in pair):
            # a copy that is damaged is none: another may be whole
            if found := self._attempt(partial(_sound_copy, database, binary, path or id_, largest)):
                return found
        return None


def _check_depth(prefix: str) -> None:
    if prefix.count("/") > _DEEPEST:
        raise Invalid(f"{prefix} is nested more than {_DEEPEST} folders deep", hint="move it further up")


def link(path: str) -> Invalid:
    """Why a symbolic link is refused."""
    return Invalid(f"{path} is a symbolic link", hint="put the file itself there: links are not followed")


def too_large(path: str, largest: int = MAX_FILE_BYTES) -> Invalid:
    """Why a file of more than `largest` bytes is refused."""
    return Invalid(f"{path} has more than {largest >> 20} MiB", hint="keep large files out of this folder")


def check_file_name(name: bytes) -> str:
    """A name as a tree has it, as text. git itself writes none that leads elsewhere, and takes them from a push all the
    same. Raises Invalid."""
    try:
        text = name.decode()
    except UnicodeDecodeError:
        raise Invalid(f"the file name {name!r} is not UTF-8", hint="rename it") from None
    if text in ("", ".", "..") or text.lower() == ".git" or "/" in text or not text.isprintable():
        raise Invalid(f"{text!r} is no name for a file", hint="rename it")
    return text


def _sound_copy(database: Any, binary: bytes, name: str, largest: int) -> tuple[str, bytes] | None:
    if not database.has_object(binary):
        return None
    info = database.info(binary)
    if info.size > largest:
        raise too_large(name, largest)
    kind, data = info.type.decode(), database.stream(binary).read()
    sound = hashlib.sha1(b"%s %d\0%s" % (info.type, len(data), data), usedforsecurity=False).digest() == binary
    return (kind, data) if sound else None


def _header(commit: bytes) -> dict[str, str]:
    """What a commit's or a tag's head says, by name: as git does, the first one of a name counts."""
    header: dict[str, str] = {}
    for line in commit.partition(b"\n\n")[0].decode("utf-8", "replace").split("\n"):
        name, _, value = line.partition(" ")
        header.setdefault(name, value)
    return header


def _named(header: dict[str, str], name: str, id_: str) -> str:
    """The object that a head names. Raises Invalid where that is none."""
    if not _ID.fullmatch(header.get(name, "")):
        raise Invalid(f"the object {id_} names no {name}", hint="whoever pushed it did not make it with git")
    return header[name]


def _listed(tree: bytes) -> Iterator[tuple[str, bytes, str]]:
    """Mode, name and id of each entry. Raises Invalid for what git would not have written."""
    at = 0
    while at < len(tree):
        end = tree.find(b"\0", at)
        mode, space, name = tree[at:end].partition(b" ")
        if end < 0 or not space or end + 21 > len(tree) or not re.fullmatch(rb"[0-7]{5,6}", mode):
            raise Invalid("a folder's list of files is damaged", hint="whoever pushed it did not make it with git")
        at = end + 21
        yield mode.decode().lstrip("0") or "0", name, hexlify(tree[end + 1 : at]).decode()


def within(tree: bytes, name: str) -> str | None:
    """The id of what is called `name` in a tree as git keeps it; None when there is none."""
    return next((id_ for _, each, id_ in _listed(tree) if each == name.encode()), None)


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
