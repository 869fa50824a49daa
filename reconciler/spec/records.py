"""YAML that programs wrote and anybody may have replaced since: plain data, read fast, within bounds, or not at all.

Records have no anchors, no tags and one document, and what stands unquoted in them is what PyYAML's writer leaves so.
Positions of values are not kept, so a record of some megabytes is read in the time that a page of `spec.yaml` takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

import yaml

from ..errors import Problem
from ..ports import RECORD_BYTES
from .yaml import Unreadable, decoded, events, position, syntax

Plain: TypeAlias = "str | int | float | bool | tuple[Plain, ...] | dict[str, Plain] | None"

_MAX_DEPTH = 20
_MAX_VALUES = 1_000_000  # 5,000 objects and 1,000 machines are 250,000
_WORDS: dict[str, Plain] = {"": None, "null": None, "true": True, "false": False}
_INT = re.compile(r"-?[0-9]{1,300}")
_FLOAT = re.compile(r"-?[0-9]{1,300}\.[0-9]{0,300}(e[-+][0-9]{1,3})?|-?\.inf|\.nan")
_ENDS = (yaml.SequenceEndEvent, yaml.MappingEndEvent)


def read(file: str, text: bytes) -> Plain:
    """The only document of a record; None for an empty one. Lists become tuples. Raises Unreadable."""
    if len(text) > RECORD_BYTES:
        raise Unreadable(Problem(file, 1, 1, "", f"larger than {RECORD_BYTES >> 20} MiB"))
    content = decoded(file, text)
    builder = _Builder(file, events(content))
    try:
        return builder.document()
    except yaml.MarkedYAMLError as error:
        raise Unreadable(syntax(file, content, error)) from None
    except (yaml.YAMLError, ValueError, ArithmeticError) as error:
        raise Unreadable(Problem(file, 1, 1, "", f"broken YAML: {type(error).__name__}")) from None


class _Builder:
    """Turns events into plain values as they come: what is too deep or too much is refused where that shows."""

    def __init__(self, file: str, events: Iterator[Any]) -> None:
        self._file = file
        self._events = events
        self._left = _MAX_VALUES

    def document(self) -> Plain:
        value: Plain = None
        seen = False
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if seen:
                    raise self._refused(event, "holds a second document")
                value, seen = self._value(next(self._events), 0), True
        return value

    def _value(self, event: Any, depth: int) -> Plain:
        self._left -= 1
        if self._left < 0 or depth > _MAX_DEPTH:
            raise self._refused(event, "is nested too deeply" if self._left >= 0 else "holds too many values")
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None or event.tag is not None:
            raise self._refused(event, "has an anchor, an alias or a tag, which no record has")
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event.value) if event.implicit[0] else str(event.value)
        if isinstance(event, yaml.SequenceStartEvent):
            return tuple(self._value(item, depth + 1) for item in iter(self._next, None))
        return self._mapping(depth)

    def _mapping(self, depth: int) -> Plain:
        result: dict[str, Plain] = {}
        for event in iter(self._next, None):
            key = self._value(event, depth + 1)
            if not isinstance(key, str) or key in result:
                raise self._refused(event, "has a key that is no text, or is there twice")
            result[key] = self._value(next(self._events), depth + 1)
        return result

    def _next(self) -> Any:
        """The next event of a list or a mapping; None at its end."""
        event = next(self._events)
        return None if isinstance(event, _ENDS) else event

    def _refused(self, event: Any, message: str) -> Unreadable:
        return Unreadable(Problem(self._file, *position(event), "", message))


def _scalar(word: str) -> Plain:
    if word in _WORDS:
        return _WORDS[word]
    if word[0] in "-.0123456789":
        if _INT.fullmatch(word):
            return int(word)
        if _FLOAT.fullmatch(word):
            return float(word.replace(".inf", "inf").replace(".nan", "nan"))
    return word
