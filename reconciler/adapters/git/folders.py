"""A folder of a commit: what it holds, and what it is to hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from ...errors import Invalid
from ...ports import Files
from .objects import Objects


def read(objects: Objects, commit: str, folder: str) -> dict[str, bytes]:
    """Every file below `folder` ("": all of them), by its path from the root."""
    _, tree = objects.commit(commit)
    return {entry.path: objects.content(entry) for entry in objects.files(tree, folder)}


def wanted(files: Files, there: Mapping[str, bytes], folder: str) -> dict[str, bytes] | None:
    """What is to be written over what is there; None for nothing. Raises Invalid for a file outside the folder."""
    said = files(there) if callable(files) else files
    if said is None:
        return None
    if stray := next((p for p in said if not p.startswith(f"{folder}/") or within(p) != p), None):
        raise Invalid(f"{stray!r} is not a file below {folder}")
    return {path: text.encode() for path, text in said.items()}


def within(path: str) -> str:
    """The path as git writes it. Raises Invalid when it leaves the repository."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or ".git" in pure.parts:
        raise Invalid(f"{path!r} is not a path within the repository")
    return "" if str(pure) == "." else str(pure)
