"""The one rule for what SOPS encrypted: it may lie in a Secret's `data` and `stringData`, as text, and nowhere else.

Manifests, kustomizations, charts and templates are read and built as git has them, the encrypted texts in them. So what
a program or a template makes can't depend on a value, and where a value comes to lie is seen before any is opened. Then
the Secrets are opened, in memory, object by object: whole values, also inside a text and inside Base64.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from ..errors import Problem
from . import secrets
from .traces import pieces, traced
from .yaml import SUFFIXES, Path, Unreadable, dotted, parse

MARK = "ENC[AES256_GCM,"
SECTIONS = ("data", "stringData")
TOKEN = re.compile(r"ENC\[AES256_GCM,[^\]]*\]")
_TEXT = re.compile(r"type:(?:str|bytes)\]$")
_RUN = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
_DEPTH = 3  # Base64 in Base64: what logs in to a registry is so

_HINT = (
    "a value that SOPS keeps may stand in a Secret's data or stringData only (encrypt these: "
    "`sops --encrypt --encrypted-regex '^(data|stringData)$'`); elsewhere, refer to that Secret by its name"
)
_CHANGED = "makes something of an encrypted value that can't be opened: it can only be passed on whole, to a Secret"
_HINT_CHANGED = (
    "a value may be passed on to a Secret's data, with text around it, or as Base64; take out the patch, replacement, "
    "generator or function that does anything else to it. What SOPS keeps has to be YAML or JSON"
)
NO_TEXT = "is an encrypted value that is no text, but a number, a date, true or false"
HINT_NO_TEXT = "a Secret holds text: open the file with `sops`, put the value in quotes, and save it"
_NO_BASE64 = "is an encrypted value that is not Base64, as a Secret's data have to be"
_HINT_NO_BASE64 = "put it under stringData, or encrypt it as Base64"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where git has an encrypted value; `kept` is whether that is a Secret's data."""

    file: str
    line: int
    path: str
    kept: bool = False

    def __str__(self) -> str:
        return f"{self.path} of {self.file}:{self.line}"


@dataclass(frozen=True)
class Values:
    """What is encrypted in the files that something is made of. `clear` has each value by its encrypted text (itself,
    where nothing was opened), `origins` where it is from; `present` is whether anything in the files looks encrypted,
    also what can't be opened."""

    clear: Mapping[str, Any] = field(default_factory=dict, repr=False)
    origins: Mapping[str, Origin] = field(default_factory=dict, repr=False)
    present: bool = False

    @cached_property
    def pieces(self) -> frozenset[str]:
        return pieces(self.clear)


@dataclass(frozen=True, slots=True)
class Leak:
    """A place of an object where an encrypted value must not lie, or not so; `origin` is the value's, where one shows.
    `own`: the value is wrong itself, wherever it is carried. No part of it says what the value is."""

    path: Path
    message: str
    hint: str
    origin: Origin | None = None
    own: bool = False

    @property
    def at_origin(self) -> Problem | None:
        """The problem in the encrypted file, where that has to be changed; None where what carried the value has to."""
        origin = self.origin
        if origin is None or (origin.kept and not self.own):
            return None
        return Problem(origin.file, origin.line, 1, origin.path, self.message, self.hint)


@dataclass(frozen=True)
class Encrypted:
    """Files as git has them (`raw`) and in the clear, of which those that SOPS keeps are opened when their values are
    asked for. A value is opened for what is made from its own file: who copies an encrypted text elsewhere has nothing
    of it."""

    raw: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    clear: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    _known: dict[str, Values] = field(default_factory=dict, repr=False, compare=False)

    def closed(self, files: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """The files as git has them."""
        return self.raw or files

    def of(self, file: str) -> Values:
        """The values of a file; none where SOPS does not keep it. Raises what opening it raises."""
        if file not in self._known:
            text = self.raw.get(file)
            kept = text is not None and is_kept(file, text)
            self._known[file] = values({file: text}, self.clear) if kept and text is not None else NOTHING
        return self._known[file]


NONE = Encrypted()
NOTHING = Values()


@dataclass(frozen=True, slots=True)
class _Token:
    """A whole encrypted value in a text."""

    text: str


@dataclass(frozen=True, slots=True)
class _Coded:
    """Base64 of a text with encrypted values in it."""

    parts: tuple[_Part, ...]


_Part: TypeAlias = "str | _Token | _Coded"


def is_kept(path: str, text: bytes) -> bool:
    """Is this a file that SOPS keeps?"""
    if not path.endswith(SUFFIXES) or b"sops" not in text:
        return False
    try:
        return any(isinstance(d.value, dict) and "sops" in d.value for d in parse(path, text))
    except Unreadable:
        return False


def is_text(token: str) -> bool:
    """Is an encrypted value a text? SOPS notes its type beside it, so that can be told without a key."""
    return bool(_TEXT.search(token))


def values(used: Mapping[str, bytes], clear: Mapping[str, bytes]) -> Values:
    """What is encrypted in the files `used`, which are as git has them."""
    known = list(_values(used, clear))
    plain = {token: value for token, value, _ in known}
    origins = {token: origin for token, _, origin in known}
    return Values(plain, origins, any(MARK.encode() in text for text in used.values()))


def opened(used: Mapping[str, bytes], clear: Mapping[str, bytes]) -> Mapping[str, Any]:
    """What every encrypted value of the files is in the clear (itself, where nothing was opened)."""
    return values(used, clear).clear


def _values(used: Mapping[str, bytes], clear: Mapping[str, bytes]) -> Iterator[tuple[str, Any, Origin]]:
    for file, text in used.items():
        if MARK.encode() not in text or not is_kept(file, text):
            continue
        try:
            both = list(zip(parse(file, text), parse(file, clear.get(file, text)), strict=False))
        except Unreadable:  # what was opened is no YAML we read: then nothing of it can be
            continue
        for closed, plain in both:
            for path, token, value in _pairs(closed.value, plain.value, ()):
                place = closed.problem(path, "")
                yield token, value, Origin(file, place.line, dotted(path), _is_kept_well(closed.value, path))


def _pairs(closed: Any, plain: Any, path: Path) -> Iterator[tuple[Path, str, Any]]:
    if secrets.sealed(closed):
        yield path, closed, plain
    elif isinstance(closed, dict) and isinstance(plain, dict):
        for key in (key for key in closed if key in plain):
            yield from _pairs(closed[key], plain[key], (*path, key))
    elif isinstance(closed, (tuple, list)) and isinstance(plain, (tuple, list)):
        for index, (one, other) in enumerate(zip(closed, plain, strict=False)):
            yield from _pairs(one, other, (*path, index))


def _is_kept_well(document: Any, path: Path) -> bool:
    """Is that place of a document a Secret's data, of a Secret in a List too?"""
    inside = document
    for step in path[:-2]:
        inside = inside[step]
    return _holds(inside, path[-2:])


def _holds(manifest: Any, path: Path) -> bool:
    """May an encrypted value lie at that place of the object?"""
    known = isinstance(manifest, Mapping) and (manifest.get("apiVersion"), manifest.get("kind")) == ("v1", "Secret")
    return known and len(path) == 2 and path[0] in SECTIONS


def no_text(manifest: Mapping[str, Any], *, kept: bool = False) -> Iterator[Path]:
    """Where a Secret has a number, a list or the like: the server would repeat it as it refuses it. An empty entry of
    `data` is one that asks for nothing, as charts write it; in a file that SOPS has `kept` somebody meant a value."""
    for section in SECTIONS:
        entries = manifest.get(section)
        for name, value in entries.items() if isinstance(entries, Mapping) and _holds(manifest, (section, "")) else ():
            if not (isinstance(value, str) or (value is None and section == "data" and not kept)):
                yield section, name


def leaks(manifest: Mapping[str, Any], known: Values) -> list[Leak]:
    """Every place of an object that breaks the rule; the object is as it was built, nothing opened."""
    texts = _texts(manifest, ()) if known.present else ()
    judged = (_leak(manifest, path, text, known, key) for path, text, key in texts if path[0] != "sops")
    return [leak for leak in judged if leak]


def _leak(manifest: Mapping[str, Any], path: Path, text: str, known: Values, key: bool) -> Leak | None:
    parts = _parts(text)
    tokens = list(_tokens(parts))
    origin = next((known.origins[token] for token in tokens if token in known.origins), None)
    if _holds(manifest, path) and not key:
        wrong = _wrong(parts, tokens, known, coded=path[0] == "data")
        return Leak(path, *wrong, origin, own=wrong[0] == NO_TEXT) if wrong else None
    if origin:
        where = f"{manifest.get('kind')} {_name(manifest)}, in plain text"
        message = f"an encrypted value would come to lie in {where}: it can only be passed on whole, to a Secret's data"
        return Leak(path, message, _HINT, origin)
    return Leak(path, _CHANGED, _HINT_CHANGED) if tokens or traced(text, known.pieces) else None


def _name(manifest: Mapping[str, Any]) -> str:
    metadata = manifest.get("metadata")
    return str(metadata.get("name")) if isinstance(metadata, Mapping) else ""


def _wrong(parts: Iterable[_Part], tokens: Iterable[str], known: Values, *, coded: bool) -> tuple[str, str] | None:
    """What is wrong with a datum of a Secret."""
    if any(token not in known.clear for token in tokens) or any(traced(t, known.pieces) for t in _literals(parts)):
        return _CHANGED, _HINT_CHANGED
    if not all(is_text(token) and isinstance(known.clear[token], str) for token in tokens):
        return NO_TEXT, HINT_NO_TEXT
    closed = any(known.clear[token] == token for token in tokens)
    if coded and tokens and not closed and not _is_base64(_written(parts, known)):
        return _NO_BASE64, _HINT_NO_BASE64
    return None


def _is_base64(text: str) -> bool:
    """As the API server reads it, which skips line breaks (Go's encoding/base64)."""
    try:
        base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def unsealed(manifest: Mapping[str, Any], known: Values) -> dict[str, Any]:
    """The object with what is encrypted in the clear, and without SOPS's own notes; it has no leaks."""
    if not known.present:
        return dict(manifest)
    clear = {key: value for key, value in manifest.items() if key != "sops"}
    for section in SECTIONS:
        entries = clear.get(section)
        if isinstance(entries, Mapping) and _holds(manifest, (section, "")):
            clear[section] = {name: _opened(value, known) for name, value in entries.items()}
    return clear


def _opened(value: Any, known: Values) -> Any:
    return _written(_parts(value), known) if isinstance(value, str) else value


def _written(parts: Iterable[_Part], known: Values) -> str:
    return "".join(_write(part, known) for part in parts)


def _write(part: _Part, known: Values) -> str:
    if isinstance(part, _Token):
        return str(known.clear[part.text])
    if isinstance(part, _Coded):
        return base64.b64encode(_written(part.parts, known).encode()).decode()
    return part


def _parts(text: str, depth: int = _DEPTH) -> tuple[_Part, ...]:
    """A text cut at its encrypted values, and at Base64 that has such in it."""
    parts: list[_Part] = []
    last = 0
    for token in TOKEN.finditer(text):
        parts += [*_around(text[last : token.start()], depth), _Token(token[0])]
        last = token.end()
    return (*parts, *_around(text[last:], depth))


def _around(text: str, depth: int) -> Iterator[_Part]:
    last = 0
    for run in _RUN.finditer(text) if depth else ():
        inside = _parts(_decoded(run[0]), depth - 1)
        if any(_tokens(inside)):
            yield text[last : run.start()]
            yield _Coded(inside)
            last = run.end()
    yield text[last:]


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _tokens(parts: Iterable[_Part]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, _Token):
            yield part.text
        elif isinstance(part, _Coded):
            yield from _tokens(part.parts)


def _literals(parts: Iterable[_Part]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, str):
            yield part
        elif isinstance(part, _Coded):
            yield from _literals(part.parts)


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str, bool]]:
    """Every text of an object with its place, keys too: the last says whether it is one."""
    if isinstance(value, str):
        yield path, value, False
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield (*path, key), str(key), True
            yield from _texts(item, (*path, key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))


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
