"""Small files of our own, written whole or not at all: a kill, or a disk without room, leaves what was there before."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from .errors import Transient


def write(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Replace a file by `text`, with the permissions `mode`. Raises Transient when there is no room, or when it may not
    be written; then the file is as it was."""
    draft = None
    try:
        handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(draft, mode)
        os.replace(draft, path)
    except OSError as error:
        if draft is not None:
            Path(draft).unlink(missing_ok=True)
        raise unwritable(path, error) from None


def unwritable(path: Path | str, error: OSError) -> Transient:
    """What it means that a file of ours can't be written: the next cycle tries again."""
    return Transient(
        f"cannot write {path}: {error.strerror}",
        hint="make room on its disk, or check who owns it; the next cycle goes on from where things are",
    )
