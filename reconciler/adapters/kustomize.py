"""Kustomize as kubectl has it: files in, text out, in a private folder, without network; what was built is kept."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from .. import process
from ..errors import Invalid

_SECONDS = 60.0
_KEPT = 500  # builds; the oldest go first
# A remote base needs git or a download. There is no git on this PATH, and nobody behind this proxy.
_NOBODY = "http://127.0.0.1:9"
_ALONE = {
    "PATH": "/nonexistent",
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"), _NOBODY),
}


class Kustomize:
    """Builds folders. `program` gets kubectl, or None where it is not to be had; it is asked for what is not in `cache`
    only. `version` says which kubectl it is: another one may make something else of the same files."""

    def __init__(self, program: Callable[[], Path | None], version: str, cache: Path) -> None:
        self._program = program
        self._version = version
        self._cache = cache

    def build(self, folder: str, files: Mapping[str, bytes]) -> bytes | None:
        """What kustomize makes of `folder`, reading `files` (paths from the repository's root) and nothing else. None
        when there is no program. Raises Invalid with kustomize's own words, Transient when it takes too long, and what
        getting the program raises."""
        place = self._cache / self._name(folder, files)
        if kept := _whole(place):
            return kept
        program = self._program()
        if program is None:
            return None
        text = _run(program, folder, files)
        with contextlib.suppress(OSError):  # a cache that can't be written costs time, and nothing else
            self._keep(place, text)
        return text

    def _name(self, folder: str, files: Mapping[str, bytes]) -> str:
        digest = hashlib.sha256(f"{self._version}\0{folder}".encode())
        for path, text in sorted(files.items()):
            digest.update(f"\0{path}\0{len(text)}\0".encode())
            digest.update(text)
        return digest.hexdigest()

    def _keep(self, place: Path, text: bytes) -> None:
        """Whole or not at all, also when two do so at once; what a crash tore is known by its first line."""
        self._cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=self._cache, prefix=".")
        with os.fdopen(handle, "wb") as file:
            file.write(_digest(text) + b"\n" + text)
        Path(name).replace(place)
        kept = sorted(self._cache.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        for old in kept[_KEPT:]:
            old.unlink(missing_ok=True)


def _whole(place: Path) -> bytes:
    """What was kept there; empty where nothing was, or not all of it is there: an empty folder deletes what runs."""
    with contextlib.suppress(OSError):
        digest, _, text = place.read_bytes().partition(b"\n")
        os.utime(place)
        return text if digest == _digest(text) else b""
    return b""


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode()


def _run(program: Path, folder: str, files: Mapping[str, bytes]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="reconciler-kustomize-") as name:
        root = Path(name).resolve()
        for path, text in files.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text)
        environment = {**_ALONE, "HOME": name, "TMPDIR": name}
        argv: list[str | Path] = [program, "kustomize", folder]
        done = process.run(argv, cwd=root, env=environment, timeout=_SECONDS, check=False)
        if done.exit_code:
            words = (done.stderr.strip() or f"exit code {done.exit_code}").replace(f"{root}/", "")
            raise Invalid(" ".join(words.removeprefix("error: ").split()))
        return done.stdout.encode()
