"""The branch that a person has checked out: one file of it changed and committed, as they would do it by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import Invalid, Permanent
from . import refs
from .commands import DEADLINE_SECONDS, Answer, Git

_HEADS = "refs/heads/"


class Checkout:
    """The working tree of the clone at `path`. Author, hooks and signing are the person's own, from git's settings."""

    def __init__(self, path: Path, deadline: float = DEADLINE_SECONDS) -> None:
        self._path = path.resolve()
        self._dirs = refs.locate(self._path)
        self._git = Git(self._dirs.own, deadline)

    @property
    def branch(self) -> str:
        """The branch that is checked out. Raises Invalid where none is."""
        answer = self._run("symbolic-ref", "--quiet", "HEAD")
        if not answer.ok or not answer.output.startswith(_HEADS):
            raise Invalid(f"{self._path} has no branch checked out", hint="git switch main; or say --branch NAME")
        return answer.output.removeprefix(_HEADS)

    def uncommitted(self, folders: Sequence[str]) -> list[str]:
        """The paths below these folders that are not as in the commit that is checked out, new ones included."""
        answer = self._run("status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--", *folders)
        return [entry[3:] for entry in answer.output.split("\0") if len(entry) > 3] if answer.ok else []

    def clean(self, file: str) -> None:
        """Raises Invalid where the file has changes that are not committed: they would be committed along."""
        answer = self._run("status", "--porcelain", "--", file)
        if not answer.ok or answer.output:
            hint = f"commit or stash them first (git diff {file}); or say --branch NAME: that starts from the commit"
            raise Invalid(f"{file} has changes that are not committed", hint=hint)

    def commit(self, file: str, content: bytes, message: str) -> str:
        """Write the file and commit it alone; what else is staged stays staged. Returns the commit's id. Raises Invalid
        as `clean` does; Permanent when git does not commit: then the file is as it was."""
        self.clean(file)
        place = self._path / file
        before = place.read_bytes()
        place.write_bytes(content)
        answer = self._run("commit", "--quiet", "--only", "--file=-", "--", file, stdin=message.encode())
        if not answer.ok:
            place.write_bytes(before)
            hint = "git says why above; a commit by hand must work too"
            raise Permanent(f"git does not commit {file}", hint=hint, evidence=answer.evidence)
        return self._run("rev-parse", "HEAD").output

    def unpushed(self, file: str, remote: str) -> bool:
        """Is there a commit of the file that the remote does not have, as far as this clone knows?"""
        if remote not in refs.remotes(self._dirs):
            return False
        answer = self._run("rev-list", "--max-count=1", "HEAD", "--not", f"--remotes={remote}", "--", file)
        return answer.ok and bool(answer.output)

    def push(self, remote: str, onto: str = "") -> bool:
        """Push the branch to the one called `onto` on the remote, its own name when left out. Says whether there is a
        remote at all. Raises Permanent when it is refused: the commit stays here."""
        if not refs.remotes(self._dirs):
            return False
        branch = self.branch
        answer = self._git.push(remote, self._run("rev-parse", "HEAD").output, f"{_HEADS}{onto or branch}")
        if not answer.ok:
            hint = "git pull --rebase, then git push; where the branch is protected: --branch NAME, for a pull request"
            said = f"committed to {branch!r} here, and {remote!r} does not take it"
            raise Permanent(said, hint=hint, evidence=answer.evidence)
        return True

    def _run(self, *arguments: str, stdin: bytes = b"") -> Answer:
        return self._git("-C", str(self._path), *arguments, stdin=stdin)
