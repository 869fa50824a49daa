"""Shell-like patterns over names and paths, anchored at both ends, where capitals count."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase


def matches_name(pattern: str, name: str) -> bool:
    """`*` stands for any characters, `?` for one, `[a-c]` for one of these."""
    return fnmatchcase(name, pattern)


def matches_pair(pattern: str, pair: str) -> bool:
    """The same for two parts with a slash between them, the last one where there are several: each for itself."""
    return all(fnmatchcase(*both) for both in zip(_halves(pair), _halves(pattern), strict=True))


def matches_path(pattern: str, path: str) -> bool:
    """The same between two slashes each; `**` stands for any number of folders, and a slash at the end for all that is
    below."""
    wanted = (f"{pattern}**" if pattern.endswith("/") else pattern).split("/")
    at = _passed_over(wanted, {0})  # how much of the pattern the path may have used up
    for part in path.split("/"):
        stay = {n for n in at if n < len(wanted) and wanted[n] == "**"}
        step = {n + 1 for n in at - stay if n < len(wanted) and fnmatchcase(part, wanted[n])}
        at = _passed_over(wanted, stay | step)
    return len(wanted) in at


def _passed_over(wanted: Sequence[str], at: set[int]) -> set[int]:
    """`**` may stand for nothing."""
    reached = set(at)
    for n in range(len(wanted)):
        if n in reached and wanted[n] == "**":
            reached.add(n + 1)
    return reached


def _halves(text: str) -> tuple[str, str]:
    first, _, second = text.rpartition("/")
    return first, second
