"""The Repository port on one clone: reads by gitdb, writes by git plumbing, so that no checkout is ever touched."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from ...errors import Invalid, Permanent, Transient
from . import refs
from .branch import Branch
from .commands import Answer, Git
from .history import versions
from .objects import Objects, blob_id
from .stream import Author, commit_stream

_REFUSALS = 3  # how often a push may be refused while nobody moved the branch: once may be somebody else's lock


class GitRepository:
    """A clone at `path` (its root; a linked worktree or a bare repository will do).

    Observed state goes to `branch` of `remote`; in a repository without any remote, or with `remote=None`, to the
    local branch. `author` is (name, e-mail address). A write that meets other writers is tried `attempts` times.
    """

    def __init__(
        self,
        path: Path,
        *,
        author: tuple[str, str],
        remote: str | None = "origin",
        branch: str = "observed",
        attempts: int = 8,
    ) -> None:
        if not refs.valid(branch):
            raise Invalid(f"{branch!r} is not a name git takes for a branch")
        self._path = path.resolve()
        self._author = Author(*author)
        self._remote = remote
        self._branch_name = branch
        self._attempts = attempts

    def resolve(self, ref: str) -> str:
        """Return the commit id of a branch, a tag, HEAD or a (shortened) commit id.

        Raises Invalid when there is none; Permanent when the repository is damaged.
        """
        branch = self._branch()
        objects = _objects(branch)
        id_ = ref if re.fullmatch(r"[0-9a-f]{40}", ref) else None
        if id_ is None and refs.valid(ref):
            id_ = refs.find(branch.dirs, ref, branch.remote)
        if id_ is None and re.fullmatch(r"[0-9a-f]{7,39}", ref):
            id_ = objects.abbreviated(ref)
        if id_ is None and ref == "HEAD":
            raise Invalid(f"{self._path} has no commit yet", hint="commit the desired state first")
        if id_ is None:
            raise Invalid(
                f"there is no {ref!r} in {self._path}", hint="give a branch, a tag or a commit; or fetch first"
            )
        return objects.commit(id_)[0]

    def read(self, commit: str, folder: str) -> Mapping[str, bytes]:
        """Return every file below `folder` ("" for the root) at `commit`, submodules left out. Starts no program.

        Raises Invalid for a symbolic link, a file of more than 10 MiB or a commit that is none; Permanent when the
        repository is damaged or incomplete.
        """
        objects = _objects(self._branch())
        _, tree = objects.commit(commit)
        return {entry.path: objects.content(entry) for entry in objects.files(tree, _within(folder))}

    def changed(self, before: str, after: str) -> frozenset[str]:
        """Return the paths that are not the same at two commits. Starts no program. Raises like `read`."""
        objects = _objects(self._branch())
        return frozenset(objects.differing(objects.commit(before)[1], objects.commit(after)[1]))

    def observed(self, folder: str) -> Mapping[str, bytes]:
        """Return the files below `folder` on the observed branch as this clone knows it; empty where there is none.
        Starts no program. Raises like `read`."""
        tip = self._branch().known()
        return self.read(tip, folder) if tip else {}

    def history(self, path: str) -> Iterator[tuple[str, bytes]]:
        """Return what the file at `path` held on the observed branch, newest first, each with the time (ISO 8601, UTC)
        of the commit that wrote it, as far as this clone's history goes. Lazy; starts no program."""
        tip = self._branch().known()
        return versions(_objects(self._branch()), tip, _within(path)) if tip else iter(())

    def fetch(self) -> None:
        """Bring the remote's branches, the observed one included, into this clone; nothing to do without a remote.
        Raises Transient when the remote can't be reached."""
        branch = self._branch()
        with branch.locked():
            branch.fetch()
            branch.bring(branch.tip())

    def record(self, folder: str, files: Mapping[str, str], message: str) -> str | None:
        """Make `files` the whole content of `folder` on the observed branch and push it; None when it was already so.

        A branch deleted on the remote is put back with the history this clone knows. Raises Invalid for a file
        outside `folder`; Transient when the remote can't be reached or others were faster too often; Permanent when
        the push is refused for another reason.
        """
        folder = _within(folder)
        content = {path: text.encode() for path, text in files.items()}
        if stray := next((p for p in content if not p.startswith(f"{folder}/") or _within(p) != p), None):
            raise Invalid(f"{stray!r} is not a file below {folder}")
        branch, refused = self._branch(), 0
        with branch.locked():
            for attempt in range(self._attempts):
                tip = branch.tip()
                commit = self._child(branch, branch.bring(tip), folder, content, message)
                if commit == tip:
                    return None
                answer = branch.move(tip, commit)
                if answer.ok or (now := branch.tip()) == commit:  # a push may arrive though its answer is lost
                    return commit
                refused += now == tip
                if refused >= _REFUSALS:
                    raise _refusal(branch, answer)
                time.sleep(random.uniform(0.02, 0.1) * 2 ** min(attempt, 5))  # noqa: S311 - jitter, no secret
        raise Transient(f"other writers were faster {self._attempts} times on {branch.name!r}", hint="run it again")

    def propose(self, branch: str, base: str, files: Mapping[str, bytes], message: str, *, push: bool = True) -> str:
        """Make a branch called `branch` with one commit on top of `base` that replaces `files`, and push it.

        No checkout is touched. Returns the commit's id. Raises Invalid when the branch is there already or is no name
        for one; Permanent when the push is refused.
        """
        if not refs.valid(branch):
            raise Invalid(f"{branch!r} is not a name git takes for a branch")
        place = self._branch()
        ref = f"refs/heads/{branch}"
        if refs.tip(place.dirs, ref):
            raise Invalid(f"there is a branch {branch!r} already", hint="give another name with --branch, or delete it")
        content = {_within(path): text for path, text in files.items()}
        stream = commit_stream(self._author, message, self.resolve(base), None, content)
        with place.locked():
            commit = place.git.must("fast-import", "--quiet", "--date-format=now", stdin=stream)
            place.git.must("update-ref", ref, commit, "0" * 40)
        if push and place.remote:
            answer = place.git("push", "--quiet", "--no-verify", place.remote, f"{ref}:{ref}")
            if not answer.ok:
                hint = f"the branch is there locally: git push {place.remote} {branch}"
                raise Permanent(f"{branch!r} could not be pushed", hint=hint, evidence=answer.evidence)
        return commit

    def _child(
        self, branch: Branch, parent: str | None, folder: str, content: Mapping[str, bytes], message: str
    ) -> str:
        """A commit on top of `parent` with the content, reachable from nowhere yet; `parent` itself if it has it."""
        if parent and _already(branch, parent, folder, content):
            return parent
        stream = commit_stream(self._author, message, parent, folder, content)
        return branch.git.must("fast-import", "--quiet", "--date-format=now", stdin=stream)

    def _branch(self) -> Branch:
        dirs = refs.locate(self._path)
        known = refs.remotes(dirs)
        if self._remote is not None and known and self._remote not in known:
            hint = f"it has {', '.join(known)}; say which one in the settings"
            raise Invalid(f"{self._path} has no remote {self._remote!r}", hint=hint)
        return Branch(dirs, Git(dirs.own), self._remote if known else None, self._branch_name)


def _objects(branch: Branch) -> Objects:
    return Objects(branch.dirs.common / "objects")


def _already(branch: Branch, commit: str, folder: str, content: Mapping[str, bytes]) -> bool:
    objects = _objects(branch)
    _, tree = objects.commit(commit)
    there = {entry.path: (entry.mode, entry.id) for entry in objects.files(tree, folder)}
    return there == {path: ("100644", blob_id(data)) for path, data in content.items()}


def _refusal(branch: Branch, answer: Answer) -> Permanent:
    return Permanent(
        f"the branch {branch.name!r} could not be written, and no other writer is to blame",
        hint="check that this account may push to it (branch protection, hooks, a read-only token)",
        evidence=answer.evidence,
    )


def _within(path: str) -> str:
    """The path as git writes it. Raises Invalid when it leaves the repository."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or ".git" in pure.parts:
        raise Invalid(f"{path!r} is not a path within the repository")
    return "" if str(pure) == "." else str(pure)
