"""YAML 1.2 with positions: every value knows its line and column, and nothing surprising is let through."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import yaml

from ..errors import Problem

Path: TypeAlias = tuple[str | int, ...]
Position: TypeAlias = tuple[int, int]

MAX_BYTES = 1 << 20
_MAX_DEPTH = 50
_MAX_NODES = 100_000  # an anchor that expands to more than this is an attack or an accident


class _Loader(yaml.SafeLoader):
    """PyYAML's parser with the core schema of YAML 1.2 (section 10.3.2): `no` is text, `010` is ten."""

    def fetch_flow_collection_start(self, token: type[yaml.Token]) -> None:
        """Refuse deep nesting here: further on, PyYAML takes time that grows with its square."""
        if self.flow_level > _MAX_DEPTH:
            raise yaml.scanner.ScannerError(None, None, "nested too deeply", self.get_mark())
        super().fetch_flow_collection_start(token)


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
    (
        "float",
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        "-+.0123456789",
    ),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


@dataclass(frozen=True)
class Document:
    """One parsed document. `positions` maps a path to the (line, column) of its value, counted from 1."""

    file: str
    value: Any
    positions: Mapping[Path, Position]

    def problem(self, path: Path, message: str, hint: str | None = None) -> Problem:
        """A problem at `path`, or at the nearest parent that stands in the text."""
        at = path
        while at and at not in self.positions:
            at = at[:-1]
        line, column = self.positions.get(at, (1, 1))
        return Problem(self.file, line, column, ".".join(str(p) for p in path), message, hint)


class Unreadable(Exception):
    """The text is not YAML we accept; `problem` says where and why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def parse(file: str, text: bytes) -> list[Document]:
    """Parse all documents of a file. Lists become tuples. Raises Unreadable."""
    if len(text) > MAX_BYTES:
        raise Unreadable(Problem(file, 1, 1, "", f"larger than {MAX_BYTES >> 20} MiB", "split it into smaller files"))
    try:
        loader = _Loader(text.decode("utf-8-sig"))
        nodes = []
        while loader.check_node():
            nodes.append(loader.get_node())
    except UnicodeDecodeError as error:
        line = text[: error.start].count(b"\n") + 1
        raise Unreadable(Problem(file, line, 1, "", "is not UTF-8 text", "save the file as UTF-8")) from None
    except yaml.MarkedYAMLError as error:
        raise Unreadable(_syntax(file, error)) from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count(b"\n") + 1
        raise Unreadable(Problem(file, line, 1, "", f"holds a character YAML does not allow: {error.reason}")) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise Unreadable(Problem(file, 1, 1, "", f"is not YAML: {type(error).__name__}")) from None
    return [_Builder(file).document(node) for node in nodes if node is not None]


def _bounded(number: int) -> int:
    """No setting needs more than 64 bits, and Python refuses to print what is very long."""
    if number.bit_length() > 64:
        raise ValueError
    return number


def _syntax(file: str, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    text = " ".join(str(part) for part in (error.context, error.problem) if part)
    hint = "indent with spaces" if "\\t" in text else "check indentation, colons and quotes just before this place"
    return Problem(file, line, column, "", f"broken YAML: {text}", hint)


class _Builder:
    """Turns nodes into plain values, remembering where each stood."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._positions: dict[Path, Position] = {}
        self._left = _MAX_NODES
        self._loader = _Loader("")

    def document(self, node: yaml.Node) -> Document:
        value = self._value(node, ())
        return Document(self._file, value, self._positions)

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self._positions[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
        self._left -= 1
        if self._left < 0:
            raise self._refuse(node, path, "expands to too many values", "write it out without anchors")
        if len(path) > _MAX_DEPTH:
            raise self._refuse(node, path, "is nested too deeply (or refers to itself)")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return tuple(self._value(child, (*path, i)) for i, child in enumerate(node.value))
        return self._scalar(cast("yaml.ScalarNode", node), path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                raise self._refuse(key_node, path, "a key must be plain text")
            self._check_text(key_node, path)
            if key in result:
                raise self._refuse(key_node, (*path, key), f"key {key!r} is there twice", "remove one of them")
            result[key] = self._value(value_node, (*path, key))
            # point at the key: that is what a person looks for, and where an editor should jump
            self._positions[(*path, key)] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        return result

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        tag = node.tag.removeprefix("tag:yaml.org,2002:")
        if tag == "str":
            self._check_text(node, path)
            return node.value
        if tag == "null":
            return None
        try:
            if tag == "bool":
                return {"true": True, "false": False}[node.value.lower()]
            if tag == "int":
                return _bounded(int(node.value, 0 if node.value[:2] in ("0x", "0o") else 10))
            if tag == "float":
                return self._loader.construct_yaml_float(node)
        except (ValueError, LookupError, ArithmeticError):
            pass
        raise self._refuse(node, path, f"has the tag or value {node.tag!r}, which is not plain data")

    def _check_text(self, node: yaml.Node, path: Path) -> None:
        """An escape such as "\\ud800" makes half a character, which nothing can write down again."""
        if any("\ud800" <= character <= "\udfff" for character in node.value):
            raise self._refuse(node, path, "holds half of a surrogate pair, which is no character")

    def _refuse(self, node: yaml.Node, path: Path, message: str, hint: str | None = None) -> Unreadable:
        mark = node.start_mark
        return Unreadable(
            Problem(self._file, mark.line + 1, mark.column + 1, ".".join(str(p) for p in path), message, hint)
        )
