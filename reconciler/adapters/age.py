"""Encryption with age: to public keys that the settings name, opened with a private one that only who restores has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from ..errors import Invalid, Permanent

_SECRET = "AGE-SECRET-KEY-"  # noqa: S105 - how every one begins
_LARGEST = 65536  # bytes of a file with keys
_WAY = "backups.recipients in the settings are age's public keys (age1…, by age-keygen)"


class Age:
    """`recipients` are public keys, `identity` is a file with private ones, as age-keygen writes it; None: there is
    none here, and nothing can be opened."""

    def __init__(self, recipients: Sequence[str], identity: Path | None = None) -> None:
        self._recipients = recipients
        self._identity = identity

    def encrypt(self, clear: IO[bytes], encrypted: IO[bytes]) -> None:
        """Raises Invalid without a recipient, or for one that is no key; Transient when writing fails."""
        import pyrage

        if not self._recipients:
            raise Invalid("nobody is named for whom backups are encrypted", hint=_WAY)
        try:
            keys = [pyrage.x25519.Recipient.from_str(each) for each in self._recipients]
        except pyrage.RecipientError as error:
            raise Invalid(f"backups.recipients: {error}", hint=_WAY) from None
        try:
            pyrage.encrypt_io(clear, encrypted, keys)
        except pyrage.EncryptError as error:
            raise Permanent(f"a backup could not be encrypted: {error}") from None

    def decrypt(self, encrypted: IO[bytes], clear: Callable[[bytes], None]) -> None:
        """Raises as `Cipher.decrypt`; what `clear` raises is passed on."""
        import pyrage

        sink, keys = _Sink(clear), self._keys()
        try:
            pyrage.decrypt_io(encrypted, sink, keys)
        except (pyrage.DecryptError, OSError, ValueError):
            if sink.error is not None:
                raise sink.error from None
            hint = "is it the key of one of the recipients it was encrypted for, and is the file whole?"
            raise Permanent(f"the backup can't be opened with {self._identity}", hint=hint) from None

    def _keys(self) -> list[object]:
        import pyrage

        if self._identity is None:
            raise Invalid("no key is named that opens backups", hint="name its file in the settings: backups.identity")
        try:
            if self._identity.stat().st_mode & 0o077:
                hint = f"chmod 600 {self._identity}"
                raise Invalid(f"others can read {self._identity}, which opens backups", hint=hint)
            with self._identity.open("rb") as file:
                lines = file.read(_LARGEST).decode("ascii", "replace").splitlines()
            keys = [pyrage.x25519.Identity.from_str(line.strip()) for line in lines if line.startswith(_SECRET)]
        except OSError as error:
            raise Invalid(f"cannot read {self._identity}: {error.strerror}", hint="backups.identity names it") from None
        except pyrage.IdentityError:
            keys = []
        if not keys:
            raise Invalid(f"{self._identity} holds no age key", hint="age-keygen writes such a file") from None
        return keys


class _Sink:
    """A stream for age that remembers why it could not be written: age's own errors don't tell."""

    def __init__(self, clear: Callable[[bytes], None]) -> None:
        self._clear = clear
        self.error: Exception | None = None

    def write(self, piece: bytes) -> int:
        try:
            self._clear(bytes(piece))
        except Exception as error:
            self.error = error
            raise
        return len(piece)

    def flush(self) -> None:
        """Nothing is kept back."""
