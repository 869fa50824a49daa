"""Where ssh keeps its shared connections during a run: a short path nobody can guess, and nothing open in it before or
after."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ... import files
from ...errors import ReconcilerError
from ...process import run

_PREFIX = "rk-"
_PRIVATE = 0o700
# sockaddr_un's path has 108 bytes on Linux and 104 elsewhere, the last one 0. Ansible adds a slash and a name of 10,
# and ssh, while it makes the socket, a dot and 16 more (mux.c).
_LONGEST = (108 if sys.platform == "linux" else 104) - 1 - len("/0123456789.0123456789abcdef")


@contextmanager
def control_sockets(cluster: Path) -> Iterator[Path]:
    """A private folder for one run, outside of `cluster`, the cluster's own, since a socket's path must be short. Where
    it lies is noted there, so that what a killed run left is ended and removed by the next."""
    note = cluster / "sockets"
    _remove_noted(note)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_place()))
    try:
        with contextlib.suppress(ReconcilerError):  # without the note, only what a kill leaves stays
            files.write(note, str(folder))
        yield folder
    finally:
        _remove(folder)
        note.unlink(missing_ok=True)


def _place() -> Path:
    """The user's own folder for such things, if it is that, else one that everybody may make folders in."""
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    usual = Path(tempfile.gettempdir())
    if runtime.is_absolute() and _is_private(runtime) and _is_short(runtime):
        return runtime
    return usual if _is_short(usual) else Path("/tmp")  # noqa: S108 - mkdtemp makes a private folder of a new name


def _is_short(place: Path) -> bool:
    return len(os.fsencode(place)) + len(f"/{_PREFIX}01234567") <= _LONGEST


def _is_private(folder: Path) -> bool:
    """Is it a folder, no link, that is ours and nobody else may look into?"""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) == _PRIVATE


def _remove_noted(note: Path) -> None:
    with contextlib.suppress(OSError, ValueError):
        folder = Path(note.read_text())
        if folder.is_absolute() and folder.name.startswith(_PREFIX):
            _remove(folder)


def _remove(folder: Path) -> None:
    """End the connections that ssh keeps open in the background, then remove their folder."""
    if not _is_private(folder):
        return
    for socket in folder.iterdir():
        path = str(socket).replace("%", "%%")
        with contextlib.suppress(ReconcilerError):
            run(["ssh", "-O", "exit", "-o", f"ControlPath={path}", "none"], timeout=5, check=False)
        socket.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
