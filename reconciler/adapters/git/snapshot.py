"""The desired state as a commit has it, folder by folder: what one folder may not hold is no reason to lose the others.

A folder is what one team has to itself, such as desired/<cluster> or manifests/<workload>. Git takes names, links and
trees from a push that it would not make itself, so each is judged here, and counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ...errors import Invalid, Problem
from ...ports import Snapshot
from .objects import Entry, Objects

# Of one folder. A tree may name another one many times over: ten levels of ten are ten thousand million files.
MOST_FILES = 10_000
MOST_BYTES = 64 * 1024 * 1024


def snapshot(objects: Objects, commit: str, roots: tuple[str, ...], only: Collection[str] | None = None) -> Snapshot:
    """Every file below the folders `roots` of a commit, and what is wrong with those that can't be had. `only`: of what
    lies directly in these, just the paths that are named."""
    files: dict[str, bytes] = {}
    refused: dict[str, Problem] = {}
    _, tree = objects.commit(commit)
    for root in roots:
        for name, entries in _folders(objects, tree, root, only, refused):
            _read(objects, name, entries, files, refused)
    return Snapshot(files, refused)


def _folders(
    objects: Objects, tree: str, root: str, only: Collection[str] | None, refused: dict[str, Problem]
) -> Iterator[tuple[str, Iterator[Entry]]]:
    """The folders directly below `root`, and last what lies beside them."""
    try:
        listed = [entry for entry in objects.beside(tree, root) if only is None or entry.path in only]
    except Invalid as error:
        refused[root] = problem(root, error)
        return
    for entry in listed:
        if entry.mode == "40000":
            yield entry.path, objects.files(tree, entry.path)
        elif instead_of_folder(entry.path, link=entry.mode == "120000", submodule=entry.mode == "160000"):
            why = Invalid(f"{entry.path} is a link or a submodule", hint="put the folder itself there")
            refused[f"{entry.path}/"] = problem(entry.path, why)
    yield root, iter([entry for entry in listed if entry.mode != "40000" and f"{entry.path}/" not in refused])


def instead_of_folder(path: str, *, link: bool, submodule: bool = False) -> bool:
    """Does something stand where a team's folder was? It must not read as a folder that somebody deleted."""
    return submodule or (link and "." not in path.rpartition("/")[2])


def _read(
    objects: Objects, folder: str, entries: Iterator[Entry], files: dict[str, bytes], refused: dict[str, Problem]
) -> None:
    """Read one folder. Where the folder itself can't be gone through, nothing of it counts."""
    contents: dict[str, bytes] = {}
    size = 0
    try:
        for count, entry in enumerate(entries, 1):
            if count > MOST_FILES or size > MOST_BYTES:
                raise too_much(folder)
            try:
                contents[entry.path] = objects.content(entry)
                size += len(contents[entry.path])
            except Invalid as error:
                refused[entry.path] = problem(entry.path, error)
    except Invalid as error:
        refused[f"{folder}/"] = problem(folder, error)
        return
    files |= contents


def too_much(folder: str) -> Invalid:
    """Why a folder is refused as a whole."""
    limit = f"{MOST_FILES} files or {MOST_BYTES >> 20} MiB"
    return Invalid(f"{folder} has more than {limit}", hint="keep what is no desired state elsewhere")


def problem(path: str, error: Invalid) -> Problem:
    """What is wrong with a path as a whole."""
    return Problem(path, 1, 1, "", error.message, error.hint)
