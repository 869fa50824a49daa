"""The observed branch where it lives, remote or in this clone: asked, brought here, moved by compare-and-swap."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from . import refs
from .commands import Answer, Git
from .refs import GitDir

_NO_COMMIT = "0" * 40


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

    def known(self) -> str | None:
        """The tip as this clone knows it. Starts no program."""
        return refs.tip(self.dirs, self.ref)

    def tip(self) -> str | None:
        """The tip where the branch lives. Raises Transient when the remote can't be reached."""
        if self.remote is None:
            return self.known()
        listed = self.git.ask_remote(self.remote, "ls-remote", self.remote, f"refs/heads/{self.name}")
        return listed.split("\t")[0] or None

    def fetch(self) -> None:
        """Bring all of the remote's branches that this clone follows. Raises Transient like `tip`."""
        if self.remote is not None:
            self.git.ask_remote(self.remote, "fetch", "--quiet", "--no-recurse-submodules", self.remote)

    def bring(self, tip: str | None) -> str | None:
        """Bring `tip` into this clone and return it. When the branch is gone from the remote, return what this clone
        last knew of it; None when it never was. Raises Transient like `tip`."""
        known = self.known()
        if self.remote is None or tip is None or tip == known:
            return tip or known
        self.git.ask_remote(
            self.remote, "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head",
            "--no-prune", self.remote, f"+refs/heads/{self.name}:{self.ref}",
        )  # fmt: skip
        return self.known()

    def move(self, before: str | None, after: str) -> Answer:
        """Move the branch from `before` to `after`, a child of it, or not at all: that is what a push without force
        does."""
        if self.remote is None:
            return self.git("update-ref", "-m", "reconciler: record", self.ref, after, before or _NO_COMMIT)
        pushed = self.git(
            "push", "--quiet", "--no-verify", "--no-follow-tags", "--recurse-submodules=no",
            self.remote, f"{after}:refs/heads/{self.name}",
        )  # fmt: skip
        if pushed.ok:
            self.git("update-ref", self.ref, after)  # should it fail, the next `bring` puts it right
        return pushed

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one writer of this clone in at a time: git's own locks refuse instead of waiting."""
        with (self.dirs.common / "reconciler.lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
