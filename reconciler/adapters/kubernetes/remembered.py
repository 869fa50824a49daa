"""Which live objects were found as desired, so that a pair that has not changed costs no dry run."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Remembered:
    """Tokens by uid, per ApplySet; on disk as well when `path` is given. Losing it costs time, nothing else."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._sets = _read(path)

    def holds(self, part_of: str, uid: str, token: str) -> bool:
        return self._sets.get(part_of, {}).get(uid) == token

    def replace(self, part_of: str, tokens: dict[str, str]) -> None:
        """Make `tokens` all that is remembered of one ApplySet."""
        with self._lock:
            if self._sets.get(part_of) == tokens:
                return
            self._sets[part_of] = tokens
            if self._path is not None:
                with contextlib.suppress(OSError):
                    _write(self._path, self._sets)


def token(manifest: Mapping[str, Any], live: Mapping[str, Any]) -> str:
    """Names a pair: the same manifest beside the same version of the same live object."""
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True, default=str).encode()).hexdigest()
    return f"{live['metadata']['resourceVersion']} {digest[:32]}"


def _read(path: Path | None) -> dict[str, dict[str, str]]:
    try:
        sets = json.loads(path.read_bytes()) if path else {}
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in sets.items() if isinstance(v, dict)} if isinstance(sets, dict) else {}


def _write(path: Path, sets: Mapping[str, Mapping[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, made = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "w") as file:
        json.dump(sets, file)
    Path(made).replace(path)
