"""Texts that programs made, kept by the content of all they were made from: whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

_KEPT = 500  # texts of one folder; the oldest go first


class Kept:
    """A folder of texts. Losing it costs time, nothing else; so does a folder that can't be written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> bytes:
        """What was kept; empty where nothing was, or not all of it is there: an empty text would delete what runs."""
        with contextlib.suppress(OSError):
            place = self._folder / name
            digest, _, text = place.read_bytes().partition(b"\n")
            os.utime(place)
            return text if digest == _digest(text) else b""
        return b""

    def put(self, name: str, text: bytes) -> None:
        """Whole or not at all, also when two do so at once; what a crash tore is known by its first line."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, made = tempfile.mkstemp(dir=self._folder, prefix=".")
            with os.fdopen(handle, "wb") as file:
                file.write(_digest(text) + b"\n" + text)
            Path(made).replace(self._folder / name)
            kept = sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
            for old in kept[_KEPT:]:
                old.unlink(missing_ok=True)


def name_of(parts: Iterable[bytes | str]) -> str:
    """Names a content. No two lists of parts have the same name."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(f"{len(raw)}\0".encode())
        digest.update(raw)
    return digest.hexdigest()


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode()
