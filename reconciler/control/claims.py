"""Whose a cluster's name is in a cloud's project or on an OpenShift, where one machine has several repositories.

What a cluster has there is recognised by its name: two of one name would take each other's machines and objects for
their own. Who came first has it, also after a restart, until its cluster is gone from git or lies elsewhere.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .. import files
from ..errors import Blocked, Permanent
from ..files import unwritable

_Held = dict[str, str]


@dataclass(frozen=True, slots=True)
class Claims:
    """Kept in `file`, for several processes of one user; `repositories` are those that there are by now."""

    file: Path
    repositories: frozenset[str]

    def check(self, repository: str, cluster: str, places: Collection[str]) -> None:
        """Raises Blocked where another repository has a cluster of that name in one of these places; Permanent when
        nobody can tell. Who only looks, by whichever settings, lets go of nobody's claim."""
        with self._open(changing=False) as held:
            _free(held, f"{repository}/{cluster}", _keys(cluster, places))

    def take(self, repository: str, cluster: str, places: Collection[str], *, all_known: bool = True) -> None:
        """From now on the cluster of the repository is in these places, and in no other if all are known. Raises as
        `check` does."""
        ours, keys = f"{repository}/{cluster}", _keys(cluster, places)
        with self._open() as held:
            _free(held, ours, keys)
            if all_known:
                _drop(held, lambda whose: whose == ours)
            held.update(dict.fromkeys(keys, ours))

    def keep(self, repository: str, clusters: Collection[str]) -> None:
        """The repository has these clusters, and no others any more."""
        there = {f"{repository}/{cluster}" for cluster in clusters}
        with self._open() as held:
            _drop(held, lambda whose: whose.partition("/")[0] == repository and whose not in there)

    @contextmanager
    def _open(self, *, changing: bool = True) -> Iterator[_Held]:
        """What is held, for changing it; nobody else does meanwhile."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = self.file.with_suffix(".lock").open("w")
        except OSError as error:
            raise unwritable(self.file, error) from None
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self._read()
            held = {key: whose for key, whose in before.items() if whose.partition("/")[0] in self.repositories}
            yield held
            if changing and held != before:
                files.write(self.file, json.dumps(held, indent=1, sort_keys=True))

    def _read(self) -> _Held:
        try:
            document = json.loads(self.file.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or not all(isinstance(whose, str) for whose in document.values()):
            raise Permanent(
                f"{self.file} can't be read, which says whose each cluster's name is",
                hint="delete it while no two repositories have clusters of one name in one project",
            )
        return document


def _keys(cluster: str, places: Collection[str]) -> list[str]:
    return [f"{place}: {cluster}" for place in places]


def _free(held: _Held, ours: str, keys: Collection[str]) -> None:
    for key in keys:
        if held.get(key, ours) != ours:
            raise Blocked(
                f"{ours} is in {key.rpartition(': ')[0]}, where {held[key]} is",
                hint="call one of them otherwise, or give it a project of its own, and a place of its own for "
                "Terraform's state: each would take what the other has for its own",
            )


def _drop(held: _Held, gone: Callable[[str], bool]) -> None:
    for key in [key for key, whose in held.items() if gone(whose)]:
        del held[key]
