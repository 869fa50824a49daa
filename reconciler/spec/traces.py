"""Whether a text still shows an encrypted value after a template or a program was at work on it: cut up, in another
case, escaped for a URL, or as Base64, and all of that once more.

What is looked for is the encrypted text, which is in git for everybody: its parts are random, and stand in no text by
chance. So a value such as "1" or "admin" is never mistaken for the same word elsewhere."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

_SIGN = "enc[aes"
# A run of 12 characters of Base64 is 72 bits: none is met by chance.
_WINDOW = 12
_PARTS = re.compile(r"(?:data|iv|tag):([\w+/=]+)")
_RUN = re.compile(r"[A-Za-z0-9+/_-]{16,}")
_WORD = re.compile(rf"[a-z0-9+/=]{{{_WINDOW},}}")
_URL_SAFE = str.maketrans("-_", "+/")
_DEPTH = 3


def pieces(encrypted: Iterable[str]) -> frozenset[str]:
    """All that may be left of these texts, in lower case."""
    parts = (part.lower() for text in encrypted for part in _PARTS.findall(text))
    return frozenset(part[at : at + _WINDOW] for part in parts for at in range(len(part) - _WINDOW + 1))


def traced(text: str, known: frozenset[str]) -> bool:
    """Does the text show an encrypted value, or a piece of one that is `known`?"""
    return any(_SIGN in form or _holds(form, known) for form in _forms(text, _DEPTH))


def _holds(text: str, known: frozenset[str]) -> bool:
    words = _WORD.findall(text) if known else ()
    return any(word[at : at + _WINDOW] in known for word in words for at in range(len(word) - _WINDOW + 1))


def _forms(text: str, depth: int) -> Iterator[str]:
    """The text, and all that it may be an encoding of, in lower case."""
    yield text.lower()
    if depth:
        if "%" in text and (plain := unquote(text, errors="replace")) != text:
            yield from _forms(plain, depth - 1)
        for run in _RUN.findall(text):
            for start in range(4):  # what stands before it may belong to the same word
                yield from _forms(_decoded(run[start:]), depth - 1)


def _decoded(run: str) -> str:
    whole = run.translate(_URL_SAFE)[: len(run) // 4 * 4]
    try:
        return base64.b64decode(whole).decode("latin-1")
    except (binascii.Error, ValueError):
        return ""
