"""From plain values to frozen types, with every mistake named at its line and in plain words."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from ..errors import Problem
from ..model.desired import At
from .secrets import form_of, says_secret
from .yaml import Document, Path, quoted

M = TypeVar("M", bound=BaseModel)

_SHOWN = 40  # mistakes of one document that are told one by one
_TOO_MANY = 10_000  # then not even a list is made: this is no desired state
_LONGEST_KEY = 60  # no key of ours is longer, and comparing takes time
_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "path_type": "a path",
    "is_instance_of": "a path",
}


def validate(kind: type[M], document: Document) -> tuple[M | None, list[Problem]]:
    """Return the object, or None and every problem found in the document."""
    try:
        return kind.model_validate(document.value), []
    except ValidationError as error:
        count = error.error_count()
        if count > _TOO_MANY:
            return None, [document.problem((), f"has {count} mistakes", "is this the right file?")]
        found = [_problem(kind, document, dict(d)) for d in error.errors(include_url=False)[:_SHOWN]]
        if count > _SHOWN:
            found.append(document.problem((), f"has {count - _SHOWN} more mistakes", "correct the first ones"))
        return None, found


def validate_part(kind: type[BaseModel], document: Document, value: object, place: Path) -> list[Problem]:
    """Every problem of `value`, which lies at `place` of the document and need not be complete: what is there must be
    right, and rules over several fields are left to the whole."""
    try:
        kind.model_validate(value)
    except ValidationError as error:
        moved = Shifted(document.file, document.value, document.positions, place)
        wrong = [d for d in error.errors(include_url=False)[:_TOO_MANY] if not _incomplete(dict(d))]
        return [_problem(kind, moved, dict(d)) for d in wrong[:_SHOWN]]
    return []


def _incomplete(detail: dict[str, Any]) -> bool:
    return detail["type"] == "missing" or isinstance(detail.get("ctx", {}).get("error"), At)


@dataclass(frozen=True)
class Shifted(Document):
    """A part of a document: its paths begin at `place`."""

    place: Path = ()

    def problem(self, path: Path, message: str, hint: str | None = None) -> Problem:
        return super().problem((*self.place, *path), message, hint)


def _problem(kind: type[BaseModel], document: Document, detail: dict[str, Any]) -> Problem:
    path: Path = tuple(detail["loc"])
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, At):
        path += cause.path
    message, hint = _words(kind, path, detail, cause)
    return document.problem(path, message, hint)


def _words(
    kind: type[BaseModel], path: Path, detail: dict[str, Any], cause: Exception | None
) -> tuple[str, str | None]:
    code, given = detail["type"], detail.get("input")
    if code == "extra_forbidden":
        return f"unknown key {quoted(str(path[-1]))}", _suggestion(kind, path)
    if code == "missing":
        return f"key {path[-1]!r} is missing", None
    if says_secret(path) or (isinstance(given, str) and form_of(given)):
        return "does not have the right form (what was found is not shown: it may be a secret)", None
    return (str(cause), None) if cause is not None else _mistaken(code, given, detail)


def _mistaken(code: str, given: Any, detail: dict[str, Any]) -> tuple[str, str | None]:
    if code == "string_pattern_mismatch":
        return f"{_shown(given)} does not have the right form", f"must match {detail['ctx']['pattern']}"
    expected = f"one of {detail['ctx']['expected']}" if code == "literal_error" else _EXPECTED.get(code)
    if expected:
        return f"expected {expected}, found {_shown(given)}", _trap(code, given)
    return f"{detail['msg'][0].lower()}{detail['msg'][1:]}, found {_shown(given)}", None


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, (dict, tuple)):
        return "a mapping" if isinstance(value, dict) else "a list"
    return quoted(value) if isinstance(value, str) else str(value)[:60]


def _trap(code: str, given: Any) -> str | None:
    if code == "string_type" and isinstance(given, (int, float)):
        return "put it in quotes: YAML reads it as a number (and 1.30 as 1.3)"
    if code == "bool_type" and isinstance(given, str) and given.lower() in {"yes", "no", "on", "off", "y", "n"}:
        return "YAML 1.2 reads this as text; write true or false"
    if code == "int_type" and isinstance(given, str) and given.isdigit():
        return "write it without quotes"
    return None


def _suggestion(kind: type[BaseModel], path: Path) -> str | None:
    model: Any = kind
    for part in path[:-1]:
        model = _inside(model, part)
    return _closest(str(path[-1])[:_LONGEST_KEY], tuple(_keys(model)))


@lru_cache(maxsize=1024)  # who is wrong once is wrong the same way in the next document
def _closest(word: str, names: tuple[str, ...]) -> str | None:
    if close := difflib.get_close_matches(word, names, n=1):
        return f"did you mean {close[0]!r}?"
    return f"known here: {', '.join(sorted(names))}" if names else None


def _keys(model: Any) -> list[str]:
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return []
    return [field.alias or name for name, field in model.model_fields.items()]


def _inside(model: Any, part: str | int) -> Any:
    """The type of what lies at `part` of `model`, seen through Optional, tuples and mappings."""
    if isinstance(part, int):
        return _model_in(model)
    if isinstance(model, type) and issubclass(model, BaseModel):
        for name, field in model.model_fields.items():
            if part in (name, field.alias):
                return _model_in(field.annotation)
    return None


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for m in map(_model_in, get_args(annotation)) if m is not None), None)
