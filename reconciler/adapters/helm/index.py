"""Where a chart repository's index says that an archive is: read event by event, so that it may be as large as those of
public repositories, and as strange as anybody likes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias
from urllib.parse import urljoin, urlsplit

import yaml

from ...confine import MIB
from ...errors import Invalid

MOST_BYTES = 32 * MIB  # the largest public ones have some 20 MiB
_LOADER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_DEEPEST = 50
_Path: TypeAlias = tuple[str | int, ...]
_TOO_DEEP = (0,) * _DEEPEST


def archive_url(index: bytes, repository: str, name: str, version: str) -> str | None:
    """The address of the archive of chart `name` in `version`, relative ones as of the repository's; None where the
    index has none. An exact version counts more than one that differs by its `v`. Raises Invalid."""
    versions: dict[_Path, str] = {}
    urls: dict[_Path, str] = {}
    try:
        for path, text in _scalars(index, ("entries", name)):
            if path[1:] == ("version",):
                versions[path[:1]] = text
            elif path[1:] == ("urls", 0):
                urls[path[:1]] = text
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        hint = "is it the address of a chart repository? its index.yaml lies there"
        raise Invalid(f"the index of {repository} can't be read: {type(error).__name__}", hint=hint) from None
    fitting = [entry for wanted in (version, f"v{version}", version.removeprefix("v"))
               for entry, there in versions.items() if there == wanted and entry in urls]  # fmt: skip
    return _absolute(repository, urls[fitting[0]]) if fitting else None


def _absolute(repository: str, url: str) -> str:
    return url if urlsplit(url).scheme else urljoin(f"{repository.rstrip('/')}/", url)


def _scalars(index: bytes, below: _Path) -> Iterator[tuple[_Path, str]]:
    """Every scalar below a path, with the rest of its path. Raises YAMLError or ValueError."""
    path: list[str | int | None] = []  # per open collection: the key or number that comes next; None before a key
    for event in yaml.parse(index, Loader=_LOADER):
        if isinstance(event, yaml.CollectionEndEvent):
            path.pop()
            _step(path)
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(path) >= _DEEPEST:
                raise ValueError("too deep")
            path.append(None if isinstance(event, yaml.MappingStartEvent) else 0)
        elif isinstance(event, yaml.ScalarEvent):
            if path and path[-1] is None:
                path[-1] = event.value
                continue
            if tuple(path[: len(below)]) == below:
                yield tuple(step for step in path[len(below) :] if step is not None), event.value
            _step(path)
        elif isinstance(event, yaml.AliasEvent):
            _step(path)


def _step(path: list[str | int | None]) -> None:
    """One value is over: what comes is the next number, or a key."""
    if path:
        here = path[-1]
        path[-1] = here + 1 if isinstance(here, int) else None
