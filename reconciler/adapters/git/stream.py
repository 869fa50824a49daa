"""A commit as git fast-import reads it: one program writes blobs, trees and commit, and no index is involved."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from ...text import visible, visible_line

_NOWHERE = b"0" * 40


@dataclass(frozen=True, slots=True)
class Author:
    name: str
    email: str

    def __bytes__(self) -> bytes:
        name, email = self._clean()
        return f"{name} <{email}> now".encode()

    def environment(self) -> dict[str, str]:
        """The same for git's own commands."""
        name, email = self._clean()
        people = ("AUTHOR", "COMMITTER")
        return {f"GIT_{p}_NAME": name for p in people} | {f"GIT_{p}_EMAIL": email for p in people}

    def _clean(self) -> tuple[str, str]:
        name, email = ("".join(c for c in visible_line(t) if c not in "<>").strip() for t in (self.name, self.email))
        return name, email


def commit_stream(
    author: Author, message: str, parent: str | None, folder: str | None, files: Mapping[str, bytes]
) -> bytes:
    """Return a stream that makes one commit and prints its id: `parent` with `files` as the whole of `folder`, the rest
    kept; without a folder just those files are replaced; without a parent it is a root.

    fast-import wants a branch to commit to. This one is dropped before fast-import writes its branches down, so that
    the commit is reachable from nowhere until it is pushed.
    """
    branch = f"refs/reconciler/unpublished/{uuid.uuid4().hex}".encode()
    text = visible(message).encode()
    lines = [
        b"commit " + branch,
        b"mark :1",
        b"author " + bytes(author),
        b"committer " + bytes(author),
        b"data %d\n%s" % (len(text), text),
        *([b"from " + parent.encode()] if parent else []),
        *_emptied(folder),
    ]
    for path in sorted(files):
        lines += [b"M 100644 inline " + _quoted(path), b"data %d\n%s" % (len(files[path]), files[path])]
    lines += [b"", b"get-mark :1", b"reset " + branch, b"from " + _NOWHERE, b"", b"done", b""]
    return b"\n".join(lines)


def _emptied(folder: str | None) -> list[bytes]:
    if folder is None:
        return []
    return [b"D " + _quoted(folder) if folder else b"deleteall"]


def _quoted(path: str) -> bytes:
    """A path in fast-import's C-style quotes."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'.encode()
