"""Decisions that are not in git yet, on disk before anybody is told: whoever is killed goes on from here."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import uuid
from collections.abc import Iterable
from io import FileIO
from pathlib import Path
from typing import Any

from ...errors import Permanent
from ...model.autoscale import Decision
from ...model.desired import Removed


class Journal:
    """One server's journal in `folder`, which several servers of one machine may share: each has a file of its own, and
    takes over what a dead one left. Not for several threads."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = folder / f"{uuid.uuid4().hex}.jsonl"
        self._pending: dict[str, Decision] = {}
        self._file = _own(self._path)
        self._size = 0  # of what was promised: what lies behind it in the file was refused
        _sync(folder)
        self.adopt()

    @property
    def pending(self) -> tuple[Decision, ...]:
        """What is not in git yet, oldest first."""
        return tuple(self._pending.values())

    def add(self, decision: Decision) -> None:
        """Keep a decision. When this returns it survives a power cut. Raises Permanent when the disk does not take it:
        then nothing was decided."""
        self._write([{"decision": _plain(decision)}])
        self._pending[decision.id] = decision

    def done(self, ids: Iterable[str]) -> None:
        """These are in git. When all are, the file starts anew. A disk that does not take it stops nobody: git names
        them, so that who takes over what is left here knows it, too."""
        gone = [id_ for id_ in ids if self._pending.pop(id_, None)]
        if self._pending:
            with contextlib.suppress(Permanent):
                self._write([{"done": id_} for id_ in gone])
        elif gone:
            self._size = 0
            self._cut()

    def adopt(self) -> None:
        """Take over what servers left that are no more."""
        for path in sorted(self._path.parent.glob("*.jsonl")):
            if path == self._path:
                continue
            with path.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue  # its server lives
                for decision in _read(file.read()):
                    self.add(decision)
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let somebody else take over what is pending; leave nothing behind where nothing is."""
        if not self._pending:
            self._path.unlink(missing_ok=True)
        self._file.close()

    def _write(self, entries: Iterable[dict[str, Any]]) -> None:
        text = b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)
        try:
            self._file.truncate(self._size)  # where an earlier failure could not be taken back
            if self._file.write(text) != len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file.fileno())
            self._size += len(text)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._cut()
            message = f"the autoscaler's journal can't be written: {error.strerror}"
            raise Permanent(message, hint=f"look at the disk of {self._path.parent}") from None

    def _cut(self) -> None:
        """Take back what is not promised, or not any more."""
        self._file.truncate(self._size)
        os.fsync(self._file.fileno())


def waiting(folder: Path) -> int:
    """How many decisions the journals in `folder` hold that are not in git yet. Takes nothing over."""
    count = 0
    for path in folder.glob("*.jsonl"):
        with contextlib.suppress(OSError):
            count += len(_read(path.read_bytes()))
    return count


def _read(text: bytes) -> list[Decision]:
    """What is pending. A line that was torn by a crash was never promised to anybody."""
    found: dict[str, Decision] = {}
    for line in text.splitlines():
        try:
            entry = json.loads(line)
            if "done" in entry:
                found.pop(entry["done"], None)
            else:
                decision = _decision(entry["decision"])
                found[decision.id] = decision
        except (ValueError, KeyError, TypeError):
            continue
    return list(found.values())


def _plain(decision: Decision) -> dict[str, Any]:
    return {
        "id": decision.id,
        "group": decision.group,
        "add": decision.add,
        "remove": decision.remove,
        "servers": {str(one.number): one.server for one in decision.servers},
        "why": decision.why,
        "waiting": decision.waiting,
    }


def _decision(said: dict[str, Any]) -> Decision:
    servers = tuple(Removed(number=int(number), server=id_) for number, id_ in said["servers"].items())
    add, remove = tuple(said["add"]), tuple(said["remove"])
    waiting = tuple((number, wanted) for number, wanted in said.get("waiting", ()))
    return Decision(said["id"], said["group"], add, remove, servers, said["why"], waiting)


def _own(path: Path) -> FileIO:
    """The file, locked for life: the kernel lets go of it when we die. Between making and locking it, somebody may have
    taken it for a dead one's and cleaned it up. Without a buffer: what was refused must not be written later."""
    while True:
        file = path.open("ab", buffering=0)
        fcntl.flock(file, fcntl.LOCK_EX)
        if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
            return file
        file.close()


def _sync(folder: Path) -> None:
    """A new file is safe once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
