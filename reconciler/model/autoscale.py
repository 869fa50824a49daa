"""What the autoscaler decides, sees and answers: frozen values, so that deciding is a pure function of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from .desired import Removed
from .resource import Fields


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision about one group: `add` are the numbers it gives to new machines, which another writer may have taken
    meanwhile: then others are given. `remove` are the numbers of machines that go, `servers` those of them that are
    known to the cloud. `why` is one line for people, `id` twelve random hexadecimal digits. `waiting` are those of
    `remove` that an earlier decision adds which is not in git yet, each with the number that one gave it: what becomes
    of that number becomes of them. All others are meant by their own number."""

    id: str
    group: str
    add: tuple[int, ...] = ()
    remove: tuple[int, ...] = ()
    servers: tuple[Removed, ...] = ()
    why: str = ""
    waiting: tuple[tuple[int, int], ...] = ()


class State(IntEnum):
    """How an instance is, by the number of the wire contract."""

    RUNNING = 1
    CREATING = 2
    DELETING = 3


class ErrorClass(IntEnum):
    """What kept an instance from being made: another group may still work where resources ran out."""

    OUT_OF_RESOURCES = 1
    OTHER = 99


@dataclass(frozen=True, slots=True)
class Instance:
    """One machine as the autoscaler is told of it. `id` is the node's providerID, letter by letter; `number` and
    `server` are ours, `server` empty where the cloud has none."""

    id: str
    state: State
    number: int
    server: str = ""
    error_code: str = ""
    error: str = ""
    error_class: ErrorClass = ErrorClass.OTHER


@dataclass(frozen=True, slots=True)
class Group:
    """One node group that is offered. `machines` are the numbers it is to have, decisions that are not yet in git
    included; `instances` what there is of them and what still goes."""

    name: str
    min: int
    max: int
    machines: tuple[int, ...]
    instances: tuple[Instance, ...] = ()
    debug: str = ""

    @property
    def target(self) -> int:
        return len(self.machines)


@dataclass(frozen=True, slots=True)
class Live:
    """What one look found. `servers` and `nodes` are None while they could not be asked: `servers` by name with id and
    fields (status, fault, group); `nodes` by name with their providerID. `failure` is what the last run of the
    reconciler failed with, and `failed_at` the names of the machines it was to have."""

    servers: Mapping[str, tuple[str, Fields]] | None = None
    nodes: Mapping[str, str] | None = None
    flavors: Mapping[str, Fields] = field(default_factory=dict)
    failure: str = ""
    failed_at: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Outlook:
    """Everything there is to answer from, made once and only read. `places` finds group and instance by providerID,
    `names` by the node's name where a node has none. `known`: the servers were seen once; `nodes_known`: the
    nodes were, without which nobody can say what a server's node calls itself."""

    groups: Mapping[str, Group] = field(default_factory=dict)
    places: Mapping[str, tuple[str, Instance]] = field(default_factory=dict)
    names: Mapping[str, tuple[str, Instance]] = field(default_factory=dict)
    known: bool = False
    nodes_known: bool = False
