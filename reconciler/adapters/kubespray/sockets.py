"""Where ssh keeps its shared connections during a run: a short path, and nothing open in it before or after."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import Permanent, ReconcilerError
from ...process import run

_PRIVATE = 0o40700


@contextmanager
def control_sockets(cluster: Path) -> Iterator[Path]:
    """A private folder that belongs to the cluster's. A socket's path must stay under 108 bytes, so it lies elsewhere;
    its name is always the same, so that what a killed run left is ended by the next. Raises Permanent when somebody
    else made it."""
    name = hashlib.sha256(os.fsencode(cluster)).hexdigest()[:12]
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    folder = (runtime if runtime.is_absolute() and runtime.is_dir() else Path("/tmp")) / f"rk-{os.getuid()}-{name}"  # noqa: S108
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode != _PRIVATE:
        raise Permanent(f"{folder} is not a private folder of ours", hint="find out who made it, and delete it")
    _close(folder)
    try:
        yield folder
    finally:
        _close(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _close(folder: Path) -> None:
    """End the connections that ssh keeps open in the background."""
    for socket in folder.iterdir():
        with contextlib.suppress(ReconcilerError):
            run(["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "none"], timeout=5, check=False)
        socket.unlink(missing_ok=True)
