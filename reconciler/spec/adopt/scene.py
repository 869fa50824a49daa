"""What adoption looks at, and what it says: a change of a file, or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ...model.change import Difference
from ...model.resource import Expected, Observed, Resource
from ..edit import Edit
from ..load import DesiredCluster
from ..yaml import Path


@dataclass(frozen=True, slots=True)
class Adoption:
    """What would be written for some differences. `edits` are by file; several differences may share one change."""

    differences: tuple[Difference, ...]
    file: str
    edits: tuple[Edit, ...]
    said: str


@dataclass(frozen=True, slots=True)
class Left:
    """A difference that cannot be adopted, and why."""

    difference: Difference
    why: str


@dataclass(frozen=True)
class Scene:
    """All that is looked at: what git says, file by file, what should be live and what is."""

    desired: DesiredCluster
    files: Mapping[str, bytes]
    expected: Expected
    observed: Observed
    differences: Sequence[Difference] = field(default_factory=tuple)

    @property
    def cluster_file(self) -> str:
        return self.desired.documents["Cluster", self.desired.name].file

    def live(self, d: Difference) -> Resource | None:
        found = self.observed.resources(d.component, d.key.kind)
        return next((r for r in found if r.id == d.id and r.key == d.key), None)

    def wanted(self, d: Difference) -> Resource | None:
        return next((r for r in self.expected.resources(d.component) if r.key == d.key), None)


Found: TypeAlias = "Adoption | str"
Adopter: TypeAlias = Callable[[Scene, Difference], Found]


def change(scene: Scene, told: Sequence[Difference], path: Path, value: Any) -> Adoption:
    """One value of the cluster's own file."""
    said = f"{'.'.join(str(p) for p in path)} becomes {value if not isinstance(value, tuple) else list(value)}"
    return Adoption(tuple(told), scene.cluster_file, (Edit(path, value),), said)
