"""Snapshots in a folder of this machine, or of what is mounted there: private files, each whole or not there."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
from pathlib import Path

from ..errors import Permanent
from ..files import unwritable
from ..model.backup import Backup

_COPYING = datetime.timedelta(days=1)


class BackupFolder:
    """One folder a cluster below the one of its cloud's project, below `root`: several clones may be told of the same
    root, and have clusters of the same name. What lies there under other names is left alone."""

    def __init__(self, root: Path, project: str) -> None:
        self._root, self._mine = root, root / project

    def list(self, cluster: str) -> tuple[Backup, ...]:
        """Raises Permanent for a folder that can't be read: a disk that is not mounted is not one without backups."""
        try:
            if not self._root.is_dir():
                hint = "make it, or mount it; backups.folder in the settings names it"
                raise Permanent(f"there is no folder {self._root} for backups", hint=hint)
            with os.scandir(self._mine / cluster) as entries:
                names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise Permanent(f"cannot read {self._mine / cluster}: {error.strerror}") from None
        return tuple(backup for name in names if (backup := Backup.parse(name)) is not None)

    def put(self, cluster: str, backup: Backup, file: Path) -> None:
        """Copied beside its place, on the disk before it is called by its name."""
        place = self._place(cluster, backup)
        draft = place.with_name(f".{place.name}.part")
        try:
            for folder in (self._mine, place.parent):
                folder.mkdir(mode=0o700, exist_ok=True)
            self._tidy(cluster, backup)
            with contextlib.suppress(FileNotFoundError):
                draft.unlink()
            with file.open("rb") as source, os.fdopen(_new(draft), "wb") as target:
                shutil.copyfileobj(source, target)
                target.flush()
                os.fsync(target.fileno())
            draft.replace(place)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise unwritable(place, error) from None

    def _tidy(self, cluster: str, backup: Backup) -> None:
        """Remove what those left who were killed while they copied: nobody copies for a day."""
        for path in (self._mine / cluster).glob(".*.part"):
            left = Backup.parse(path.name.removeprefix(".").removesuffix(".part"))
            if left and left.taken < backup.taken - _COPYING:
                path.unlink(missing_ok=True)

    def get(self, cluster: str, backup: Backup, file: Path) -> None:
        """Raises Permanent when it is not there or can't be read."""
        place = self._place(cluster, backup)
        try:
            with place.open("rb") as source, os.fdopen(_new(file), "wb") as target:
                shutil.copyfileobj(source, target)
        except OSError as error:
            raise Permanent(
                f"cannot read {place}: {error.strerror}", hint="reconciler backup --list says more"
            ) from None

    def delete(self, cluster: str, backup: Backup) -> None:
        """Already gone is success."""
        place = self._place(cluster, backup)
        try:
            place.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(place, error) from None

    def _place(self, cluster: str, backup: Backup) -> Path:
        return self._mine / cluster / backup.name


def _new(path: Path) -> int:
    """A file that nobody else may read, and that was not there before."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
