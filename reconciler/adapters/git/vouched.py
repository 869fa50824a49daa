"""Which commit of the observed branch is believed about a folder, where only records signed by known keys count.

A commit vouches for the folders that it changed, and for the one that its subject names (`demo: in sync`): what we
record goes on top of whatever somebody pushed before, and our signature must not make that ours. So a folder's content
is that of the newest commit, along the first parents, that wrote the folder and is signed; or of the one named commit
up to which everything is believed. What was believed once is remembered beside the clone's objects: who puts the branch
back to an older signed commit, or leads its first parents around a newer one, changes nothing here. An idle look starts
no program and reads no history.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ... import files
from ...errors import Blocked, Invalid, Transient
from .branch import Branch
from .objects import Objects, within
from .refs import Damaged
from .signatures import Signers

COMMITS = 5000  # how far back a folder's last record is looked for; each takes some 0.2 ms, and only once
_FILE = "reconciler-records.json"
_REFUSED_KEPT = 1000
_KEYRINGS = ("pubring.kbx", "pubring.gpg", "trustdb.gpg")


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose records count: those signed by `signers`, and everything at the commit `since` or before it. Without
    signers everybody's."""

    signers: Signers = Signers()  # noqa: RUF009 - frozen
    since: str = ""

    def __bool__(self) -> bool:
        return bool(self.signers)

    def fingerprint(self) -> str:
        """Names the keys as they are today: what they said yesterday is asked again, as keys have an end. Raises
        Invalid when the settings name what is not there."""
        digest = hashlib.sha256(f"{self.since} {datetime.datetime.now(datetime.UTC):%Y-%m-%d}".encode())
        if self.signers.ssh:
            digest.update(_bytes(self.signers.ssh, "ssh"))
        if self.signers.gnupg:
            if not self.signers.gnupg.is_dir():
                raise _missing(self.signers.gnupg, "gnupg")
            for ring in (self.signers.gnupg / name for name in _KEYRINGS):
                digest.update(ring.read_bytes() if ring.is_file() else b"")
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Known:
    """Of one folder: the commit that is believed, and the branch's tip when that was found ("": look again)."""

    commit: str
    tip: str


@dataclass
class _Memory:
    """What was found with the keys of `fingerprint`. `refused` are commits whose signature does not count."""

    fingerprint: str = ""
    folders: dict[str, _Known] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


class Vouched:
    """Finds, for one clone, whom to believe. `log` hears once of each commit that is not. Safe for several threads."""

    def __init__(self, trust: Trust, log: Callable[[str], None]) -> None:
        self._trust = trust
        self._log = log
        self._told: set[str] = set()
        self._without: dict[str, tuple[str, str | None]] = {}  # by folder: keys and tip with which nothing was found
        self._memory: _Memory | None = None
        self._lock = threading.Lock()

    def commit(self, branch: Branch, objects: Objects, tip: str | None, folder: str) -> str | None:
        """The commit whose content of `folder` counts; None where there is none. `tip` is where the branch is now.
        Raises Invalid when the settings name keys that are not there; Permanent when the repository is damaged."""
        if not self._trust:
            return tip
        with self._lock:
            memory = self._recalled(branch)
            known = memory.folders.get(folder)
            if known and known.tip == tip:
                return known.commit
            if self._without.get(folder) == (memory.fingerprint, tip):
                return None
            found = self._found(branch, objects, tip, folder, known, memory)
            if found is None:
                self._without[folder] = memory.fingerprint, tip
            else:
                memory.folders[folder] = _Known(found, tip or "")
                self._remember(branch, memory)
            return found

    def follow(self, branch: Branch, objects: Objects, tip: str | None) -> None:
        """Remember what is believed now of every folder that was asked for before: the branch may be put back."""
        if self._trust:
            with self._lock:
                folders = tuple(self._recalled(branch).folders)
            for folder in folders:
                self.commit(branch, objects, tip, folder)

    def trusts(self, branch: Branch, objects: Objects, commit: str) -> bool:
        """Is the commit signed by a key that counts? Raises Invalid like `commit`."""
        with self._lock:
            return self._signed(branch, objects, commit, self._recalled(branch))

    def _found(
        self, branch: Branch, objects: Objects, tip: str | None, folder: str, known: _Known | None, memory: _Memory
    ) -> str | None:
        last = known.commit if known and self._still(branch, objects, known, memory) else None
        met, newest = False, None
        for at, wrote in _line(branch, objects, tip, folder):
            met = last is not None and at in (last, known.tip if known else "")
            named = at == self._trust.since
            if newest is None and not met:
                newest = at if named or (wrote and self._counts(branch, objects, at, folder, memory)) else None
            if met or named:
                break
        if last is None or newest is None:
            return newest or last
        return newest if met else _later(objects, newest, last)

    def _still(self, branch: Branch, objects: Objects, known: _Known, memory: _Memory) -> bool:
        """Is what was believed before still here, and believed with the keys of now?"""
        if not _here(objects, known.commit):
            return False
        named = bool(known.tip) or known.commit == self._trust.since
        return named or self._signed(branch, objects, known.commit, memory)

    def _counts(self, branch: Branch, objects: Objects, commit: str, folder: str, memory: _Memory) -> bool:
        good = self._signed(branch, objects, commit, memory)
        if not good and commit not in self._told:
            self._told.add(commit)
            self._log(
                f"{branch.name!r}: what commit {commit[:12]} says of {folder!r} does not count: no key of "
                "git.recordSigners signed it"
            )
        return good

    def _signed(self, branch: Branch, objects: Objects, commit: str, memory: _Memory) -> bool:
        if commit in memory.refused or not objects.signed(commit):
            return False
        try:
            self._trust.signers.check(branch.git, commit)
        except Blocked:
            memory.refused = [*memory.refused, commit][-_REFUSED_KEPT:]
            self._remember(branch, memory)
            return False
        return True

    def _recalled(self, branch: Branch) -> _Memory:
        now = self._trust.fingerprint()
        memory = self._memory or _read(branch.dirs.common / _FILE)
        if memory.fingerprint != now:
            again = {folder: replace(known, tip="") for folder, known in memory.folders.items()}
            memory = _Memory(now, again)
        self._memory = memory
        return memory

    def _remember(self, branch: Branch, memory: _Memory) -> None:
        """For the next process. Where it can't be written, that one looks for itself."""
        folders = {name: [known.commit, known.tip] for name, known in sorted(memory.folders.items())}
        text = json.dumps({"keys": memory.fingerprint, "folders": folders, "refused": memory.refused}, indent=1)
        with contextlib.suppress(Transient):
            files.write(branch.dirs.common / _FILE, text + "\n")


def _line(branch: Branch, objects: Objects, tip: str | None, folder: str) -> Iterator[tuple[str, bool]]:
    """The commits along the first parents, each with whether it wrote the folder. What the last one of a shallow clone
    changed, nobody can tell, and neither what lies behind a commit that can't be read. Raises Damaged, which may be
    mended."""
    ends = branch.shallow_ends()
    at, here = tip, _at(objects, tip, folder) if tip else None
    for _ in range(COMMITS):
        if at is None or here is None:
            return
        below = _at(objects, here.parent, folder) if here.parent and at not in ends else None
        whole = at not in ends and (below is not None or here.parent is None)
        changed = whole and here.tree != (below.tree if below else None)
        yield at, changed or (here.tree is not None and here.named)
        at, here = here.parent, below


@dataclass(frozen=True, slots=True)
class _Place:
    """A commit as one folder sees it: its first parent, the id of its tree of the folder, and whether its subject names
    the folder."""

    parent: str | None
    tree: str | None
    named: bool


def _at(objects: Objects, commit: str, folder: str) -> _Place | None:
    """None for what is no commit that can be read: whoever may push may push anything."""
    try:
        tree, parent, _ = objects.ancestry(commit)
        named = objects.message(commit).startswith(f"{folder}: ")
        return _Place(parent, within(objects.tree(tree), folder), named)
    except (Invalid, ValueError):
        return None


def _later(objects: Objects, one: str, other: str) -> str:
    """Of two signed records the one made later; `other`, which is known, where the clock can't tell."""
    return one if objects.ancestry(one)[2] > objects.ancestry(other)[2] else other


def _here(objects: Objects, commit: str) -> bool:
    try:
        objects.ancestry(commit)
    except (Damaged, Invalid):
        return False
    return True


def _read(path: Path) -> _Memory:
    """What an earlier process remembered; nothing where that can't be read."""
    try:
        said: Any = json.loads(path.read_bytes())
        folders = {str(name): _Known(str(commit), str(tip)) for name, (commit, tip) in said["folders"].items()}
        return _Memory(str(said["keys"]), folders, [str(commit) for commit in said["refused"]])
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return _Memory()


def _bytes(path: Path, setting: str) -> bytes:
    if not path.is_file():
        raise _missing(path, setting)
    return path.read_bytes()


def _missing(path: Path, setting: str) -> Invalid:
    return Invalid(f"there is no {path}", hint=f"git.recordSigners.{setting} in the settings names it")
