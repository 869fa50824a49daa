"""Every error a user can meet, under one root, so that whether to retry is read from the type and nowhere else."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_PACKAGE = Path(__file__).parent
_INTERNAL = "internal error: "
_BUG = "this is a bug; its message is not kept, as it may hold a secret: try `reconciler plan` with RECONCILER_DEBUG=1"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a failed program left behind: enough to act on without running it again. `private` lines are for whoever
    sits at the terminal: they may hold anything, and are kept nowhere."""

    command: str
    exit_code: int | None
    last_lines: tuple[str, ...] = ()
    private: bool = False


class ReconcilerError(Exception):
    """Something the user can act on: `message` says what happened and where, `hint` what to do about it."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None, evidence: Evidence | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.evidence = evidence


class Transient(ReconcilerError):
    """May pass by itself: the next cycle tries again."""


class Outdated(Transient):
    """A newer desired commit than ours was applied already: what we have would go back on it."""


class Permanent(ReconcilerError):
    """Will fail the same way until somebody changes something."""


class Gone(Permanent):
    """The branch that is followed is not on the remote any more: what this clone has of it is no desired state."""


class Blocked(ReconcilerError):
    """A guard refused: nothing was changed."""

    exit_code = 4


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in the desired state, at a position a person (and an editor) can jump to.

    Lines and columns count from 1.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}"
        at = f" {self.path}:" if self.path else ""
        return f"{where}:{at} {self.message}"


class Invalid(ReconcilerError):
    """The desired state, a setting or an argument is wrong. Carries every problem found, not the first."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str | None = None, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(sorted(problems, key=lambda p: (p.file, p.line, p.column, p.message)))


def as_failure(error: Exception) -> ReconcilerError:
    """What something fails with, whatever was raised: a mistake of ours in one cluster or one repository is no reason
    to leave the others alone."""
    return error if isinstance(error, ReconcilerError) else ReconcilerError(_INTERNAL + mistake(error), hint=_BUG)


def mistake(error: BaseException) -> str:
    """What may be said of an exception that nobody expected, where it is kept: its type, and where in our own code. Its
    message may hold anything, a token too."""
    frames = [(Path(frame.f_code.co_filename), line, frame) for frame, line in traceback.walk_tb(error.__traceback__)]
    ours = [(path, line, frame) for path, line, frame in frames if path.is_relative_to(_PACKAGE)]
    if not ours:
        return type(error).__name__
    path, line, frame = ours[-1]
    return f"{type(error).__name__} at {path.relative_to(_PACKAGE.parent)}:{line} ({frame.f_code.co_name})"
