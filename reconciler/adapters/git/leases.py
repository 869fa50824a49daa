"""Leases as refs of the remote, moved by compare-and-swap: of those who race for one, the remote lets one through."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from ...errors import Invalid, Permanent, ReconcilerError
from ...model.lease import Lease, Unreadable
from ...model.lease import after as after_all
from ...model.message import commit_message
from ...ports import LEASE_NUMBER
from . import branch as branches
from . import lease_file, refs
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
    it, so that the ref's history says who applied the cluster when; it begins again after 500 numbers, and the numbers
    go on.
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

    def known(self, cluster: str) -> tuple[str, Lease | Unreadable] | None:
        """What this clone last saw of the lease; None when that was none. Starts no program."""
        place = self._place(cluster)
        try:
            id_ = place.seen()
            return (id_, place.lease(id_)) if id_ else None
        except ReconcilerError:  # damaged: then `read` is asked, which mends it
            return None

    def read(self, cluster: str) -> tuple[str, Lease | Unreadable] | None:
        """Return the last lease with the commit that says it, or with whatever the ref holds in its stead; None when
        there never was one. Raises Transient when the remote can't be reached."""
        place = self._place(cluster)
        for mended in (False, True):
            id_ = place.tip()
            if id_ is None:
                return None
            try:
                id_ = place.fetch(id_)
                return id_, place.lease(id_)
            except ReconcilerError as error:
                if (now := place.tip()) is None:  # somebody took it away meanwhile
                    return None
                if mended or not self._mend():  # whoever pushed it: it keeps nobody waiting for ever
                    return now, Unreadable(error.message)
        raise AssertionError("unreachable")

    def history(self, cluster: str) -> Iterator[Lease]:
        """The leases that this clone knows of, newest first, as far as the ref's history goes. Starts no program."""
        place = self._place(cluster)
        at = place.seen()
        for _ in range(_KEPT):
            if at is None:
                return
            try:
                lease, at = place.lease(at), place.parent(at)
            except ReconcilerError:  # a shallow clone, or a damaged one
                return
            if isinstance(lease, Lease):
                yield lease

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
            place.clear_the_way()
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
        return self._git.remote_tip(self._remote, self.name)

    def clear_the_way(self) -> None:
        """Delete refs below this one, which git can't have beside it: no cluster has such a name, so they are no
        leases."""
        listed = self._git.ask_remote(self._remote, "ls-remote", self._remote, f"{self.name}/*")
        for id_, _, ref in (line.partition("\t") for line in listed.splitlines()):
            if ref.startswith(f"{self.name}/"):
                self._git("push", "--quiet", "--no-verify", f"--force-with-lease={ref}:{id_}", self._remote, f":{ref}")

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

    def lease(self, id_: str) -> Lease | Unreadable:
        """The lease that a commit says, or why it says none. Raises Permanent for what is missing from this clone."""
        try:
            return self._written(id_).lease
        except Invalid as error:
            return Unreadable(error.message)

    def commit(self, author: Author, before: str | None, lease: Lease) -> str:
        """A commit that says the lease, reachable from nowhere yet, with the right place in the ref's history."""
        parent, number = self._place_of(before, lease)
        lease = replace(lease, number=number)
        files = {_FILE: lease_file.text(lease)}
        stream = commit_stream(author, _message(self._cluster, lease), parent, None, files)
        return self._git.must("fast-import", "--quiet", "--date-format=now", stdin=stream)

    def push(self, before: str | None, after: str) -> Answer:
        """Move the ref from `before` to `after`, or not at all."""
        return self._git.push(self._remote, after, self.name, f"--force-with-lease={self.name}:{before or ''}")

    def _place_of(self, before: str | None, lease: Lease) -> tuple[str | None, int]:
        """The parent and the number of the commit that says `lease` and replaces `before`."""
        alone = None, lease.number or 1
        if before is None:
            return alone
        try:
            there = self._written(before)
        except ReconcilerError:  # never seen here, or no lease: nothing to build on
            return alone
        if there.id == lease.id:
            return self.parent(before), max(lease.number, there.number)
        number = max(lease.number, after_all(there.number))
        return (None if (number - 1) // _KEPT > (there.number - 1) // _KEPT else before), number

    def parent(self, id_: str) -> str | None:
        """The commit that a commit goes on from."""
        return self._objects().ancestry(id_)[1]

    def _written(self, id_: str) -> lease_file.LeaseFile:
        """What the file of a commit says. Raises Invalid where there is no such commit or file."""
        objects = self._objects()
        entry = objects.at(objects.commit(id_)[1], _FILE)
        if entry is None or not entry.is_file:
            raise Invalid(f"it has no file {_FILE}")
        return lease_file.read(objects.content(entry, lease_file.MAX_BYTES))

    def _objects(self) -> Objects:
        return Objects(self._dirs.common / "objects")


def _message(cluster: str, lease: Lease) -> str:
    """For people who read the ref's history."""
    who = f"{lease.host} (process {lease.pid})"
    ended = f"given back by {who} at {lease.released:%Y-%m-%d %H:%M:%S} UTC" if lease.released else f"held by {lease}"
    trailers = (("Lease", lease.id), (LEASE_NUMBER, str(lease.number)), ("Desired-Commit", lease.commit or "unknown"))
    return commit_message(f"{cluster}: {ended}", trailers=trailers)
