"""Snapshots in the object storage of a cluster's own project: one container a cluster, called after it.

An object is there once all of it was taken, so a name that is listed is a whole snapshot. Object storage is asked here
only; where a cloud has none, its catalogue says so.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ...errors import Permanent, ReconcilerError
from ...model.backup import Backup
from .login import explain

_CHUNK = 1 << 20
_LARGEST = 5 * 1024**3  # bytes: Swift's own limit of one object
_Answer = TypeVar("_Answer")


class BackupContainers:
    """`connection` logs in when it is called, `cloud` is its name in messages."""

    def __init__(self, cloud: str, connection: Callable[[], Any]) -> None:
        self._cloud = cloud
        self._connection = connection

    def list(self, cluster: str) -> tuple[Backup, ...]:
        """A container that is not there yet holds none."""

        def names(storage: Any) -> tuple[str, ...]:
            return tuple(str(each.name) for each in storage.objects(container(cluster)))

        nothing: tuple[str, ...] = ()
        there = self._asked(names, nothing)
        return tuple(backup for name in there if (backup := Backup.parse(name)) is not None)

    def put(self, cluster: str, backup: Backup, file: Path) -> None:
        """Raises Permanent for a file that is larger than an object may be."""
        if file.stat().st_size > _LARGEST:
            raise Permanent(f"a snapshot of {file.stat().st_size} bytes is larger than an object may be (5 GiB)")

        def upload(storage: Any) -> None:
            storage.create_container(container(cluster))  # one that is there stays as it is
            # in one piece, also beyond the SDK's 1 GiB: killed in between, no segments stay that nobody deletes
            storage.upload_object(container(cluster), backup.name, filename=str(file), segment_size=_LARGEST)

        self._asked(upload, None)

    def get(self, cluster: str, backup: Backup, file: Path) -> None:
        """Raises Permanent when it is not there, or is larger than any that was put there."""

        def download(storage: Any) -> bool:
            left = _LARGEST
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
                for piece in storage.stream_object(backup.name, container=container(cluster), chunk_size=_CHUNK):
                    left -= len(piece)
                    if left < 0:
                        hint = "somebody else wrote it: restore another one, and look who may write there"
                        raise Permanent(f"{backup.name} in {container(cluster)} is larger than a snapshot", hint=hint)
                    target.write(piece)
            return True

        if not self._asked(download, False):
            raise Permanent(f"there is no {backup.name} in {container(cluster)}", hint="reconciler backup --list")

    def delete(self, cluster: str, backup: Backup) -> None:
        """Already gone is success."""
        self._asked(
            lambda storage: storage.delete_object(backup.name, ignore_missing=True, container=container(cluster)),
            None,
        )

    def _asked(self, ask: Callable[[Any], _Answer], missing: _Answer) -> _Answer:
        """What `ask` returns, or `missing` for what is not there."""
        import openstack.exceptions as sdk

        try:
            connection = self._connection()
            if not connection.endpoint_for("object-store"):
                hint = "name a folder in the settings (backups.folder), and `to: folder` in git"
                raise Permanent(f"cloud {self._cloud!r} has no object storage", hint=hint)
            return ask(connection.object_store)
        except sdk.NotFoundException:
            return missing
        except Exception as error:
            raise error if isinstance(error, ReconcilerError) else explain(self._cloud, error) from error


def container(cluster: str) -> str:
    """Its name follows from the cluster's: git names no other, in whose objects others trust."""
    return f"{cluster}-etcd-backups"
