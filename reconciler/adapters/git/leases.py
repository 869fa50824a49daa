"""Leases as refs of the remote, moved by compare-and-swap: of those who race for one, the remote lets one through."""

from __future__ import annotations

import datetime
import json
import random
import time
from pathlib import Path

from ...errors import Invalid, Permanent, ReconcilerError
from ...model.lease import Lease
from . import refs
from .commands import Answer, Git
from .objects import Objects
from .stream import Author, commit_stream

_FILE = "lease.json"
_REFUSALS = 3  # how often a push may be refused while nobody moved the ref: once may be somebody else's lock


class GitLeases:
    """Leases of the clusters in the clone at `path`, on `remote`. `author` is (name, e-mail address).

    A lease is a commit without parents: what was held before is nobody's business, and the remote may forget it.
    """

    def __init__(self, path: Path, *, author: tuple[str, str], remote: str | None = "origin") -> None:
        self._path = path.resolve()
        self._author = Author(*author)
        self._remote = remote

    def shared(self) -> bool:
        """Say whether there is a remote, so somebody to share with. Starts no program."""
        return bool(self._remote and refs.remotes(refs.locate(self._path)))

    def read(self, cluster: str) -> tuple[str, Lease] | None:
        """Return the lease with the commit that says it; None when nobody holds one.

        Raises Transient when the remote can't be reached; Permanent when the ref holds something else.
        """
        place = self._place(cluster)
        id_ = place.tip()
        if id_ is None:
            return None
        try:
            id_ = place.fetch(id_)
        except ReconcilerError:
            if place.tip() is None:  # given back meanwhile
                return None
            raise
        return id_, place.lease(id_)

    def swap(self, cluster: str, before: str | None, after: Lease | None) -> str | None:
        """Put `after` (None: nothing) where the commit `before` (None: nothing) is. Return the commit of `after`
        ("" for nothing), or None when the remote has something else than `before`: then nothing was changed.

        Raises Transient when the remote can't be reached; Permanent when it refuses the push though nobody else
        was there.
        """
        place = self._place(cluster)
        made = place.commit(self._author, after) if after else ""
        for attempt in range(_REFUSALS):
            answer = place.push(before, made)
            if answer.ok or (now := place.tip() or "") == made:  # a push may arrive though its answer is lost
                return made
            if now != (before or ""):
                return None
            time.sleep(random.uniform(0.02, 0.1) * 2**attempt)  # noqa: S311 - jitter, no secret
        raise Permanent(
            f"the lease {place.name} could not be written, and nobody else is to blame",
            hint="check that this account may push to it (hooks, rules for refs, a read-only token)",
            evidence=answer.evidence,
        )

    def _place(self, cluster: str) -> _Place:
        dirs = refs.locate(self._path)
        known = refs.remotes(dirs)
        if self._remote is None or self._remote not in known:
            hint = f"it has {', '.join(known) or 'none'}; say which one in the settings"
            raise Invalid(f"{self._path} has no remote {self._remote!r}", hint=hint)
        if not refs.valid(cluster):
            raise Invalid(f"{cluster!r} is not a name git takes for a ref")
        return _Place(Git(dirs.own), dirs, self._remote, cluster)


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

    def lease(self, id_: str) -> Lease:
        objects = Objects(self._dirs.common / "objects")
        try:
            entries = objects.files(objects.commit(id_)[1], "")
            said = json.loads(next(objects.content(e) for e in entries if e.path == _FILE))
            since, expires = (datetime.datetime.fromisoformat(said[name]) for name in ("since", "expires"))
            if since.tzinfo is None or expires.tzinfo is None:
                raise ValueError("a time without a zone")
            return Lease(str(said["host"]), int(said["pid"]), str(said["id"]), since, expires)
        except (Invalid, StopIteration, ValueError, TypeError, KeyError):
            hint = f"when nobody applies this cluster: git push {self._remote} :{self.name}"
            raise Permanent(f"{self.name} holds something that is no lease", hint=hint) from None

    def commit(self, author: Author, lease: Lease) -> str:
        """A commit that says the lease, reachable from nowhere yet."""
        said = {
            "host": lease.host,
            "pid": lease.pid,
            "id": lease.id,
            "since": lease.since.isoformat(),
            "expires": lease.expires.isoformat(),
        }
        files = {_FILE: (json.dumps(said, indent=2) + "\n").encode()}
        stream = commit_stream(author, f"{self._cluster}: held by {lease}\n", None, None, files)
        return self._git.must("fast-import", "--quiet", "--date-format=now", stdin=stream)

    def push(self, before: str | None, after: str) -> Answer:
        """Move the ref from `before` to `after` ("" deletes it), or not at all."""
        return self._git(
            "push", "--quiet", "--no-verify", "--no-follow-tags", "--recurse-submodules=no",
            f"--force-with-lease={self.name}:{before or ''}", self._remote, f"{after}:{self.name}",
        )  # fmt: skip
