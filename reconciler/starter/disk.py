"""Puts a new repository on disk: all of it or nothing, and never over anything."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .. import process
from ..errors import Invalid, Permanent
from ..text import visible_line

_SECONDS = 60.0
_MESSAGE = "The first state of the clusters, as `reconciler init` makes it"
_EMPTY = "name a new or an empty folder; nothing is ever overwritten"
# What a hook or a person's shell sets would lead git elsewhere; who somebody is stays.
_KEPT = ("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_CONFIG_")


@dataclass(frozen=True)
class Made:
    """Where the repository is, and whether git has a first commit of it."""

    folder: Path
    committed: bool


def write(folder: Path, files: Mapping[str, bytes], *, git: bool, author: tuple[str, str]) -> Made:
    """Write the files, and with `git` make a repository with a first commit of them, unless the folder is one.

    The commit is by whom git knows here, else by `author` (name, e-mail address). Raises Invalid for a folder that has
    something in it, or can't be written; Permanent when git fails. Then all is as it was before.
    """
    folder = Path(os.path.abspath(folder))
    if git and shutil.which("git") is None:
        raise Permanent("git was not found", hint="install git, or say --no-git and have the files alone")
    try:
        base = _base(folder)
        entries = set(os.listdir(folder)) if base == folder else set()
        _refuse(folder, entries, files)
        commit = git and ".git" not in entries
        with _stage(base) as stage:
            root = stage / folder.relative_to(base)
            _fill(root, files)
            if commit:
                _first_commit(root, author)
            _move(stage, base)
    except OSError as error:
        hint = "name a folder that you may write to, where there is room"
        raise Invalid(f"cannot write to {_shown(folder)}: {error.strerror}", hint=hint) from None
    return Made(folder, commit)


def _base(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    base = folder
    while not os.path.lexists(base):
        base = base.parent
    if not base.is_dir():
        raise Invalid(f"{_shown(base)} is not a folder", hint=_EMPTY)
    return base


def _refuse(folder: Path, entries: set[str], files: Mapping[str, bytes]) -> None:
    """A git repository may have files of its own beside ours; any other folder has to be empty."""
    taken = entries & {path.split("/")[0] for path in files} if ".git" in entries else entries
    if taken:
        first = ", ".join(repr(name) for name in sorted(taken)[:3]) + (", …" if len(taken) > 3 else "")
        raise Invalid(f"there is something in {_shown(folder)} already: {first}", hint=_EMPTY)


@contextmanager
def _stage(base: Path) -> Iterator[Path]:
    """A folder beside what is to come, on the same file system: moving from there is one step and needs no room."""
    stage = Path(tempfile.mkdtemp(prefix=".reconciler-init-", dir=base))
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _fill(root: Path, files: Mapping[str, bytes]) -> None:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


def _move(stage: Path, base: Path) -> None:
    moved: list[Path] = []
    try:
        for entry in sorted(stage.iterdir()):
            target = base / entry.name
            if os.path.lexists(target):
                raise Invalid(f"somebody else made {_shown(target)} meanwhile", hint=_EMPTY)
            entry.rename(target)
            moved.append(target)
    except BaseException:
        for target in moved:
            target.rename(stage / target.name)
        raise


def _first_commit(root: Path, author: tuple[str, str]) -> None:
    """Raises Permanent when there is no git or it fails."""
    _git(root, "init", "--quiet", "--initial-branch=main")
    fallback = zip(("user.name", "user.email"), author, strict=True)
    unknown = [(key, value) for key, value in fallback if not _git(root, "config", key, check=False).strip()]
    identity = [part for key, value in unknown for part in ("-c", f"{key}={value}")]
    _git(root, "add", "--all", "--force")  # whatever a person's own list of ignored files says
    _git(root, *identity, "commit", "--quiet", "--no-verify", "--no-gpg-sign", "-m", _MESSAGE)


def _git(root: Path, *arguments: str, check: bool = True) -> str:
    env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k.startswith(_KEPT)}
    return process.run(["git", "-C", root, *arguments], env=env, timeout=_SECONDS, check=check).stdout


def _shown(path: Path) -> str:
    """The path as a terminal can show it: what is no text in it is escaped."""
    return visible_line(str(path))
