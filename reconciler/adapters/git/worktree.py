"""The desired state as it lies on disk, as git would take it: what a commit could not give, is refused before it.

In a clone git says which files it would commit; elsewhere every file counts. Content is what lies on disk.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ...errors import Invalid, Permanent
from ...ports import Snapshot
from . import refs
from .commands import Git
from .objects import MAX_FILE_BYTES, check_file_name, link, too_large
from .snapshot import MOST_BYTES, MOST_FILES, instead_of_folder, problem, too_much


def working_tree(root: Path, roots: tuple[str, ...]) -> Snapshot:
    """Every file below the folders `roots` of the working tree at `root`, and what is wrong with those that git, or a
    cycle, would refuse. Starts git where `root` is a clone."""
    files: dict[str, bytes] = {}
    refused = {}
    counts: dict[str, tuple[int, int]] = {}
    for path in sorted(_listed(root, roots)):
        folder = "/".join(PurePosixPath(path).parts[:2])
        try:
            text = _content(root, path)
            count, size = counts.get(folder, (0, 0))
            counts[folder] = (count + 1, size + len(text))
            files[path] = text
        except Invalid as error:
            stands_in = path.count("/") == 1 and instead_of_folder(path, link=(root / path).is_symlink())
            refused[f"{path}/" if stands_in else path] = problem(path, error)
    for folder, (count, size) in counts.items():
        if count > MOST_FILES or size > MOST_BYTES:
            refused[f"{folder}/"] = problem(folder, too_much(folder))
    return Snapshot(files, refused)


def uncommitted(root: Path, roots: tuple[str, ...]) -> tuple[str, ...]:
    """The paths below the folders `roots` that differ from the commit that is checked out at `root`, new files
    included; none where `root` is no clone with a working tree."""
    try:
        git = Git(refs.locate(root.resolve()).own)
        named = ("--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", *roots)
        answer = git("-C", str(root.resolve()), "--no-optional-locks", "status", *named)
    except (Invalid, Permanent):
        return ()
    changed = (entry[3:] for entry in answer.output.split("\0") if len(entry) > 3)
    return tuple(sorted(changed)) if answer.ok else ()


def _listed(root: Path, roots: tuple[str, ...]) -> set[str]:
    """The paths that a commit of everything would have, links included and submodules left out."""
    try:
        git = Git(refs.locate(root.resolve()).own)
        named = ("--cached", "--others", "--exclude-standard", "--", *roots)
        answer = git("-C", str(root.resolve()), "ls-files", "-z", *named)
    except Invalid:  # no clone
        answer = None
    if answer is None or not answer.ok:
        return set(_walked(root, roots))
    paths = (path for path in answer.output.split("\0") if path and not path.endswith("/"))
    return {path for path in paths if "\ufffd" in path or _there(root / path)}


def _walked(root: Path, roots: tuple[str, ...]) -> Iterator[str]:
    for folder, folders, names in (step for top in roots for step in os.walk(root / top)):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in (*names, *links):
            yield (Path(folder) / name).relative_to(root).as_posix()


def _there(path: Path) -> bool:
    """What can't be looked at is there; what was deleted and not committed is not, and a submodule is none of ours."""
    try:
        return not stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _content(root: Path, path: str) -> bytes:
    """Raises Invalid for what a cycle would refuse, and for what can't be read."""
    if "\ufffd" in path:  # what stands for bytes that are none
        raise Invalid(f"the file name {path!r} is not UTF-8", hint="rename it")
    for part in PurePosixPath(path).parts:
        check_file_name(os.fsencode(part))
    try:
        status = (root / path).lstat()
        if stat.S_ISLNK(status.st_mode):
            raise link(path)
        if not stat.S_ISREG(status.st_mode):
            raise Invalid(f"{path} is no plain file", hint="git does not keep it: delete it")
        if status.st_size > MAX_FILE_BYTES:
            raise too_large(path)
        return (root / path).read_bytes()
    except OSError as error:
        raise Invalid(f"{path} can't be read: {error.strerror}") from None
