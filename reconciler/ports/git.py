"""Git: the desired commit, the branches we write, and the leases."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from ..errors import Problem
from ..model.lease import Lease, Unreadable

# What is read of one file of the observed branch: what 5,000 objects and 1,000 machines make is 2.5 MiB.
OBSERVED_AT = "Observed-At"  # the trailer of a record: when the cluster was looked at
LEASE_NUMBER = "Lease-Number"  # the trailer of what is written under a lease: its fencing number
RECORD_BYTES = 16 * 1024 * 1024
# the text of files by path; or how it follows from what the branch has by then
Files: TypeAlias = Mapping[str, str] | Callable[[Mapping[str, bytes]], Mapping[str, str] | None]


@dataclass(frozen=True)
class Snapshot:
    """The files of some folders, by path. `refused` has those that can't be had (a link, a file too large, a name that
    leads elsewhere) and why; a key that ends with a slash is a folder of which nothing counts."""

    files: Mapping[str, bytes] = field(repr=False)
    refused: Mapping[str, Problem] = field(default_factory=dict)


class Repository(Protocol):
    """The git repository: desired state is read at a commit, observed state is written to a branch of its own."""

    def resolve(self, ref: str) -> str:
        """Return the full commit id `ref` stands for. Raises Invalid when there is none."""

    def snapshot(self, commit: str, roots: tuple[str, ...], only: Collection[str] | None = None) -> Snapshot:
        """Return every file below the folders `roots` at `commit`; `only`: of what lies directly in these, just the
        paths that are named. Starts no program."""

    def observed(self, folder: str) -> Mapping[str, bytes]:
        """Return the plain files below `folder` on the observed branch as this clone knows it; empty where there is
        none. Anybody may have pushed them: what could not be read was left out. Starts no program."""

    def disregard(self, path: str, content: bytes, why: str) -> None:
        """Tell people, once for each content, that what the observed branch has at `path` counts as nothing."""

    def last_recorded(self, folder: str) -> str:
        """Return the desired commit that the last record of `folder` on the observed branch names, empty where none
        does. Whoever may push there may have written it. Starts no program."""

    def observed_at(self, folder: str) -> datetime.datetime | None:
        """Return when (UTC) the cluster was looked at whose last record `folder` is on the observed branch; None where
        that does not say. Whoever may push there may have written it. Starts no program."""

    def lease_number(self, folder: str) -> int:
        """Return the fencing number of the last record of `folder` on the observed branch that bears one, within
        bounds; 0 where none does. Whoever may push there may have written it. Starts no program."""

    def verified(self) -> bool:
        """Say whether `observed` gives only what a known key signed, or everything that anybody pushed."""

    @property
    def signing(self) -> bool:
        """Is what we record signed, so that others may believe it?"""

    def history(self, path: str) -> Iterator[tuple[str, bytes]]:
        """Return what the file at `path` held on the observed branch, newest first, each with the time of the commit
        that wrote it (ISO 8601, UTC), as far as this clone's history goes. Lazy; starts no program."""

    def fetch(self) -> None:
        """Bring the remote's branches, the observed one included. Raises Transient when it can't be reached."""

    def superseded(self, commit: str, by: str) -> bool:
        """Say whether `commit` is an ancestor of `by`, and no branch of the remote is at it any more. What can't be
        told is no yes. Raises Transient when the remote can't be reached."""

    def descends(self, commit: str, ancestor: str) -> bool | None:
        """Say whether `ancestor` is in the past of `commit`, or is it; None when nobody can tell."""

    @property
    def signed(self) -> bool:
        """Are only signed commits to be applied?"""

    def verify(self, commit: str) -> None:
        """Raises Blocked when only commits signed by known keys are to be applied, and this one is not."""

    def record(self, folder: str, files: Files, message: str) -> str | None:
        """Make `files` (paths from the root) the whole content of `folder` on the observed branch and push it. Where
        that depends on what is there by then, `files` is a function of it; it may return None, for nothing.

        Returns the new commit's id, or None when nothing changed (then nothing is written). Another writer's
        commits are kept: fetch, rebuild the tree, push again, within a bound. Raises Transient when the remote
        can't be reached or the bound is reached.
        """

    def fence(self, folder: str, message: str) -> None:
        """Put a commit on the observed branch that changes nothing, where there is a remote: what somebody made ready
        to be pushed before comes too late. Raises what `record` raises."""

    def propose(self, branch: str, base: str, files: Mapping[str, bytes], message: str, *, push: bool = True) -> str:
        """Make a branch with one commit on top of `base` that replaces `files`, push it, and return the commit's id. No
        checkout is touched. Raises Invalid when there is such a branch; Permanent when the push is refused."""


class Followed(Protocol):
    """The git repository as a daemon follows it: brought up to date, and asked what is new."""

    def fetch(self) -> object:
        """Bring the remote's branches into this clone. Raises Transient when the remote can't be reached."""

    def resolve(self, ref: str) -> str:
        """Return the full commit id `ref` stands for. Raises Invalid when there is none."""

    def snapshot(self, commit: str, roots: tuple[str, ...], only: Collection[str] | None = None) -> Snapshot:
        """Return every file below the folders `roots` at `commit`; `only`: of what lies directly in these, just the
        paths that are named. Starts no program."""

    def changed(self, before: str, after: str) -> frozenset[str]:
        """Return the paths that are not the same at two commits. Starts no program. Raises Permanent when one of them
        is not here any more, Invalid when they are too many or too odd to tell."""


@dataclass(frozen=True, slots=True)
class Change:
    """One commit to be: files by path, which replace what is there, and the message."""

    files: Mapping[str, bytes]
    message: str


class Branches(Protocol):
    """Branches of the remote that people use too: read as they are, and written without a checkout."""

    def tips(self, branches: Sequence[str]) -> Mapping[str, str]:
        """Where these branches of the remote stand, their commits brought here, and the observed branch's with them;
        one that is not there is left out. Raises Transient when the remote can't be reached; Invalid without one."""

    def snapshot(self, commit: str, roots: tuple[str, ...], only: Collection[str] | None = None) -> Snapshot:
        """Return every file below the folders `roots` at `commit`; `only`: of what lies directly in these, just the
        paths that are named."""

    def advance(self, branch: str, make: Callable[[str, str | None], Change | None], onto: str | None = None) -> str:
        """Put one commit on top of the remote's `branch`: what `make` makes of its tip, kept whatever others push.

        `make` is given the tip's commit and None, and is asked again for each new tip that somebody else was faster
        with; None is nothing to do. With `onto` the commit goes on top of that branch's tip instead, and *replaces*
        what `branch` had (a bot's own branch, for a pull request); `make` is then given both tips, the second None
        where there is no such branch. Returns the tip of `branch` (of `onto`, where there is nothing to do and no
        branch). Raises what `make` raises; Invalid where there is no remote or no such branch; Transient when the
        remote can't be reached or the bound is reached; Permanent when the push is refused.
        """


class Leases(Protocol):
    """Who may apply a cluster, kept where every reconciler of it looks. Who changes one says what was there before."""

    def shared(self) -> bool:
        """Say whether others can see these leases at all; when not, there is nothing to take. Starts no program."""

    def known(self, cluster: str) -> tuple[str, Lease | Unreadable] | None:
        """What `read` would say, as far as it is known here: asks nobody, and may be out of date."""

    def read(self, cluster: str) -> tuple[str, Lease | Unreadable] | None:
        """Return a cluster's last lease, held or given back, or what somebody put in its stead, and by which name
        `swap` knows it; None when there never was one. Raises Transient when that can't be asked."""

    def history(self, cluster: str) -> Iterator[Lease]:
        """Return the leases of a cluster that are known here, newest first: the present one, and those before it. Asks
        nobody."""

    def swap(self, cluster: str, before: str | None, after: Lease) -> str | None:
        """Put `after` in the place of `before` (None: nothing), and keep what other leases were there as its history. A
        number that is no higher than theirs is made so.
        Return the name of `after`, or None when something else than `before` was there: then nothing was changed.
        Raises Transient when that can't be asked; Permanent when it is refused."""
