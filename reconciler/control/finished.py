"""Jobs that take themselves away when they are done (ttlSecondsAfterFinished): which ran here, so that none is run
again for not being there. What is remembered counts for one namespace: in one that was made anew nothing was done."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from .. import files
from ..model.resource import Component, Expected, Key, Resource

_FILE = "jobs.json"
_Done: TypeAlias = "Mapping[str, tuple[str, str]]"


@dataclass(frozen=True, slots=True)
class Finished:
    """The memory of one cluster on this machine, in the state folder `state`."""

    state: Path
    cluster: str

    def note(self, key: Key, digest: str, within: str) -> None:
        """Remember that the manifest named by `digest` was done in the namespace of that id. Raises Transient where it
        can't be written."""
        known = {**self._read(), str(key): (digest, within)}
        files.write(self._path, json.dumps(known, sort_keys=True))

    def added(self, applied: Expected, expected: Expected) -> Expected:
        """What was applied, with the Jobs that are known to be done as they are in git now."""
        mine, known = Component.WORKLOADS, self._read()
        done = {r.key: r for r in _done(expected.resources(mine), known)}
        if not done:
            return applied
        placed = tuple(done.pop(r.key, r) for r in applied.resources(mine))
        return Expected({**applied.components, mine: (*placed, *done.values())})

    @property
    def _path(self) -> Path:
        return self.state / self.cluster / _FILE

    def _read(self) -> _Done:
        """Damage counts as nothing remembered."""
        try:
            found = json.loads(self._path.read_bytes())
            return {str(name): (str(digest), str(within)) for name, (digest, within) in found.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}


def _done(resources: tuple[Resource, ...], known: _Done) -> Iterator[Resource]:
    for resource in resources:
        digest, within = known.get(str(resource.key), ("", ""))
        if resource.fleeting and digest and digest == resource.digest:
            yield replace(resource, within=within)
