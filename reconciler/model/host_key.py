"""The key by which a machine proves over SSH that it is the one that is meant, and who said so."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

_LONGEST = 4096  # characters of a key in text: RSA of 16384 bits has 2,800
_CURVES = {"nistp256": 65, "nistp384": 97, "nistp521": 133}  # bytes of an uncompressed point
_RSA_BITS = range(2048, 16385)


class Source(StrEnum):
    """Who says that a key is a machine's, in words that a sentence can go on with."""

    RECORD = "the verified record on the observed branch"
    CONSOLE = "its console log in Nova"
    CONTACT = "this machine's first contact with it"


@dataclass(frozen=True, slots=True, order=True)
class HostKey:
    """A public key: its type, such as ssh-ed25519, and its base64. Made by `parse` only."""

    type: str
    text: str

    @property
    def fingerprint(self) -> str:
        """As ssh shows it: SHA256:…"""
        digest = hashlib.sha256(base64.b64decode(self.text)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def __str__(self) -> str:
        return f"{self.type} {self.text}"


@dataclass(frozen=True, slots=True)
class Vouched:
    """The keys of one machine, sorted, one of each type, and who says so."""

    keys: tuple[HostKey, ...]
    source: Source

    @property
    def fingerprints(self) -> str:
        """Those of all its keys, in one line."""
        return ", ".join(key.fingerprint for key in self.keys)


def parse(line: str) -> HostKey | None:
    """The key in `ssh-ed25519 AAAA… comment`. None for what is none: another type than a machine's, base64 that is no
    key of that type, bytes left over."""
    type_, _, rest = line.strip().partition(" ")
    text = rest.strip().partition(" ")[0]
    check = _CHECKS.get(type_)
    if check is None or not text or len(text) > _LONGEST:
        return None
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    fields = _fields(blob)
    canonical = base64.b64encode(blob).decode() == text
    return HostKey(type_, text) if canonical and fields and fields[0] == type_.encode() and check(fields[1:]) else None


def machines(keys: Sequence[HostKey]) -> tuple[HostKey, ...]:
    """The keys as one machine has them; none at all where two different ones are of one type."""
    several = sorted(set(keys))
    return tuple(several) if len({key.type for key in several}) == len(several) else ()


def _fields(blob: bytes) -> list[bytes]:
    """The fields of SSH's wire format (RFC 4253); none where their lengths do not fill the blob."""
    fields = []
    while blob:
        size = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + size:
            return []
        fields.append(blob[4 : 4 + size])
        blob = blob[4 + size :]
    return fields


def _ed25519(fields: Sequence[bytes]) -> bool:
    return len(fields) == 1 and len(fields[0]) == 32


def _rsa(fields: Sequence[bytes]) -> bool:
    return len(fields) == 2 and bool(fields[0]) and int.from_bytes(fields[1], "big").bit_length() in _RSA_BITS


def _ecdsa(curve: str) -> Callable[[Sequence[bytes]], bool]:
    def check(fields: Sequence[bytes]) -> bool:
        named = len(fields) == 2 and fields[0] == curve.encode()
        return named and len(fields[1]) == _CURVES[curve] and fields[1][0] == 4

    return check


# DSA and hardware tokens' keys are no machine's.
_CHECKS: dict[str, Callable[[Sequence[bytes]], bool]] = {
    "ssh-ed25519": _ed25519,
    "ssh-rsa": _rsa,
    **{f"ecdsa-sha2-{curve}": _ecdsa(curve) for curve in _CURVES},
}
