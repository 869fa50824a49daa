"""Layers of a cluster: what the fleet says where the cluster says nothing, and where each value is from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ..errors import Problem
from ..model.desired import Cluster, Fleet
from .yaml import Document, Path

Layer: TypeAlias = Literal["built-in", "fleet", "cluster", "autoscaler"]
_DEFAULTS: Path = ("spec", "defaults")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value is from. `file` and `line` are empty and 0 for what nobody wrote."""

    layer: Layer
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file.rpartition('/')[2]}:{self.line}" if self.file else self.layer


@dataclass(frozen=True)
class Layered(Document):
    """A cluster's document with the fleet's defaults below it. A mistake is told where it was written."""

    fleet: Document | None = None

    def problem(self, path: Path, message: str, hint: str | None = None) -> Problem:
        at = path
        while at and at not in self.positions:
            if (below := self._below(at)) is not None and self.fleet:
                return self.fleet.problem((*below, *path[len(at) :]), message, hint)
            at = at[:-1]
        return super().problem(path, message, hint)

    def origin(self, path: Path) -> Origin:
        """Where the value at `path` is from; `built-in` where nobody wrote one."""
        if path in self.positions:
            return Origin("cluster", self.file, self.positions[path][0])
        below = self._below(path) or self._policy(path)
        if below is not None and self.fleet:
            return Origin("fleet", self.fleet.file, self.fleet.positions[below][0])
        return Origin("built-in")

    def inherited(self, path: Path) -> Any:
        """What the fleet's defaults say at `path`, overruled or not; None where they are silent."""
        below = self._below(path)
        return _at(self.fleet.value, below) if self.fleet and below is not None else None

    def _below(self, path: Path) -> Path | None:
        """The same place among the fleet's defaults, where they have it."""
        found = (*_DEFAULTS, *path[1:]) if path[:1] == ("spec",) else None
        return found if self.fleet and found in self.fleet.positions else None

    def _policy(self, path: Path) -> Path | None:
        """The place among the fleet's rules of what they added behind the cluster's own."""
        for own, theirs in _ADDED.items():
            if self.fleet and path[: len(own)] == own and len(path) > len(own) and isinstance(path[len(own)], int):
                number = int(path[len(own)]) - len(_at(self.value, own) or ())
                found = (*theirs, number, *path[len(own) + 1 :])
                return found if number >= 0 and found in self.fleet.positions else None
        return None


# Lists of a cluster that the fleet's policy adds to, and where the policy has them.
_ADDED: Mapping[Path, Path] = {
    ("spec", "ignore"): ("spec", "policy", "ignore"),
    ("spec", "maintenance", "freezes"): ("spec", "policy", "freezes"),
}


def layered(own: Document, fleet: Document | None) -> Layered:
    """Lay the cluster's words over the fleet's defaults: mappings are merged, lists and values replaced whole."""
    defaults = _at(fleet.value, _DEFAULTS) if fleet else None
    value = own.value
    if isinstance(value, dict) and isinstance(defaults, dict) and isinstance(value.get("spec"), dict):
        value = {**value, "spec": _merged(value["spec"], defaults)}
    return Layered(own.file, value, own.positions, fleet, loose=own.loose)


def ruled(cluster: Cluster, fleet: Fleet | None) -> Cluster:
    """The cluster with the fleet's policy: its ignore rules and freezes hold besides the cluster's own."""
    if fleet is None:
        return cluster
    policy, spec = fleet.spec.policy, cluster.spec
    maintenance = spec.maintenance.model_copy(update={"freezes": (*spec.maintenance.freezes, *policy.freezes)})
    changed = {"ignore": (*spec.ignore, *policy.ignore), "maintenance": maintenance}
    return cluster.model_copy(update={"spec": spec.model_copy(update=changed)})


def over_the_ceiling(cluster: Cluster, fleet: Fleet | None, document: Document) -> list[Problem]:
    """Guards that the fleet does not let a cluster raise so far."""
    problems = []
    ceilings = fleet.spec.policy.guards if fleet else None
    for name, field in type(cluster.spec.guards).model_fields.items():
        limit = getattr(ceilings, name, None)
        value = getattr(cluster.spec.guards, name)
        if limit is not None and value > limit:
            said = f"{value} is more than the fleet allows ({limit})"
            hint = "spec.policy.guards in desired/fleet.yaml is changed by pull request, too"
            problems.append(document.problem(("spec", "guards", field.alias or name), said, hint))
    return problems


def _merged(over: Mapping[str, Any], below: Mapping[str, Any]) -> dict[str, Any]:
    result = {**below, **over}
    for key in over.keys() & below.keys():
        if isinstance(over[key], dict) and isinstance(below[key], dict):
            result[key] = _merged(over[key], below[key])
    return result


def _at(value: Any, path: Path) -> Any:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value
