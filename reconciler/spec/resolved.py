"""A cluster as it is after all layers, written as YAML, each value with where it is from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .layers import Origin
from .load import DesiredCluster
from .scalars import kind_of
from .secrets import says_secret
from .yaml import Path

_HIDDEN = "(hidden)"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of YAML. `origin` is None where the line holds no value of its own."""

    text: str
    path: Path
    origin: Origin | None


def lines(desired: DesiredCluster) -> list[Line]:
    """The resolved cluster in the model's order; what is not set and has no default is left out."""
    return [
        Line(text, path, desired.origin(path) if leaf else None)
        for text, path, leaf in _mapping(value(desired), (), "")
    ]


def value(desired: DesiredCluster) -> dict[str, Any]:
    """The resolved cluster as plain data, as YAML has it; values that may be secrets are hidden."""
    found: dict[str, Any] = desired.cluster.model_dump(mode="json", by_alias=True, exclude_none=True)
    return dict(_hidden(found, ()))


def origins(desired: DesiredCluster) -> dict[str, dict[str, str | int]]:
    """Where each value is from, by its dotted path."""
    told = {".".join(map(str, line.path)): line.origin for line in lines(desired) if line.origin}
    return {path: {"layer": o.layer, "file": o.file, "line": o.line} for path, o in told.items()}


def _hidden(value: Any, path: Path) -> Any:
    if isinstance(value, Mapping):
        return {key: _hidden(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_hidden(item, (*path, n)) for n, item in enumerate(value)]
    return _HIDDEN if isinstance(value, str) and says_secret(path) else value


def _mapping(value: Mapping[str, Any], path: Path, indent: str) -> Iterator[tuple[str, Path, bool]]:
    for key, item in value.items():
        yield from _entry(f"{indent}{_text(key)}:", item, (*path, key), f"{indent}  ")


def _sequence(value: list[Any], path: Path, indent: str) -> Iterator[tuple[str, Path, bool]]:
    for number, item in enumerate(value):
        place = (*path, number)
        if isinstance(item, Mapping) and item:
            first, *rest = _mapping(item, place, f"{indent}  ")
            yield f"{indent}- {first[0].lstrip()}", first[1], first[2]
            yield from rest
        else:
            yield from _entry(f"{indent}-", item, place, f"{indent}  ")


def _entry(head: str, item: Any, path: Path, indent: str) -> Iterator[tuple[str, Path, bool]]:
    if isinstance(item, (Mapping, list)) and item:
        yield head, path, False
        yield from _mapping(item, path, indent) if isinstance(item, Mapping) else _sequence(item, path, indent)
    else:
        yield f"{head} {_text(item)}", path, True


def _text(value: Any) -> str:
    """A value as YAML 1.2 has it: text goes without quotes where it can be nothing else."""
    if not isinstance(value, str):
        return json.dumps(value)
    plain = value.replace("-", "").replace("/", "").replace(".", "").replace("_", "").isalnum()
    return value if plain and value[0].isalpha() and kind_of(value) == "str" else json.dumps(value, ensure_ascii=False)
