"""Branches of the remote besides the observed one: a bot's, a proposal's, what a forge merged. No checkout moves."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import Invalid, Permanent, Transient
from ...ports import Change
from . import refs
from .branch import Branch
from .folders import within
from .history import COMMITS
from .stream import Author, commit_stream

REFUSALS = 3  # how often a push may be refused while nobody moved the branch: once may be somebody else's lock


class OtherBranches:
    """What a repository does with such branches; it says which clone this is, and who writes."""

    _path: Path
    _author: Author
    _attempts: int
    _branch_name: str

    def _branch(self) -> Branch:
        raise NotImplementedError

    def resolve(self, ref: str) -> str:
        raise NotImplementedError

    def merged(self, ref: str, head: str) -> str | None:
        """Bring the commit at `ref` of the remote here and return its id, if it is `head` merged into something; else
        None: a forge makes it a little after the push, and never of what conflicts. Raises Invalid without a remote,
        Transient when it can't be reached."""
        branch = self._branch()
        if branch.remote is None:
            raise Invalid(f"{self._path} has no remote with pull requests", hint="add one: git remote add origin URL")
        with branch.locked():
            listed = branch.git.ask_remote(branch.remote, "ls-remote", branch.remote, ref).split()
            if not listed or not re.fullmatch(r"[0-9a-f]{40}", listed[0]):
                return None
            depth = (f"--depth={COMMITS}",) if branch.shallow else ()
            branch.git.ask_remote(
                branch.remote, "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head",
                *depth, branch.remote, listed[0],
            )  # fmt: skip
        return listed[0] if branch.git("rev-parse", "--verify", f"{listed[0]}^2").output == head else None

    def advance(self, branch: str, make: Callable[[str, str | None], Change | None], onto: str | None = None) -> str:
        """Put one commit on top of the remote's `branch`, or, with `onto`, in the place of a bot's `branch`."""
        place, base, refused = self._other(branch), self._other(onto or branch), 0
        for attempt in range(self._attempts):
            with place.locked():
                tip, old = base.tip(), place.tip() if onto else None
                if tip is None:
                    raise Invalid(f"the remote {base.remote!r} has no branch {base.name!r}", hint="is it spelled so?")
                base.bring(tip)
                place.bring(old)
                change = make(tip, old)
                if change is None:
                    return old or tip
                content = {within(path): text for path, text in change.files.items()}
                stream = commit_stream(self._author, change.message, tip, None, content)
                commit = place.git.must("fast-import", "--quiet", "--date-format=now", stdin=stream)
                answer = place.replace(old, commit) if onto else place.move(tip, commit)
                now = commit if answer.ok else place.tip()
            if now == commit:  # a push may arrive though its answer is lost
                return commit
            refused += now == (old if onto else tip)
            if refused >= REFUSALS:
                raise place.refused(answer)
            time.sleep(random.uniform(0.02, 0.1) * 2 ** min(attempt, 5))  # noqa: S311 - jitter, no secret
        raise Transient(f"other writers were faster {self._attempts} times on {branch!r}", hint="it is tried again")

    def tips(self, branches: Sequence[str]) -> Mapping[str, str]:
        """Where these branches of the remote stand, their commits brought here, and the observed branch's with them;
        one that is not there is left out. Asks the remote once where nothing moved. Raises Transient when it can't be
        reached; Invalid where there is none."""
        places = {name: self._other(name) for name in (*branches, self._branch_name)}
        first = next(iter(places.values()))
        with first.locked():
            refs_ = [f"refs/heads/{name}" for name in places]
            listed = first.git.ask_remote(str(first.remote), "ls-remote", str(first.remote), *refs_)
            there = {
                ref.removeprefix("refs/heads/"): id_ for id_, _, ref in (x.partition("\t") for x in listed.splitlines())
            }
            found = {name: place.bring(there[name]) for name, place in places.items() if name in there}
        return {name: found[name] or "" for name in branches if name in found}

    def _other(self, name: str) -> Branch:
        """A branch of the remote besides the observed one."""
        if not refs.valid(name):
            raise Invalid(f"{name!r} is not a name git takes for a branch")
        own = self._branch()
        if own.remote is None:
            raise Invalid(f"{self._path} has no remote to push {name!r} to", hint="add one: git remote add origin URL")
        return replace(own, name=name)

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
        content = {within(path): text for path, text in files.items()}
        stream = commit_stream(self._author, message, self.resolve(base), None, content)
        with place.locked():
            commit = place.git.must("fast-import", "--quiet", "--date-format=now", stdin=stream)
            place.git.must("update-ref", ref, commit, "0" * 40)
        if push and place.remote:
            answer = place.git.push(place.remote, commit, ref)
            if not answer.ok:
                hint = f"the branch is there locally: git push {place.remote} {branch}"
                raise Permanent(f"{branch!r} could not be pushed", hint=hint, evidence=answer.evidence)
        return commit
