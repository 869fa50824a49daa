"""Leases as refs of the remote, moved by compare-and-swap: of those who race for one, the remote lets one through."""

from __future__ import annotations

import datetime
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import Invalid, Permanent, ReconcilerError
from ...model.lease import Lease
from ...model.message import commit_message
from . import branch as branches
from . import refs
from .commands import DEADLINE_SECONDS, Answer, Git
from .mend import mend
from .objects import Objects
from .stream import Author, commit_stream

_FILE = "lease.json"
_KEPT = 500  # so many leases of a cluster are one history, which a new clone fetches in a moment
_REFUSALS = 3  # how often a push may be refused while nobody moved the ref: once may be somebody else's lock


class GitLeases:
    """Leases of the clusters in the clone at `path`, on `remote`. `author` is (name, e-mail address).

    A lease is one commit from being taken to being given back: a renewal replaces it. Its parent is the lease before
    it, so that the ref's history says who applied the cluster when; it begins anew after 500 of them.
    """

    def __init__(
        self,
        path: Path,
        *,
        author: tuple[str, str],
        remote: str | None = "origin",
        deadline: float = DEADLINE_SECONDS,
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._path = path.resolve()
        self._author = Author(*author)
        self._remote = remote
        self._deadline = deadline
        self._log = log

    def shared(self) -> bool:
        """Say whether there is a remote, so somebody to share with. Starts no program."""
        return bool(self._remote and branches.of(self._path, self._remote, "", self._deadline).remote)

    def known(self, cluster: str) -> tuple[str, Lease] | None:
        """What this clone last saw of the lease; None when that was none. Starts no program."""
        place = self._place(cluster)
        try:
            id_ = place.seen()
            return (id_, place.lease(id_)) if id_ else None
        except ReconcilerError:  # damaged: then `read` is asked, which mends it
            return None

    def read(self, cluster: str) -> tuple[str, Lease] | None:
        """Return the last lease with the commit that says it; None when there never was one.

        Raises Transient when the remote can't be reached; Permanent when the ref holds something else.
        """
        place = self._place(cluster)
        for mended in (False, True):
            id_ = place.tip()
            if id_ is None:
                return None
            try:
                id_ = place.fetch(id_)
                return id_, place.lease(id_)
            except ReconcilerError:
                if place.tip() is None:  # somebody took it away meanwhile
                    return None
                if mended or not self._mend():
                    raise
        raise AssertionError("unreachable")

    def swap(self, cluster: str, before: str | None, after: Lease) -> str | None:
        """Put `after` where the commit `before` (None: nothing) is. Return the commit of `after`, or None when the
        remote has something else than `before`: then nothing was changed.

        Raises Transient when the remote can't be reached; Permanent when it refuses the push though nobody else
        was there.
        """
        place = self._place(cluster)
        made = place.commit(self._author, before, after)
        for attempt in range(_REFUSALS):
            answer = place.push(before, made)
            if answer.ok or (now := place.tip()) == made:  # a push may arrive though its answer is lost
                place.note(made)
                return made
            if now != before:
                return None
            time.sleep(random.uniform(0.02, 0.1) * 2**attempt)  # noqa: S311 - jitter, no secret
        raise Permanent(
            f"the lease {place.name} could not be written, and nobody else is to blame",
            hint="check that this account may push to it (hooks, rules for refs, a read-only token)",
            evidence=answer.evidence,
        )

    def _place(self, cluster: str) -> _Place:
        branch = branches.of(self._path, self._remote, "", self._deadline)
        if branch.remote is None:
            raise Invalid(f"{self._path} has no remote to keep leases on", hint="git remote add origin <address>")
        if not refs.valid(cluster):
            raise Invalid(f"{cluster!r} is not a name git takes for a ref")
        return _Place(branch.git, branch.dirs, branch.remote, cluster)

    def _mend(self) -> bool:
        """Put right what a killed process left: a lock, a ref that says nothing."""
        branch = branches.of(self._path, self._remote, "", self._deadline)
        with branch.locked():
            return mend(branch, self._log, thorough=False)


class _Place:
    """One cluster's ref. What was fetched of it is kept from git's cleaning up by a local ref beside it."""

    def __init__(self, git: Git, dirs: refs.GitDir, remote: str, cluster: str) -> None:
        self._git = git
        self._dirs = dirs
        self._remote = remote
        self._cluster = cluster
        self.name = f"refs/reconciler/leases/{cluster}"
        self._seen = f"refs/reconciler/seen/{cluster}"

    def tip(self) -> str | None:
        listed = self._git.ask_remote(self._remote, "ls-remote", self._remote, self.name)
        return listed.split("\t")[0] or None

    def fetch(self, id_: str) -> str:
        """Bring what the ref points to by now, and return its id; `id_`, when that is here already."""
        if refs.tip(self._dirs, self._seen) != id_:
            self._git.ask_remote(
                self._remote, "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head",
                "--no-prune", "--no-auto-gc", self._remote, f"+{self.name}:{self._seen}",
            )  # fmt: skip
        return refs.tip(self._dirs, self._seen) or id_

    def seen(self) -> str | None:
        """What the ref pointed to when we last looked."""
        return refs.tip(self._dirs, self._seen)

    def note(self, id_: str) -> None:
        self._git("update-ref", self._seen, id_)

    def lease(self, id_: str) -> Lease:
        """The lease that a commit says. Raises Permanent when it says none."""
        try:
            said = self._said(id_)
            since, expires = (_time(said[name]) for name in ("since", "expires"))
            released = _time(said["released"]) if said.get("released") else None
            more = (str(said.get("commit", "")), str(said.get("tookOver", "")), released)
            return Lease(str(said["host"]), int(said["pid"]), str(said["id"]), since, expires, *more)
        except (Invalid, StopIteration, ValueError, TypeError, KeyError):
            hint = f"when nobody applies this cluster: git push {self._remote} :{self.name}"
            raise Permanent(f"{self.name} holds something that is no lease", hint=hint) from None

    def commit(self, author: Author, before: str | None, lease: Lease) -> str:
        """A commit that says the lease, reachable from nowhere yet, with the right place in the ref's history."""
        parent, number = self._place_of(before, lease)
        said = {
            "number": number,
            "host": lease.host,
            "pid": lease.pid,
            "id": lease.id,
            "commit": lease.commit,
            "since": lease.since.isoformat(),
            "expires": lease.expires.isoformat(),
            "tookOver": lease.took_over,
            "released": lease.released.isoformat() if lease.released else "",
        }
        files = {_FILE: (json.dumps(said, indent=2) + "\n").encode()}
        stream = commit_stream(author, _message(self._cluster, lease), parent, None, files)
        return self._git.must("fast-import", "--quiet", "--date-format=now", stdin=stream)

    def push(self, before: str | None, after: str) -> Answer:
        """Move the ref from `before` to `after`, or not at all."""
        return self._git(
            "push", "--quiet", "--no-verify", "--no-follow-tags", "--recurse-submodules=no",
            f"--force-with-lease={self.name}:{before or ''}", self._remote, f"{after}:{self.name}",
        )  # fmt: skip

    def _place_of(self, before: str | None, lease: Lease) -> tuple[str | None, int]:
        """The parent and the number of the commit that says `lease` and replaces `before`."""
        try:
            there = self._said(before) if before else {}
        except (ReconcilerError, StopIteration, ValueError):  # never seen here, or no lease: nothing to build on
            there = {}
        if before is None or not there:
            return None, 1
        number = int(there.get("number", 0))
        if there.get("id") == lease.id:
            return self._objects().ancestry(before)[1], number
        return (None if number % _KEPT == 0 else before), number + 1

    def _said(self, id_: str) -> dict[str, Any]:
        objects = self._objects()
        entries = objects.files(objects.commit(id_)[1], "")
        said = json.loads(next(objects.content(e) for e in entries if e.path == _FILE))
        if not isinstance(said, dict):
            raise ValueError("not a mapping")
        return said

    def _objects(self) -> Objects:
        return Objects(self._dirs.common / "objects")


def _time(text: str) -> datetime.datetime:
    time = datetime.datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    return time


def _message(cluster: str, lease: Lease) -> str:
    """For people who read the ref's history."""
    who = f"{lease.host} (process {lease.pid})"
    ended = f"given back by {who} at {lease.released:%Y-%m-%d %H:%M:%S} UTC" if lease.released else f"held by {lease}"
    trailers = (("Lease", lease.id), ("Desired-Commit", lease.commit or "unknown"))
    return commit_message(f"{cluster}: {ended}", trailers=trailers)
