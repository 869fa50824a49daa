"""Values of SOPS files that applications ask for: read at their key, known by what git shows of them."""

from __future__ import annotations

import base64
import binascii
import difflib
import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..errors import Problem
from . import sealed, secrets
from .load import DesiredCluster
from .render.application import Sealed
from .yaml import Path, Unreadable, parse

_SHOWN = 10


def values(
    desired: DesiredCluster, files: Mapping[str, bytes], raw: Mapping[str, bytes], problems: list[Problem]
) -> dict[tuple[str, str], Sealed]:
    """The value of every file and key that an application of the cluster names. `files` are in the clear where they can
    be, `raw` as git has them. Mistakes go to `problems`; none of them says what a value is."""
    found: dict[tuple[str, str], Sealed] = {}
    for app in desired.applications:
        for variable, source in app.spec.secrets.items():
            if source.file is None or source.key is None:
                continue
            value = _value(source.file, source.key, files, raw)
            if isinstance(value, Sealed):
                found[source.file, source.key] = value
            else:
                path: Path = ("spec", "secrets", variable, value[0])
                problems.append(desired.problem("Application", app.name, path, *value[1:]))
    return found


def _value(file: str, key: str, files: Mapping[str, bytes], raw: Mapping[str, bytes]) -> Sealed | tuple[str, str, str]:
    """The value, or what is wrong: at which key of the source, why, and what to do."""
    if file not in files:
        close = difflib.get_close_matches(file, [f for f in files if f.startswith("manifests/")], n=1)
        hint = f"did you mean {close[0]!r}?" if close else "paths start at the repository's root, below manifests/"
        return "file", f"there is no file {file!r}", hint
    clear, encrypted = _entries(file, files[file]), _entries(file, raw.get(file, b""))
    if key not in clear:
        return "key", f"{file} has no key {key!r}", _known(key, clear)
    if not secrets.sealed(encrypted.get(key)):
        return "key", f"{key!r} of {file} is not encrypted", f"encrypt it: `sops --encrypt --in-place {file}`"
    if not (sealed.is_text(encrypted[key]) and isinstance(clear[key], str)):
        return "key", f"{key!r} of {file} {sealed.NO_TEXT}", sealed.HINT_NO_TEXT
    # What is encrypted anew is another text, and counts as another value.
    version = hashlib.sha256(encrypted[key].encode()).hexdigest()[:16]
    return Sealed(clear[key], version)


def _entries(file: str, text: bytes) -> dict[str, Any]:
    """The single values of a flat file, or of a Secret's data."""
    try:
        documents = parse(file, text)
    except Unreadable:
        return {}
    return {key: value for document in documents for key, value in _of(document.value)}


def _of(value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        return
    if value.get("kind") != "Secret":
        yield from ((k, v) for k, v in value.items() if isinstance(v, (str, int, float)))
        return
    for key, item in (value.get("data") or {}).items():
        yield key, item if secrets.sealed(item) else _decoded(item)
    yield from (value.get("stringData") or {}).items()


def _decoded(item: Any) -> str:
    try:
        return base64.b64decode(str(item), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return str(item)


def _known(key: str, entries: Collection[str]) -> str:
    close = difflib.get_close_matches(key, entries, n=1)
    return f"did you mean {close[0]!r}?" if close else f"keys it has: {', '.join(sorted(entries)[:_SHOWN])}"
