"""Changes to YAML that a person wrote: only the lines that are meant change, comments and layout stay."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import Permanent
from .yaml import Path, parse

_INDENTS = ((4, 2), (2, 0))  # list items set in, or not: the two ways people write them


@dataclass(frozen=True, slots=True)
class Edit:
    """One change in one document of a file. `value` None removes what is at `path`; with `append` the value is put
    behind the list there (which is made where there is none)."""

    path: Path
    value: Any
    document: int = 0
    append: bool = False


def edited(file: str, text: bytes, edits: Sequence[Edit]) -> bytes:
    """The text with the edits made. Lines that all end as on Windows still do. Raises Permanent for a file whose layout
    would be rewritten besides."""
    if _ends_as_on_windows(text):
        return edited(file, text.replace(b"\r\n", b"\n"), edits).replace(b"\n", b"\r\n")
    yaml, documents = _read(file, text.decode("utf-8"))
    for edit in edits:
        if edit.value is not None:
            _apply(documents[edit.document], edit)
    written = _write(yaml, documents)
    # What goes goes last, from the end: so that a number in a path still means what it meant.
    for edit in sorted((e for e in edits if e.value is None), key=lambda e: str(e.path), reverse=True):
        written = _removed(file, written, edit)
    return written.encode()


def _ends_as_on_windows(text: bytes) -> bool:
    ends = text.count(b"\r\n")
    return ends > 0 and ends == text.count(b"\n") == text.count(b"\r")


def _removed(file: str, text: str, edit: Edit) -> str:
    """Without what is at the path. Its lines are cut out where it has lines of its own: ruamel.yaml would take the
    comment of what follows along."""
    found = parse(file, text.encode())[edit.document]
    lines = text.splitlines(keepends=True)
    first, column = found.positions[edit.path]
    if lines[first - 1][: column - 1].strip(" ") in ("", "-"):
        last = max(line for path, (line, _) in found.positions.items() if path[: len(edit.path)] == edit.path)
        above = lines[: first - 1]
        if len(_at(found.value, edit.path[:-1])) == 1:  # an empty list is still a list
            head = found.positions[edit.path[:-1]][0]
            above[head - 1] = re.sub(r":([ ]*(#.*)?\n)$", r": []\1", above[head - 1])
        return "".join(above + lines[last:])
    yaml, documents = _read(file, text)
    parent = _at(documents[edit.document], edit.path[:-1])
    del parent[edit.path[-1]]
    return _write(yaml, documents)


def _at(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value


def _read(file: str, text: str) -> tuple[Any, list[Any]]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    for sequence, offset in _INDENTS:
        yaml = YAML()
        yaml.preserve_quotes = True
        yaml.width = 1 << 16
        yaml.indent(mapping=2, sequence=sequence, offset=offset)
        yaml.explicit_start = True if text.startswith("---\n") else None
        try:
            documents = list(yaml.load_all(text))
        except YAMLError:
            break
        if _write(yaml, documents) == text:
            return yaml, documents
    hint = "change it by hand, or lay it out with two spaces a level first"
    raise Permanent(f"{file} has a layout that would be rewritten as a whole", hint=hint)


def _write(yaml: Any, documents: list[Any]) -> str:
    written = io.StringIO()
    yaml.dump_all(documents, written)
    return written.getvalue()


def _apply(document: Any, edit: Edit) -> None:
    *parents, last = edit.path
    at = document
    for part in parents:
        if isinstance(at, dict) and part not in at:
            at[part] = {}
        at = at[part]
    if edit.append:
        _append(at, last, edit.value)
    else:
        at[last] = plain(edit.value)


def _append(at: Any, key: Any, value: Any) -> None:
    if key in at:
        at[key].append(plain(value))
    else:
        at[key] = [plain(value)]


def plain(value: Any) -> Any:
    """What was parsed, with lists in the place of tuples, as YAML is written."""
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else value
