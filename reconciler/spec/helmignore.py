"""Which files of a chart's folder are no part of the chart: its .helmignore says so, by Helm's rules."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

NAME = ".helmignore"
_CHART = "Chart.yaml"


@dataclass(frozen=True, slots=True)
class _Rule:
    """A pattern, piece by piece. `whole`: it is about the path from the chart's folder, not about a name."""

    pieces: tuple[str, ...]
    whole: bool
    folders_only: bool
    negated: bool

    def matches(self, path: str) -> bool:
        names = path.split("/") if self.whole else [posixpath.basename(path)]
        same = len(names) == len(self.pieces)
        return same and all(map(fnmatchcase, names, self.pieces))  # a star stands for no slash


def left_out(path: str, files: Collection[str], read: Callable[[str], bytes]) -> bool:
    """Is this file no part of the chart it lies in? `files` are all paths, `read` gives a file's bytes. The outermost
    chart's rules count: it is loaded whole, with the charts in it."""
    folder = next((above for above in _above(path) if f"{above}/{_CHART}" in files), None)
    if folder is None or f"{folder}/{NAME}" not in files:
        return False
    rules = _rules(read(f"{folder}/{NAME}"))
    inside = path.removeprefix(f"{folder}/")
    return any(_ignores(rules, part, is_folder=part != inside) for part in [*_above(inside), inside])


def _above(path: str) -> Iterator[str]:
    """The folders that a file lies in, the outermost first."""
    parts = path.split("/")[:-1]
    return ("/".join(parts[: end + 1]) for end in range(len(parts)))


def _ignores(rules: tuple[_Rule, ...], path: str, *, is_folder: bool) -> bool:
    for rule in rules:
        matches = rule.matches(path) and (is_folder or not rule.folders_only)
        if matches != rule.negated:  # a negated rule lets through what it matches, and nothing else
            return True
    return False


@lru_cache(maxsize=64)
def _rules(text: bytes) -> tuple[_Rule, ...]:
    lines = (line.strip() for line in text.decode(errors="replace").splitlines())
    return tuple(_rule(line) for line in lines if line and not line.startswith("#") and "**" not in line)


def _rule(line: str) -> _Rule:
    glob = line.removeprefix("!")
    path = glob.rstrip("/")
    pieces = path.lstrip("/").replace("[^", "[!").split("/")
    return _Rule(tuple(pieces), "/" in path, glob.endswith("/"), line.startswith("!"))
