"""The observed branch where it lives, remote or in this clone: asked, brought here, moved by compare-and-swap."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...errors import Invalid, Permanent
from ...files import unwritable
from . import refs
from .commands import Answer, Git
from .history import COMMITS
from .refs import GitDir

_NO_COMMIT = "0" * 40
_locked = threading.local()  # which clones this thread has the lock of: the kernel's is a file's, and not a thread's
_IN_THE_WAY = "; cannot create"


@dataclass(frozen=True, slots=True)
class Branch:
    """`remote` is None in a repository that has none: then the branch lives in the clone itself."""

    dirs: GitDir
    git: Git
    remote: str | None
    name: str

    @property
    def ref(self) -> str:
        """The full name of the local ref that stands for the branch."""
        return f"refs/remotes/{self.remote}/{self.name}" if self.remote else f"refs/heads/{self.name}"

    @property
    def shallow(self) -> bool:
        """Does this clone leave out old commits, as those of CI jobs do?"""
        return (self.dirs.common / "shallow").is_file()

    def shallow_ends(self) -> frozenset[str]:
        """The commits whose parents a shallow clone leaves out."""
        return frozenset((self.dirs.common / "shallow").read_text().split()) if self.shallow else frozenset()

    def git_at(self, folder: Path) -> Git:
        """git on another folder, with the same patience."""
        folder.mkdir(parents=True, exist_ok=True)
        return Git(folder, self.git.deadline)

    def known(self) -> str | None:
        """The tip as this clone knows it. Starts no program."""
        return refs.tip(self.dirs, self.ref) or self.kept()

    def kept(self) -> str | None:
        """The last tip of the remote's that we wrote or saw and that was not rewritten meanwhile: a fetch that prunes
        must not take it away."""
        return refs.tip(self.dirs, self._kept) if self.remote else None

    def keep(self, tip: str) -> None:
        if self.remote and tip != self.kept():
            self.git("update-ref", self._kept, tip)

    @property
    def _kept(self) -> str:
        return f"refs/reconciler/kept/{self.name}"

    def tip(self) -> str | None:
        """The tip where the branch lives. Raises Transient when the remote can't be reached."""
        if self.remote is None:
            return self.known()
        return self.git.remote_tip(self.remote, f"refs/heads/{self.name}")

    def fetch(self) -> None:
        """Bring all of the remote's branches that this clone follows, and the observed one. A shallow clone stays one:
        it gets what is new of the branches it has. Raises Transient like `tip`."""
        if self.remote is None:
            return
        what = self._branches_here() if self.shallow else ()
        if what or not self.shallow:
            # FETCH_HEAD is the clone's owner's: a `git pull` there reads it between its own fetch and its merge
            said = ("--quiet", "--no-recurse-submodules", "--no-prune", "--no-write-fetch-head")
            answer = self.git("fetch", *said, self.remote, *what)
            if _IN_THE_WAY in answer.error:  # where `fix` was there is `fix/network` now, and a ref is no folder
                self._forget_gone()
                answer = self.git("fetch", *said, self.remote, *what)
            self.git.answered(self.remote, answer)
        if self.shallow or not refs.follows_all(self.dirs, self.remote):
            self.bring(self.tip())

    def bring(self, tip: str | None) -> str | None:
        """Bring `tip` into this clone and return it. When the branch is gone from the remote, return what this clone
        last knew of it; None when it never was. Raises Transient like `tip`."""
        known = self.known()
        if self.remote is None or tip is None or tip == known:
            return tip or known
        # as much of a shallow clone's as is looked at: since when something differs must not depend on the clone
        depth = (f"--depth={COMMITS}",) if self.shallow else ()
        self.git.ask_remote(
            self.remote, "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head",
            "--no-prune", *depth, self.remote, f"+refs/heads/{self.name}:{self.ref}",
        )  # fmt: skip
        return self.known()

    def gone(self, name: str) -> bool:
        """Is there no branch of this name on the remote any more? Raises Transient like `tip`."""
        return self.remote is not None and self.git.remote_tip(self.remote, f"refs/heads/{name}") is None

    def move(self, before: str | None, after: str) -> Answer:
        """Move the branch from `before` to `after`, a child of it, or not at all: that is what a push without force
        does."""
        if self.remote is None:
            return self.git("update-ref", "-m", "reconciler: record", self.ref, after, before or _NO_COMMIT)
        pushed = self.git.push(self.remote, after, f"refs/heads/{self.name}")
        if pushed.ok:
            self.git("update-ref", self.ref, after)  # should it fail, the next `bring` puts it right
        return pushed

    def refused(self, answer: Answer) -> Permanent:
        """What it means that a push came to nothing though nobody else pushed."""
        return Permanent(
            f"the branch {self.name!r} could not be written, and no other writer is to blame",
            hint="check that this account may push to it (branch protection, hooks, a read-only token), and that there "
            f"is no refs/heads/{self.name}/* on the remote",
            evidence=answer.evidence,
        )

    def older(self, one: str, other: str) -> bool | None:
        """Is `one` in the past of `other`? None when one of them is not in this clone."""
        answer = self.git("merge-base", "--is-ancestor", one, other)
        return {0: True, 1: False}.get(answer.exit_code if answer.exit_code is not None else -1)

    def replace(self, before: str | None, after: str) -> Answer:
        """Put `after` in the place of `before` (None: nothing), whatever they have to do with each other, or not at
        all: a compare-and-swap push. For branches that are nobody else's."""
        if self.remote is None:
            return self.git("update-ref", "-m", "reconciler: replace", self.ref, after, before or _NO_COMMIT)
        name = f"refs/heads/{self.name}"
        pushed = self.git.push(self.remote, after, name, f"--force-with-lease={name}:{before or ''}")
        if pushed.ok:
            self.git("update-ref", self.ref, after)
        return pushed

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one writer of this clone in at a time: git's own locks refuse instead of waiting. Who has it already has
        it: while something is recorded, whose the lease is may show that the clone has to be mended."""
        path = self.dirs.common / "reconciler.lock"
        ours: set[Path] = _locked.__dict__.setdefault("clones", set())
        if path in ours:
            yield
            return
        try:
            file = path.open("a")
        except OSError as error:
            raise unwritable(path, error) from None
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            ours.add(path)
            try:
                yield
            finally:
                ours.remove(path)

    def _branches_here(self) -> list[str]:
        """The remote's branches of which this clone has a copy, the observed one excepted, as far as they are still
        there: naming no branch would bring all of them, each with the whole of its history."""
        names = sorted(self._copied() & self._there())
        return [f"+refs/heads/{name}:refs/remotes/{self.remote}/{name}" for name in names]

    def _forget_gone(self) -> None:
        """Let go of copies of branches that the remote has no more, the observed one excepted: of that, only where
        others are below its name by now. What we knew of it is kept apart."""
        there = self._there()
        gone = self._copied() - there
        if self.name not in there and any(name.startswith(f"{self.name}/") for name in there):
            gone.add(self.name)
        for name in sorted(gone):
            self.git("update-ref", "-d", f"refs/remotes/{self.remote}/{name}")

    def _copied(self) -> set[str]:
        mine = ("HEAD", self.name)
        return {name for name in refs.below(self.dirs, f"refs/remotes/{self.remote}/") if name not in mine}

    def _there(self) -> set[str]:
        listed = self.git.ask_remote(self.remote or "", "ls-remote", "--heads", self.remote or "")
        return {line.split("\trefs/heads/")[-1] for line in listed.splitlines()}


def of(path: Path, remote: str | None, name: str, deadline: float) -> Branch:
    """The branch in the clone at `path`. Raises Invalid when that is no clone, or has no such remote."""
    dirs = refs.locate(path)
    known = refs.remotes(dirs)
    if remote is not None and not known and next(refs.below(dirs, f"refs/remotes/{remote}/"), None):
        hint = f"git -C {path} remote add {remote} <address>"
        raise Invalid(f"{path} has copies of the branches of {remote!r}, and its configuration no remote", hint=hint)
    if remote is not None and known and remote not in known:
        raise Invalid(
            f"{path} has no remote {remote!r}", hint=f"it has {', '.join(known)}; say which one in the settings"
        )
    return Branch(dirs, Git(dirs.own, deadline), remote if known else None, name)
