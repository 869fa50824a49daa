"""git itself, through GitPython: for what only git can do (fetch, push, write objects); it never waits for a person."""

from __future__ import annotations

import re
import shutil
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ... import process
from ...errors import Evidence, Permanent, Transient

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_TAIL_LINES = 20
DEADLINE_SECONDS = 120.0
# What git says (in English: GitPython sees to that) decides words and hints only, never what is done next.
_NO_ROOM = re.compile(
    r"^(?!remote:).*(No space left on device|Disk quota exceeded|File too large|Out of diskspace)", re.MULTILINE
)
_NOT_LET_IN = re.compile(
    r"Authentication failed|could not read (Username|Password)|Permission denied \(|returned error: 40[13]",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What git said; credentials in URLs are already gone from `error`. `exit_code` is None when it was ended for not
    answering in time."""

    command: str
    exit_code: int | None
    output: str
    error: str

    @property
    def ok(self) -> bool:
        return self.exit_code == 0

    @property
    def evidence(self) -> Evidence:
        return Evidence(self.command, self.exit_code, tuple(self.error.strip().splitlines()[-_TAIL_LINES:]))


class Git:
    """Runs git on one git folder. Local settings that would let a command do more than it was asked are off. A command
    that is not done after `deadline` seconds is ended, and whatever it started with it."""

    _SETTINGS = ("gc.autoDetach=false", "maintenance.autoDetach=false", "push.gpgSign=false", "core.fsmonitor=false")

    def __init__(self, folder: Path, deadline: float = DEADLINE_SECONDS) -> None:
        self._folder = folder
        self.deadline = deadline

    def __call__(
        self,
        *arguments: str,
        stdin: bytes = b"",
        settings: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Answer:
        """Run one command, with further `settings` (name=value). Raises Permanent when there is no git to run."""
        return self._run(arguments, stdin, settings, environment)[0]

    def _run(
        self,
        arguments: Sequence[str],
        stdin: bytes = b"",
        settings: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> tuple[Answer, bytes]:
        if shutil.which("git") is None:
            raise Permanent("git was not found", hint="install git, or put it on PATH")
        options = [part for setting in (*self._SETTINGS, *settings) for part in ("-c", setting)]
        command = f"git {' '.join(arguments)}"
        with _as_file(stdin) as source:
            started = self._start(["git", *options, *arguments], source, environment or {})
            try:
                output, error = process.to_the_end(started.proc, self.deadline)
            except TimeoutError:
                return Answer(command, None, "", f"no answer within {self.deadline:g} s"), b""
        text, errors = _text(output).removesuffix("\n"), hide_credentials(_text(error))
        return Answer(command, started.proc.returncode, text, errors), output

    def must(
        self,
        *arguments: str,
        stdin: bytes = b"",
        settings: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Run a command on the local clone and return its output. Raises Permanent when it fails; Transient when the
        disk is full."""
        answer = self(*arguments, stdin=stdin, settings=settings, environment=environment)
        if not answer.ok:
            self.check_room(answer)
            raise Permanent(
                f"git {arguments[0]} failed in {self._folder}",
                hint="check who owns the clone, and that its disk has room",
                evidence=answer.evidence,
            )
        return answer.output

    def push(self, remote: str, commit: str, ref: str, *options: str) -> Answer:
        """Put a commit at `ref`, a full name, of the remote, and nowhere else. git takes a name it is given for the end
        of one as well: whoever pushed a branch refs/heads/refs/heads/main would get or stop what is for main. The names
        that a pattern stands for are exact, so the commit is given one like it here for a moment."""
        place, _, name = ref.rpartition("/")
        here = f"refs/reconciler/outgoing/{uuid.uuid4().hex}"
        self.must("update-ref", f"{here}/{name}", commit)
        try:
            return self(
                "push", "--quiet", "--no-verify", "--no-follow-tags", "--recurse-submodules=no", *options,
                remote, f"{here}/*:{place}/*",
            )  # fmt: skip
        finally:
            self("update-ref", "-d", f"{here}/{name}")

    def content(self, *arguments: str) -> bytes:
        """Run a command on the local clone and return its output, byte for byte. Raises Permanent when it fails."""
        answer, output = self._run(arguments)
        if not answer.ok:
            raise Permanent(f"git {arguments[0]} failed in {self._folder}", evidence=answer.evidence)
        return output

    def ask_remote(self, remote: str, *arguments: str) -> str:
        """Run a command that talks to a remote. Raises Transient when it fails."""
        return self.answered(remote, self(*arguments))

    def remote_tip(self, remote: str, ref: str) -> str | None:
        """Where `ref`, a full name, points on the remote; None when there is none. Raises Transient when that can't be
        asked. ls-remote lists whatever ends like it, too: a branch refs/heads/refs/heads/main is not main."""
        listed = (line.partition("\t") for line in self.ask_remote(remote, "ls-remote", remote, ref).splitlines())
        return next((id_ for id_, _, name in listed if name == ref), None)

    def answered(self, remote: str, answer: Answer) -> str:
        """What a command that talked to a remote said. Raises Transient when it failed."""
        if answer.ok:
            return answer.output
        self.check_room(answer)
        said = f"the git remote {remote!r} can't be reached"
        hint = (
            "check its address (`git remote -v`), the network, and that this account may read it without being asked "
            "for a password"
        )
        if answer.exit_code is None:
            said, hint = f"{said}: no answer within {self.deadline:g} s", "is the network slow, or a proxy in between?"
        elif _NOT_LET_IN.search(answer.error):
            said, hint = f"{said}: it does not let us in", "a token that expired? renew it, or give the key another one"
        raise Transient(said, hint=hint, evidence=answer.evidence)

    def check_room(self, answer: Answer) -> None:
        """Raises Transient when a command failed because our own disk has no room left."""
        if _NO_ROOM.search(answer.error):
            raise _no_room(str(self._folder), answer.evidence)

    def _start(self, argv: list[str], source: IO[bytes], environment: Mapping[str, str]) -> Any:
        from git.cmd import Git as GitPython

        execute: Any = GitPython(str(self._folder)).execute
        return execute(  # who lets go of what it returns ends the command
            argv,
            istream=source,
            as_process=True,
            # a hook that starts us sets GIT_DIR; whoever asks for a password would wait for ever; and what a commit is
            # was said by its id, not by a ref that stands in for it
            env={
                "GIT_DIR": str(self._folder),
                "GIT_TERMINAL_PROMPT": "0",
                "GIT_NO_REPLACE_OBJECTS": "1",
                **environment,
            },
            start_new_session=True,  # without a terminal ssh can't ask either
        )


def _as_file(content: bytes) -> IO[bytes]:
    source: IO[bytes] = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - the caller closes it
    try:
        if source.write(content) < len(content):
            raise OSError("no room left")
    except OSError:
        source.close()
        raise _no_room(tempfile.gettempdir()) from None
    source.seek(0)
    return source


def _no_room(folder: str, evidence: Evidence | None = None) -> Transient:
    return Transient(
        f"there is no room left on the disk of {folder}",
        hint="make room; nothing is half written, and the next cycle goes on",
        evidence=evidence,
    )


def hide_credentials(text: str) -> str:
    """Take user names and passwords out of URLs."""
    return _CREDENTIALS.sub("(redacted)", text)


def _text(output: bytes | None) -> str:
    return (output or b"").decode("utf-8", "replace")
