"""git itself, through GitPython: for what only git can do (fetch, push, write objects); it never waits for a person."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ...errors import Evidence, Permanent, Transient

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_TAIL_LINES = 20
_TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What git said; credentials in URLs are already gone from `error`."""

    command: str
    exit_code: int
    output: str
    error: str

    @property
    def ok(self) -> bool:
        return self.exit_code == 0

    @property
    def evidence(self) -> Evidence:
        return Evidence(self.command, self.exit_code, tuple(self.error.strip().splitlines()[-_TAIL_LINES:]))


class Git:
    """Runs git on one git folder. Local settings that would let a command do more than it was asked are off."""

    _SETTINGS = ("gc.autoDetach=false", "maintenance.autoDetach=false", "push.gpgSign=false", "core.fsmonitor=false")

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Answer:
        """Run one command, for two minutes at most. Raises Permanent when there is no git to run."""
        if shutil.which("git") is None:
            raise Permanent("git was not found", hint="install git, or put it on PATH")
        from git.cmd import Git as GitPython

        options = [part for setting in self._SETTINGS for part in ("-c", setting)]
        with tempfile.TemporaryFile() as source:
            source.write(stdin)
            source.seek(0)
            exit_code, output, error = GitPython(str(self._folder)).execute(
                ["git", *options, *arguments],
                istream=source,
                with_extended_output=True,
                with_exceptions=False,
                kill_after_timeout=_TIMEOUT_SECONDS,
                # a hook that starts us sets GIT_DIR; and whoever asks for a password would wait for ever
                env={"GIT_DIR": str(self._folder), "GIT_TERMINAL_PROMPT": "0"},
                start_new_session=True,  # without a terminal ssh can't ask either
            )
        return Answer(f"git {' '.join(arguments)}", int(exit_code), _text(output), hide_credentials(_text(error)))

    def must(self, *arguments: str, stdin: bytes = b"") -> str:
        """Run a command on the local clone and return its output. Raises Permanent when it fails."""
        answer = self(*arguments, stdin=stdin)
        if not answer.ok:
            raise Permanent(
                f"git {arguments[0]} failed in {self._folder}",
                hint="check who owns the clone, and that its disk has room",
                evidence=answer.evidence,
            )
        return answer.output

    def ask_remote(self, remote: str, *arguments: str) -> str:
        """Run a command that talks to a remote. Raises Transient when it fails."""
        answer = self(*arguments)
        if not answer.ok:
            raise Transient(
                f"the git remote {remote!r} can't be reached",
                hint="check its address (`git remote -v`), the network, and that this account may read it without "
                "being asked for a password",
                evidence=answer.evidence,
            )
        return answer.output


def hide_credentials(text: str) -> str:
    """Take user names and passwords out of URLs."""
    return _CREDENTIALS.sub("(redacted)", text)


def _text(output: str | bytes | None) -> str:
    return output.decode("utf-8", "replace") if isinstance(output, bytes) else output or ""
