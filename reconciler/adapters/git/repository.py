"""The Repository port on one clone: reads by gitdb, writes by git plumbing, so that no checkout is ever touched."""

from __future__ import annotations

import datetime
import random
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TypeVar

from ...errors import Invalid, Permanent, Transient
from ...model.lease import LAST_NUMBER
from ...ports import LEASE_NUMBER, OBSERVED_AT, Files, Snapshot
from . import ancestry, folders, promised, refs, trailers
from . import branch as branches
from . import snapshot as snapshots
from .believed import Believed
from .branch import Branch
from .commands import DEADLINE_SECONDS
from .folders import within
from .followed import Followed
from .mend import mend
from .objects import Objects
from .others import REFUSALS, OtherBranches
from .salvage import lost_folders
from .signatures import Signature, Signers
from .stream import Author, commit_stream
from .vouched import Trust

_MOST_CHANGES = 100_000  # files between two commits; more is no change that anybody made by hand
_ID = re.compile(r"[0-9a-f]{40}")
_MENDED_EVERY_SECONDS = 600.0  # looking for damage reads every object: what fails again soon after has other causes
_T = TypeVar("_T")


class GitRepository(OtherBranches):
    """A clone at `path` (its root; a linked worktree or a bare repository will do).

    Observed state goes to `branch` of `remote`; in a repository without any remote, or with `remote=None`, to the
    local branch. `author` is (name, e-mail address). A write that meets other writers is tried `attempts` times. A git
    command that talks to the remote has `deadline` seconds. What the remote said of the branch is believed for `trust`
    seconds, to find that there is nothing to write. `log` is told what was put right. Only commits of `signers` are to
    be applied (`verify`); what we commit is signed by `signature`, where there is one. Of the observed branch only
    what `record_trust` allows is believed.
    """

    def __init__(
        self,
        path: Path,
        *,
        author: tuple[str, str],
        remote: str | None = "origin",
        branch: str = "observed",
        attempts: int = 8,
        deadline: float = DEADLINE_SECONDS,
        trust: float = 0.0,
        log: Callable[[str], None] = lambda _: None,
        signers: Signers = Signers(),  # noqa: B008 - frozen
        signature: Signature | None = None,
        record_trust: Trust = Trust(),  # noqa: B008 - frozen
    ) -> None:
        if not refs.valid(branch):
            raise Invalid(f"{branch!r} is not a name git takes for a branch")
        self._path = path.resolve()
        self._author = Author(*author)
        self._remote = remote
        self._branch_name = branch
        self._attempts = attempts
        self._deadline = deadline
        self._trust = trust
        self._heard: tuple[str | None, float] = None, float("-inf")  # the branch's tip on the remote, and when
        self._log = log
        self._signers = signers
        self._signature = signature
        self._believed = Believed(record_trust, log)
        self._followed = Followed()
        self._moved: dict[str, str] = {}  # refs of the remote that a fetch moved, and from where
        self._mended = float("-inf")

    def resolve(self, ref: str) -> str:
        """Return the commit id of a branch, a tag, HEAD or a (shortened) commit id.

        Raises Invalid when there is none; Gone when the remote, asked by the last fetch, has no such branch any more;
        Permanent when the repository is damaged.
        """
        branch = self._branch()
        return self._whole(branch, lambda: self._resolve(branch, ref))

    def read(self, commit: str, folder: str) -> Mapping[str, bytes]:
        """Return every file below `folder` ("" for the root) at `commit`, submodules left out. Starts no program.

        Raises Invalid for a symbolic link, a file of more than 10 MiB or a commit that is none; Permanent when the
        repository is damaged or incomplete.
        """
        branch, folder = self._branch(), within(folder)
        promised.complete(branch.dirs.common, commit)
        return self._whole(branch, lambda: folders.read(_objects(branch), commit, folder))

    def changed(self, before: str, after: str) -> frozenset[str]:
        """Return the paths that are not the same at two commits. Starts no program. Raises like `read`, and Invalid for
        more than 100,000 of them."""
        objects = _objects(self._branch())
        paths = objects.differing(objects.commit(before)[1], objects.commit(after)[1])
        told_apart = frozenset(islice(paths, _MOST_CHANGES))
        if next(paths, None) is not None:
            raise Invalid(f"more than {_MOST_CHANGES} files differ between {before[:12]} and {after[:12]}")
        return told_apart

    def snapshot(self, commit: str, roots: tuple[str, ...], only: Collection[str] | None = None) -> Snapshot:
        """Return every file below the folders `roots` at `commit`, submodules left out, and what is wrong with those
        that can't be had. `only`: of what lies directly in these, just the paths that are named. Starts no program.
        Raises Invalid for a commit that is none; Permanent when the repository is damaged or incomplete."""
        branch = self._branch()
        promised.complete(branch.dirs.common, commit)
        return self._whole(branch, lambda: snapshots.snapshot(_objects(branch), commit, roots, only))

    def observed(self, folder: str) -> Mapping[str, bytes]:
        """Return the plain files below `folder` on the observed branch as this clone knows it, as far as they are
        believed; empty where there is none. Anybody may have pushed them: what is no plain file, or more than a record
        can be, is left out, and `log` told. Starts no program, unless a signature is checked for the first time. Raises
        Permanent when the repository is damaged or incomplete."""
        branch, folder = self._branch(), within(folder)
        return self._whole(branch, lambda: self._believed.read(branch, branch.known(), folder))

    def verified(self) -> bool:
        """Say whether `observed` gives only what a known key signed."""
        return bool(self._believed)

    @property
    def signing(self) -> bool:
        """Is what we record signed?"""
        return self._signature is not None

    def disregard(self, path: str, content: bytes, why: str) -> None:
        """Tell `log`, once for each content, that what the observed branch has at `path` counts as nothing."""
        self._believed.disregard(self._branch(), path, content, why)

    def history(self, path: str) -> Iterator[tuple[str, bytes]]:
        """Return what the file at `path` held on the observed branch, newest first, each with the time (ISO 8601, UTC)
        of the commit that wrote it, as far as this clone's history goes. Lazy; starts no program."""
        return self._believed.history(self._branch(), within(path))

    def last_recorded(self, folder: str) -> str:
        """Return the desired commit that the last record of `folder` names, as far as this clone's history of the
        observed branch goes; empty where none does. Whoever may push there may have written it. Starts no program."""
        return trailers.commit(self._believed.trailers(self._branch(), within(folder), "Desired-Commit"))

    def observed_at(self, folder: str) -> datetime.datetime | None:
        """Return when (UTC) the cluster was looked at whose last record `folder` is, as far as this clone's history of
        the observed branch goes; None where none says so. Whoever may push there may have written it. Starts no
        program."""
        return trailers.time(self._believed.trailers(self._branch(), within(folder), OBSERVED_AT))

    def lease_number(self, folder: str) -> int:
        """Return the fencing number of the last record of `folder` that bears one, as far as this clone's history of
        the observed branch goes; 0 where none does. Whoever may push there may have written it. Starts no program."""
        return trailers.number(self._believed.trailers(self._branch(), within(folder), LEASE_NUMBER), LAST_NUMBER)

    def descends(self, commit: str, ancestor: str) -> bool | None:
        """Say whether `ancestor` is in the past of `commit`, or is it; None when nobody can tell: it is not in this
        clone, and the remote does not give it."""
        return ancestry.descends(self._branch(), commit, ancestor)

    @property
    def signed(self) -> bool:
        """Are only signed commits to be applied?"""
        return bool(self._signers)

    def fetch(self) -> None:
        """Bring the remote's branches, the observed one included, into this clone; nothing to do without a remote. What
        a killed process or a bad disk damaged is put right. A branch that was rewritten is followed, and `log` told.
        Raises Transient when the remote can't be reached."""
        branch = self._branch()
        if branch.remote is None:
            return
        with branch.locked():
            before = self._tips(branch)
            self._followed.fetched()
            self._sure(branch, lambda: self._fetch(branch))
            self._moved |= {n: id_ for n, id_ in before.items() if self._tips(branch).get(n, id_) != id_}

    def superseded(self, commit: str, by: str) -> bool:
        """Say whether `commit` is an ancestor of `by`, and no branch of the remote is at it any more: as far as this
        clone's history tells, and 500 commits of the remote's. Raises Transient when the remote can't be reached."""
        branch = self._branch()
        if branch.remote is None or commit in self._tips(branch).values():
            return False
        return ancestry.behind(branch, commit, by)

    def verify(self, commit: str) -> None:
        """Raises Blocked when only signed commits are to be applied, and this one is signed by no key that counts."""
        self._signers.check(self._branch().git, commit)

    def record(self, folder: str, files: Files, message: str) -> str | None:
        """Make `files` the whole content of `folder` on the observed branch and push it; None when it was already so.

        A branch deleted on the remote is put back with the history this clone knows; one that was rewritten is built
        upon, and what only this clone knows of other folders is put back there. Raises Invalid for a file outside
        `folder`; Transient when the remote can't be reached, the disk is full, or others were faster too often;
        Permanent when the push is refused for another reason.
        """
        folder, branch = within(folder), self._branch()
        with branch.locked():
            return self._sure(branch, lambda: self._record(branch, folder, files, message))

    def fence(self, folder: str, message: str) -> None:
        """Put a commit on the observed branch that leaves `folder` as it is believed, where there is a remote: what
        somebody made ready to be pushed before comes too late. Raises like `record`."""
        folder, branch = within(folder), self._branch()
        if branch.remote is None:
            return

        def again(parent: str | None) -> str:
            return self._commit(branch, parent, folder, self._believed.read(branch, parent, folder), message)

        with branch.locked():
            self._sure(branch, lambda: self._advance(branch, folder, again))

    def _resolve(self, branch: Branch, ref: str) -> str:
        objects = _objects(branch)
        id_ = ref if _ID.fullmatch(ref) else None
        if id_ is not None:
            return _given(objects, id_)
        name, id_ = refs.find(branch.dirs, ref, branch.remote) if refs.valid(ref) else ("", None)
        if id_ is None and re.fullmatch(r"[0-9a-f]{7,39}", ref):
            id_ = objects.abbreviated(ref)
        if id_ is None and ref == "HEAD":
            raise Invalid(f"{self._path} has no commit yet", hint="commit the desired state first")
        if id_ is None:
            raise Invalid(
                f"there is no {ref!r} in {self._path}", hint="give a branch, a tag or a commit; or fetch first"
            )
        self._followed.check(branch, name, id_, self._tips(branch))
        self._say_if_rewritten(branch, name, id_)
        return objects.commit(id_)[0]

    def _say_if_rewritten(self, branch: Branch, ref: str, now: str) -> None:
        before = self._moved.pop(ref, None)
        if before is not None and branch.older(before, now) is False:
            self._log(
                f"{ref} was rewritten: {before[:12]} is no longer in it, {now[:12]} is followed. "
                f"What was applied is known all the same, from {branch.name!r}"
            )

    def _record(self, branch: Branch, folder: str, files: Files, message: str) -> str | None:
        if self._nothing_new(branch, folder, files):
            return None

        def written(parent: str | None) -> str | None:
            content = folders.wanted(files, self._believed.read(branch, parent, folder), folder)
            return parent if content is None else self._child(branch, parent, folder, content, message)

        return self._advance(branch, folder, written)

    def _advance(self, branch: Branch, folder: str, make: Callable[[str | None], str | None]) -> str | None:
        """Move the branch to what `make` makes of its tip, whoever else writes; None where it makes nothing of it."""
        refused = 0
        for attempt in range(self._attempts):
            tip = branch.tip()
            self._heard = tip, time.monotonic()
            parent = self._whole_of(branch, branch.bring(tip))
            commit = make(parent)
            if commit is None or commit == tip:
                return None
            answer = branch.move(tip, commit)
            if answer.ok or (now := branch.tip()) == commit:  # a push may arrive though its answer is lost
                self._note(branch, commit)
                self._believed.remember(branch, commit, folder)
                self._heard = commit, time.monotonic()
                return commit
            branch.git.check_room(answer)
            refused += now == tip
            if refused >= REFUSALS:
                raise branch.refused(answer)
            time.sleep(random.uniform(0.02, 0.1) * 2 ** min(attempt, 5))  # noqa: S311 - jitter, no secret
        raise Transient(f"other writers were faster {self._attempts} times on {branch.name!r}", hint="run it again")

    def _nothing_new(self, branch: Branch, folder: str, files: Files) -> bool:
        """Would nothing be written on top of what the remote had a moment ago? Then it is not asked again."""
        tip, when = self._heard
        if tip is None or time.monotonic() - when >= self._trust or tip != branch.known():
            return False
        content = folders.wanted(files, self._believed.read(branch, tip, folder), folder)
        return content is None or self._believed.stands(branch, tip, folder, content)

    def _child(
        self, branch: Branch, parent: str | None, folder: str, content: Mapping[str, bytes], message: str
    ) -> str:
        """A commit on top of `parent` with the content, reachable from nowhere yet; `parent` itself if it has it."""
        if parent and self._believed.stands(branch, parent, folder, content):
            return parent
        made = self._commit(branch, parent, folder, content, message)
        if parent and self._believed.holds(branch, parent, folder, content):  # said again, to vouch for it
            return made if self._believed.trusts(branch, made) else parent
        return made

    def _commit(
        self, branch: Branch, parent: str | None, folder: str, content: Mapping[str, bytes], message: str
    ) -> str:
        stream = commit_stream(self._author, message, parent, folder, content)
        commit = branch.git.must("fast-import", "--quiet", "--date-format=now", stdin=stream)
        return self._signature.sign(branch.git, commit, self._author.environment()) if self._signature else commit

    def _note(self, branch: Branch, commit: str) -> None:
        """Let this clone know what was pushed, even where a lock is in the way."""
        branch.keep(commit)
        if branch.remote and _tip(branch.dirs, branch.ref) != commit:
            self._mend(branch)
            branch.git("update-ref", branch.ref, commit)

    def _whole_of(self, branch: Branch, tip: str | None) -> str | None:
        """`tip`; or, when the branch was rewritten, commits on top of it that put back what only we know."""
        kept = branch.kept()
        if tip is None or kept is None or kept == tip or branch.older(kept, tip) is not False:
            return tip
        for folder in lost_folders(branch, _objects(branch), kept, tip):
            self._log(f"{branch.name!r} was rewritten and lacks what was recorded of {folder!r}: put back")
            message = f"{folder}: put back what was recorded before the branch was rewritten\n"
            if content := self._believed.read(branch, kept, folder):
                tip = self._child(branch, tip, folder, content, message)
        return tip

    def _fetch(self, branch: Branch) -> None:
        """Fetch, and note the observed branch's tip, unless that was rewritten: then the next record puts back what is
        missing."""
        branch.fetch()
        tip, kept = refs.tip(branch.dirs, branch.ref), branch.kept()
        if tip and tip != kept and (kept is None or branch.older(kept, tip) is not False):
            branch.keep(tip)
        self._believed.remember(branch, tip)

    def address(self) -> str:
        """Where the remote is, as this clone's configuration has it; empty where there is none. Asks nobody. Raises
        Invalid where there is no clone."""
        branch = self._branch()
        return branch.git("config", "--get", f"remote.{branch.remote}.url").output.strip() if branch.remote else ""

    def _tips(self, branch: Branch) -> dict[str, str]:
        """Where the remote's branches are, as this clone knows them, by their full names here."""
        prefix = f"refs/remotes/{branch.remote}/"
        return {prefix + n: t for n in refs.below(branch.dirs, prefix) if (t := _tip(branch.dirs, prefix + n))}

    def _whole(self, branch: Branch, read: Callable[[], _T]) -> _T:
        """Read, and once more after the remote put right what is damaged."""
        try:
            return read()
        except refs.Damaged:
            if branch.remote is None:
                raise
            with branch.locked():
                if not self._mend(branch):
                    raise
            return read()

    def _sure(self, branch: Branch, write: Callable[[], _T]) -> _T:
        """Write, and once more when what failed was for damage that could be put right. The branch is locked."""
        try:
            return write()
        except (Transient, Permanent):
            if branch.remote is None or not self._mend(branch):
                raise
            return write()

    def _mend(self, branch: Branch) -> bool:
        if time.monotonic() - self._mended < _MENDED_EVERY_SECONDS:
            return mend(branch, self._log, thorough=False)
        self._mended = time.monotonic()
        return mend(branch, self._log)

    def _branch(self) -> Branch:
        return branches.of(self._path, self._remote, self._branch_name, self._deadline)


def _objects(branch: Branch) -> Objects:
    return Objects(branch.dirs.common / "objects")


def _given(objects: Objects, id_: str) -> str:
    """The commit of an id that somebody gave us. That it is not here is their mistake, not damage."""
    try:
        return objects.commit(id_)[0]
    except refs.Damaged as error:
        raise Permanent(error.message, hint=error.hint) from None


def _tip(dirs: refs.GitDir, ref: str) -> str | None:
    try:
        return refs.tip(dirs, ref)
    except refs.Damaged:
        return None
