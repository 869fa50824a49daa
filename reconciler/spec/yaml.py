"""YAML 1.2 with positions: every value knows its line and column, and nothing surprising is let through.

Values are built from the parser's events as they come, so that what is too deep or too much is refused where that
shows, and not after all of it was read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from ..errors import Problem
from .scalars import KINDS, kind_of, older, value_of

Path: TypeAlias = tuple[str | int, ...]
Position: TypeAlias = tuple[int, int]

SUFFIXES = (".yaml", ".yml", ".json")  # JSON is YAML as well, and is applied as such

# What a text costs is what comes out of it, so that is limited, and not indentation, comments and prose: definitions of
# well-known operators have 1 to 4 MiB, of which most is indentation, 46 bytes or more for each value, and 35 levels.
# libyaml's parser, which every wheel of PyYAML has, makes 60,000 values in half a second; PyYAML's own needs ten.
_FAST = yaml.__with_libyaml__
_LOADER: Any = yaml.CSafeLoader if _FAST else yaml.SafeLoader
MAX_BYTES = (10 << 20) if _FAST else (24 << 10)  # what is read of git at all
_MAX_DEPTH = 100
_MAX_VALUES = 60_000  # in one file, aliases counted as often as they are used, and more only in a large text:
_BYTES_A_VALUE = 42  # no bomb is bigger than what it was made of, and the largest file needs less than 200 MiB
_DEEP = 32  # so many levels above a value count as another one: each value remembers them
_MAX_DOCUMENTS = 5_000
_CORE = "tag:yaml.org,2002:"
_LONGEST_MESSAGE = 1000
_SHOWN = 60  # characters of a key or value in a message
_TEXT = 100  # so many characters count as another value, or a long text under many aliases would be free
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Document:
    """One parsed document. `positions` maps a path to the (line, column) of its value, counted from 1; `loose` has the
    unquoted words that Kubernetes, which reads YAML 1.1, takes for something else."""

    file: str
    value: Any
    positions: Mapping[Path, Position]
    loose: Mapping[Path, str] = field(default_factory=dict, repr=False, kw_only=True)

    def problem(self, path: Path, message: str, hint: str | None = None) -> Problem:
        """A problem at `path`, or at the nearest parent that stands in the text."""
        at = path
        while at and at not in self.positions:
            at = at[:-1]
        line, column = self.positions.get(at, (1, 1))
        said = message if len(message) <= _LONGEST_MESSAGE else f"{message[: _LONGEST_MESSAGE - 3]}..."
        return Problem(self.file, line, column, dotted(path), said, hint)


class Unreadable(Exception):
    """The text is not YAML we accept; `problem` says where and why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def dotted(path: Path) -> str:
    """The path as people write it, fit for a terminal whatever its keys are."""
    return ".".join(_short(str(part)) for part in path)


def quoted(text: str) -> str:
    """The text on one short printable line, in quotes when that is all of it."""
    return repr(text) if len(text) <= _SHOWN else _short(text)


def _short(text: str) -> str:
    return repr(text)[1:-1] if len(text) <= _SHOWN else f"{repr(text[: _SHOWN - 3])[1:-1]}..."


def parse(file: str, text: bytes) -> list[Document]:
    """Parse all documents of a file. Lists become tuples. Raises Unreadable."""
    if len(text) > MAX_BYTES:
        said = f"larger than {MAX_BYTES >> 20} MiB" if _FAST else f"larger than {MAX_BYTES >> 10} KiB"
        raise Unreadable(Problem(file, 1, 1, "", said, "split it into smaller files"))
    characters = decoded(file, text)
    builder = _Builder(file, events(characters), max(_MAX_VALUES, len(text) // _BYTES_A_VALUE))
    try:
        return list(builder.documents())
    except yaml.MarkedYAMLError as error:
        raise Unreadable(syntax(file, characters, error)) from None
    except (yaml.YAMLError, ValueError, ArithmeticError) as error:  # such as an escape of more than Unicode has
        said, hint = f"broken YAML: {type(error).__name__}", "look at what follows this place"
        raise Unreadable(Problem(file, *builder.seen, "", said, hint)) from None


def events(characters: str) -> Iterator[yaml.Event]:
    """What the parser finds, as it comes: `yaml.load` would crash the process on what is nested deeply enough."""
    yield from yaml.parse(characters, Loader=_LOADER)


def decoded(file: str, text: bytes) -> str:
    """The text as Unicode, without a byte order mark. Raises Unreadable for what YAML does not allow."""
    try:
        characters = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text[: error.start].count(b"\n") + 1
        raise Unreadable(Problem(file, line, 1, "", "is not UTF-8 text", "save the file as UTF-8")) from None
    if found := _FORBIDDEN.search(characters):
        line, column = _place(characters, found.start())
        said = f"holds a character YAML does not allow: U+{ord(found[0]):04X}"
        raise Unreadable(Problem(file, line, column, "", said, "remove it, or write it as an escape in double quotes"))
    return characters


def _place(characters: str, index: int) -> Position:
    return characters.count("\n", 0, index) + 1, index - characters.rfind("\n", 0, index)


def syntax(file: str, characters: str, error: yaml.MarkedYAMLError) -> Problem:
    """What is still open where the text ends is wrong where it was opened, or where the text's last word stands."""
    end = _place(characters, max(0, len(characters.rstrip()) - 1))
    marks = [(mark.line + 1, mark.column + 1) for mark in (error.problem_mark, error.context_mark) if mark]
    line, column = next((mark for mark in marks if mark <= end), end)
    text = " ".join(str(part) for part in (error.context, error.problem) if part)
    hint = "indent with spaces" if "start any token" in text else "check indentation, colons and quotes near this place"
    return Problem(file, line, column, "", f"broken YAML: {text}", hint)


@dataclass(frozen=True, slots=True)
class _Anchor:
    """What an alias stands for: a value, what it costs, and which of the noted places are those of its parts."""

    value: Any
    cost: int
    parts: range
    depth: int
    word: str | None = None


class _Builder:
    """Turns events into plain values, remembering where each stood."""

    def __init__(self, file: str, events: Iterator[yaml.Event], values: int) -> None:
        self.seen: Position = (1, 1)
        self._file = file
        self._events = events
        self._left = self._values = values
        self._paths: list[Path] = []  # as they came: an anchor's parts are a stretch of it
        self._positions: dict[Path, Position] = {}
        self._loose: dict[Path, str] = {}
        self._anchors: dict[str, _Anchor | None] = {}

    def documents(self) -> Iterator[Document]:
        starts = (event for event in self._events if isinstance(event, yaml.DocumentStartEvent))
        for count, start in enumerate(starts, 1):
            if count > _MAX_DOCUMENTS:
                raise self._refuse(start, (), f"holds more than {_MAX_DOCUMENTS:,} documents", "split the file")
            self._paths, self._positions, self._loose, self._anchors = [], {}, {}, {}
            event = next(self._events)
            value = self._value(event, (), position(event))
            yield Document(self._file, value, self._positions, loose=self._loose)

    def _value(self, event: yaml.Event, path: Path, at: Position) -> Any:
        """`at` is where a person looks for it and an editor should jump: a mapping's entry is at its key."""
        self.seen, before = at, self._left
        depth = len(path)
        cost = 1 + depth // _DEEP
        if isinstance(event, yaml.ScalarEvent):
            cost += len(event.value) // _TEXT
        self._spend(cost, event, path)
        if depth > _MAX_DEPTH:
            raise self._refuse(event, path, "is nested too deeply")
        self._note(path, at)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        anchor = getattr(event, "anchor", None)
        if anchor is None:
            return self._made(event, path)
        self._anchors[anchor] = None  # until it is complete, it can't be used: it would hold itself
        first = len(self._paths)
        value = self._made(event, path)
        parts = range(first, len(self._paths))
        self._anchors[anchor] = _Anchor(value, before - self._left, parts, len(path), self._loose.get(path))
        return value

    def _made(self, event: yaml.Event, path: Path) -> Any:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        own = f"{_CORE}{'map' if isinstance(event, yaml.MappingStartEvent) else 'seq'}"
        tag = getattr(event, "tag", None)
        if tag not in (None, "!", own):
            raise self._refuse(event, path, f"has the tag {quoted(tag)}, which is not plain data")
        return self._mapping(path) if isinstance(event, yaml.MappingStartEvent) else self._sequence(path)

    def _sequence(self, path: Path) -> tuple[Any, ...]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items)), position(event)))
        return tuple(items)

    def _mapping(self, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, path)
            if key in result:
                raise self._refuse(event, (*path, key), f"key {quoted(key)} is there twice", "remove one of them")
            result[key] = self._value(next(self._events), (*path, key), position(event))
        return result

    def _key(self, event: yaml.Event, path: Path) -> str:
        value: Any = None
        if isinstance(event, yaml.AliasEvent):
            value = self._known(event, path).value
        elif isinstance(event, yaml.ScalarEvent) and event.tag in (None, "!", f"{_CORE}str"):
            value = self._scalar_of("str", event, path)
            if event.anchor:
                self._anchors[event.anchor] = _Anchor(self._scalar(event, path), 1 + len(value) // _TEXT, range(0), 0)
        if not isinstance(value, str):
            raise self._refuse(event, path, "a key must be plain text")
        if value == "<<" and getattr(event, "implicit", (False,))[0]:
            hint = "write the keys out: YAML 1.2 has no merge key"
            raise self._refuse(event, (*path, value), "merges another mapping", hint)
        if len(value) >= _TEXT:
            self._spend(len(value) // _TEXT, event, path)
        return value

    def _alias(self, event: yaml.AliasEvent, path: Path) -> Any:
        anchor = self._known(event, path)
        self._spend(anchor.cost, event, path)
        for number in anchor.parts:
            part = self._paths[number]
            if len(path) + len(part) - anchor.depth > _MAX_DEPTH:
                raise self._refuse(event, path, "is nested too deeply")
            moved = (*path, *part[anchor.depth :])
            self._note(moved, self._positions[part])
            if part in self._loose:
                self._loose[moved] = self._loose[part]
        if anchor.word:
            self._loose[path] = anchor.word
        return anchor.value

    def _note(self, path: Path, at: Position) -> None:
        self._paths.append(path)
        self._positions[path] = at

    def _known(self, event: yaml.AliasEvent, path: Path) -> _Anchor:
        name = str(event.anchor)
        if name not in self._anchors:
            said = f"broken YAML: there is no anchor &{_short(name)} before this place"
            raise self._refuse(event, path, said)
        anchor = self._anchors[name]
        if anchor is None:
            raise self._refuse(event, path, "refers to itself", "write it out without anchors")
        return anchor

    def _spend(self, cost: int, event: yaml.Event, path: Path) -> None:
        self._left -= cost
        if self._left < 0:
            said = f"expands to too many values: more than {self._values:,}"
            raise self._refuse(event, path, said, "split the file, or write it without anchors")

    def _scalar(self, event: yaml.ScalarEvent, path: Path) -> Any:
        if event.tag in (None, "!"):
            plain = event.implicit[0] and event.tag is None
            if plain and older(event.value) is not None:
                self._loose[path] = event.value
            return self._scalar_of(kind_of(event.value) if plain else "str", event, path)
        kind = event.tag.removeprefix(_CORE)
        if kind not in KINDS or kind == event.tag:
            raise self._refuse(event, path, f"has the tag {quoted(event.tag)}, which is not plain data")
        return self._scalar_of(kind, event, path)

    def _scalar_of(self, kind: str, event: yaml.ScalarEvent, path: Path) -> Any:
        try:
            return value_of(kind, event.value)
        except ValueError as error:
            raise self._refuse(event, path, str(error)) from None

    def _refuse(self, event: yaml.Event, path: Path, message: str, hint: str | None = None) -> Unreadable:
        return Unreadable(Problem(self._file, *position(event), dotted(path), message, hint))


def position(event: yaml.Event) -> Position:
    """Where an event begins, counted from 1."""
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)
