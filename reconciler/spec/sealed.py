"""Values that SOPS encrypted, in texts that programs work on: they go in and come out as they are, and only the objects
made of them are opened, in memory."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from . import secrets
from .yaml import SUFFIXES, Unreadable, parse

MARK = "ENC[AES256_GCM,"
TOKEN = re.compile(r"ENC\[AES256_GCM,[^\]]*\]")


def opened(used: Mapping[str, bytes], clear: Mapping[str, bytes]) -> dict[str, Any]:
    """What every encrypted value of the files is in the clear (itself, where nothing was opened)."""
    found: dict[str, Any] = {}
    for path, text in used.items():
        if MARK.encode() in text and path.endswith(SUFFIXES):
            try:
                both = list(zip(parse(path, text), parse(path, clear[path]), strict=False))
            except Unreadable:  # a template, which SOPS can't have encrypted
                continue
            for closed, plain in both:
                found.update(_pairs(closed.value, plain.value))
    return found


def _pairs(closed: Any, plain: Any) -> Iterator[tuple[str, Any]]:
    if secrets.sealed(closed):
        yield closed, plain
    elif isinstance(closed, dict) and isinstance(plain, dict):
        for key in closed.keys() & plain.keys():
            yield from _pairs(closed[key], plain[key])
    elif isinstance(closed, tuple) and isinstance(plain, tuple):
        for one, other in zip(closed, plain, strict=False):
            yield from _pairs(one, other)


def inside(text: str, known: Mapping[str, Any]) -> str:
    """The text with every encrypted value in it in the clear. Raises KeyError for one that can't be opened."""
    return TOKEN.sub(lambda token: str(known[token[0]]), text)


def decoded(text: str) -> str | None:
    """The text that a Secret's datum is Base64 of, where an encrypted value is in it; else None."""
    try:
        plain = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return plain if MARK in plain else None


def encoded(text: str) -> str:
    """As a Secret's data are written."""
    return base64.b64encode(text.encode()).decode()


def without_sops(file: str, text: bytes) -> bytes:
    """The text without what SOPS noted at its end, which is no value of anything. Raises Unreadable."""
    document = next(iter(parse(file, text)), None)
    if document is None or not isinstance(document.value, dict) or "sops" not in document.value:
        return text
    if file.endswith(".json"):
        return json.dumps({key: value for key, value in document.value.items() if key != "sops"}).encode()
    lines = text.splitlines(keepends=True)
    start = document.positions[("sops",)][0] - 1
    later = [at[0] - 1 for path, at in document.positions.items() if len(path) == 1 and at[0] - 1 > start]
    return b"".join(lines[:start] + (lines[min(later) :] if later else []))
