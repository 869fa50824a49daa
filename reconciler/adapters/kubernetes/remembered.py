"""Which live objects were found as desired, so that a pair that has not changed costs no dry run."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from . import controllers


@dataclass(frozen=True, slots=True)
class Equal:
    """A pair that was equal: the manifest's digest, the live object's version, and its fingerprint, empty where it has
    none that can be trusted."""

    digest: str
    version: str
    print: str = ""


class Remembered:
    """What was equal, by uid and ApplySet; on disk as well when `path` is given. Losing it costs time, nothing else."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._sets = _read(path)

    def of(self, part_of: str) -> Mapping[str, Equal]:
        """What is known of an ApplySet."""
        return self._sets.get(part_of, {})

    def replace(self, part_of: str, equal: dict[str, Equal]) -> None:
        """Make `equal` all that is remembered of one ApplySet."""
        with self._lock:
            if self._sets.get(part_of, {}) == equal:
                return
            self._sets[part_of] = equal
            if self._path is not None:
                with contextlib.suppress(OSError):
                    _write(self._path, self._sets)


# What "equal" means: additions of others count, and which of them are a controller's own business.
_MEANING = hashlib.sha256(repr(controllers.TABLE).encode()).hexdigest()


def digest(manifest: Mapping[str, Any], manager: str) -> str:
    """Names what would be sent, and as whom, and by which rules it counts as equal: what an older version of this
    program, or another table of controllers, found equal is looked at once more."""
    said = json.dumps([manager, _MEANING, manifest], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def _read(path: Path | None) -> dict[str, dict[str, Equal]]:
    try:
        sets = json.loads(path.read_bytes()) if path else {}
        return {name: {uid: Equal(*said) for uid, said in found.items()} for name, found in sets.items()}
    except (OSError, ValueError, TypeError, AttributeError):  # none, or of another version
        return {}


def _write(path: Path, sets: Mapping[str, Mapping[str, Equal]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, made = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "w") as file:
        json.dump({name: {uid: astuple(e) for uid, e in found.items()} for name, found in sets.items()}, file)
    Path(made).replace(path)
