"""A day of pods on node groups that grow and shrink: what is given to a simulation, and what it tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Size(NamedTuple):
    """What a pod asks for, or a node has: thousandths of a CPU, MiB, GPUs."""

    cpu: int = 0
    memory: int = 0
    gpu: int = 0

    def plus(self, other: Size) -> Size:
        return Size(*(a + b for a, b in zip(self, other, strict=True)))

    def minus(self, other: Size) -> Size:
        return Size(*(a - b for a, b in zip(self, other, strict=True)))

    def within(self, other: Size) -> bool:
        return all(a <= b for a, b in zip(self, other, strict=True))


_NOTHING = Size()


@dataclass(frozen=True, slots=True)
class PodRun:
    """A pod of the day. Times are in seconds; `tolerates` are keys of taints. One that is not `movable` stays where it
    is. A `placeholder` is nobody's: it keeps room, and makes it for others."""

    name: str
    arrival: float
    duration: float
    size: Size
    selector: Mapping[str, str] = field(default_factory=dict)
    tolerates: frozenset[str] = frozenset()
    priority: int = 0
    movable: bool = True
    placeholder: bool = False


@dataclass(frozen=True, slots=True)
class Pool:
    """A node group. `size` is what pods can have of one node; `taints` are keys that must be tolerated."""

    name: str
    minimum: int
    maximum: int
    size: Size
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: frozenset[str] = frozenset()

    def takes(self, pod: PodRun) -> bool:
        """Whether an empty node of it could run the pod."""
        labelled = all(self.labels.get(key) == value for key, value in pod.selector.items())
        return labelled and self.taints <= pod.tolerates and pod.size.within(self.size)


@dataclass(frozen=True, slots=True)
class Rules:
    """Cluster Autoscaler's own, with its defaults: --scan-interval, --scale-down-unneeded-time,
    --scale-down-delay-after-add, --scale-down-utilization-threshold, --expendable-pods-priority-cutoff, all times in
    seconds. `start` is how long a node takes from being asked for to being Ready: server, playbook, kubelet."""

    scan: int = 10
    unneeded: int = 600
    delay_after_add: int = 600
    utilisation: float = 0.5
    cutoff: int = -10
    start: int = 600
    placeholder_priority: int = -10


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to set things up: the node groups, and how many placeholders of which size."""

    title: str
    pools: Sequence[Pool]
    placeholders: int = 0
    placeholder: Size = _NOTHING


class Moment(NamedTuple):
    """How things were from `time` (seconds) on. `nodes` are ready ones, `starting` were asked for; placeholders count
    as nobody's pods."""

    time: float
    nodes: int
    starting: int
    pending: int
    running: int


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one setting. `waited` has the seconds from arrival to start of each pod that ran; `node_hours` count
    from asking for a node until it was deleted, by group; `never` are pods that no group can run."""

    title: str
    waited: tuple[float, ...]
    node_hours: Mapping[str, float]
    never: tuple[str, ...]
    moments: tuple[Moment, ...]
    most: int
    added: int
    removed: int
    moved: int
    displaced: int
    end: float

    def waiting(self, part: float) -> float:
        """The waiting time that `part` (0 to 1) of the pods did not exceed, in seconds; 0 when none ran."""
        ordered = sorted(self.waited)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0

    @property
    def hours(self) -> float:
        return sum(self.node_hours.values())
