"""Where snapshots of etcd are kept, off the machines: encrypted files under names of ours, one folder a cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

from ..model.backup import Backup


class BackupStore(Protocol):
    """One place. What lies there under other names is nobody's of ours: never listed, never deleted."""

    def list(self, cluster: str) -> tuple[Backup, ...]:
        """The whole snapshots of a cluster, in any order. Raises Transient or Permanent when that can't be told."""

    def put(self, cluster: str, backup: Backup, file: Path) -> None:
        """Keep an encrypted file under the snapshot's name: whole or not at all. Raises Transient or Permanent."""

    def get(self, cluster: str, backup: Backup, file: Path) -> None:
        """Write the encrypted snapshot to `file`. Raises Permanent when it is not there, Transient."""

    def delete(self, cluster: str, backup: Backup) -> None:
        """Delete it; already gone is success. Raises Transient or Permanent."""


class Cipher(Protocol):
    """Encryption for those who may read snapshots."""

    def encrypt(self, clear: IO[bytes], encrypted: IO[bytes]) -> None:
        """From one stream to the other, whatever the size. Raises what reading or writing raises."""

    def decrypt(self, encrypted: IO[bytes], clear: Callable[[bytes], None]) -> None:
        """Hand the clear bytes to `clear`, piece by piece. A piece is not to be acted on before the end: only then it
        is sure that nothing was changed or cut off. Raises Invalid for a key that is missing or no key, Permanent for a
        file that it does not open."""
