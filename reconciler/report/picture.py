"""What the cluster looks like: its network, its servers by group with the state of each, and what runs on them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ..model.change import Action, Class, Difference
from ..model.plan import Plan
from ..model.resource import Component, Expected, Observed, Resource, Unknown
from .values import ABSENT, line, short

CONTROL_PLANE = "control plane"
UNEXPECTED = "unexpected"
_MACHINE_KINDS = ("server", "node")
_MACHINE_COMPONENTS = (Component.INFRASTRUCTURE, Component.KUBERNETES)


class State(StrEnum):
    """One server beside what git says of it. From best to worst: the worst of several differences is shown."""

    OK = "ok"
    REPAIRED = "repaired"
    UNKNOWN = "unknown"
    PLANNED = "planned"
    LEAVING = "leaving"
    DRIFTED = "drifted"
    UNEXPECTED = "unexpected"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Server:
    """`node` is what Kubernetes says of it: ready, not ready, unknown or —."""

    name: str
    status: str
    ip: str
    node: str
    state: State

    @property
    def drifted(self) -> bool:
        return self.state in (State.DRIFTED, State.UNEXPECTED, State.MISSING)


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    servers: tuple[Server, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """What is not a server, counted: `total` resources, of which `different` names those with differences.

    `unknown` says that some of it could not be observed.
    """

    name: str
    total: int
    different: tuple[str, ...]
    unknown: bool


@dataclass(frozen=True, slots=True)
class Picture:
    network: str
    cidr: str
    groups: tuple[Group, ...] = ()
    layers: tuple[Layer, ...] = ()

    @property
    def servers(self) -> tuple[Server, ...]:
        return tuple(server for group in self.groups for server in group.servers)


def picture(plan: Plan, *, observed: Observed | None, expected: Expected | None, repaired: bool) -> Picture:
    """Put expected and live servers side by side. `repaired` says that the plan's differences are gone by now."""
    observed, expected = observed or Observed({}), expected or Expected({})
    wanted = {r.name: r for r in expected.resources(Component.INFRASTRUCTURE) if r.kind == "server"}
    live = {r.name: r for r in observed.resources(Component.INFRASTRUCTURE, "server")}
    states = _states(plan)
    groups: dict[str, list[Server]] = {}
    for name in sorted({*wanted, *live}, key=_natural):
        state = states.get(name, State.OK if name in live else _unseen(observed))
        if repaired and state in (State.LEAVING, State.UNEXPECTED):
            continue  # it was deleted
        shown = State.REPAIRED if repaired and state is not State.OK else state
        group = UNEXPECTED if state is State.UNEXPECTED else _group(wanted.get(name) or live[name])
        groups.setdefault(group, []).append(_server(name, live.get(name), _node(name, observed), shown))
    return Picture(
        line(plan.cluster),
        _cidr(observed, expected),
        tuple(Group(line(g), tuple(groups[g])) for g in sorted(groups, key=_rank)),
        _layers(plan, observed, expected, repaired=repaired),
    )


def _states(plan: Plan) -> Mapping[str, State]:
    found: dict[str, State] = {}
    worst = list(State).index
    for d in plan.open:
        if d.component in _MACHINE_COMPONENTS and d.cls is not Class.UNKNOWN:
            name, state = d.key.name, _state(d)
            found[name] = max(found.get(name, State.OK), state, key=worst)
    return found


def _state(d: Difference) -> State:
    if d.key.kind == "server" and d.action is Action.DELETE:
        return State.LEAVING if d.cls is Class.PENDING else State.UNEXPECTED
    if d.cls is Class.PENDING:
        return State.PLANNED
    return State.MISSING if d.key.kind == "server" and d.action is Action.CREATE else State.DRIFTED


def _unseen(observed: Observed) -> State:
    listing = observed.kinds(Component.INFRASTRUCTURE).get("server")
    return State.UNKNOWN if listing is None or isinstance(listing, Unknown) else State.MISSING


def _server(name: str, live: Resource | None, node: str, state: State) -> Server:
    fields = live.fields if live else {}
    address = fields.get("address") or fields.get("fixed_ip")
    return Server(line(name), short(fields.get("status")), short(address), node, state)


def _node(name: str, observed: Observed) -> str:
    if isinstance(observed.kinds(Component.KUBERNETES).get("node"), Unknown):
        return "unknown"
    for node in observed.resources(Component.KUBERNETES, "node"):
        if node.name == name and "ready" in node.fields:
            return "ready" if node.fields["ready"] is True else "not ready"
    return ABSENT


def _group(server: Resource) -> str:
    group = server.fields.get("metadata.reconciler.group")
    return CONTROL_PLANE if group == "cp" else short(group or "servers")


def _rank(group: str) -> tuple[bool, bool, str]:
    return group != CONTROL_PLANE, group == UNEXPECTED, group


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part) if part.isdecimal() else -1, part) for part in re.split(r"(\d+)", name)]


def _cidr(observed: Observed, expected: Expected) -> str:
    wanted = (r for r in expected.resources(Component.INFRASTRUCTURE) if r.kind == "subnet")
    live = observed.resources(Component.INFRASTRUCTURE, "subnet")
    return next((short(r.fields["cidr"]) for r in (*wanted, *live) if r.fields.get("cidr")), "")


def _layers(plan: Plan, observed: Observed, expected: Expected, *, repaired: bool) -> tuple[Layer, ...]:
    layers = []
    for component in Component:
        keys = {r.key for r in expected.resources(component)}
        keys |= {r.key for kind in observed.kinds(component) for r in observed.resources(component, kind)}
        total = sum(key.kind not in _MACHINE_KINDS for key in keys)
        different = () if repaired else _different(plan, component)
        if total or different:
            name = "network and access" if component is Component.INFRASTRUCTURE else component.value
            layers.append(Layer(name, max(total, len(different)), different, _partly_unknown(component, observed)))
    return tuple(layers)


def _different(plan: Plan, component: Component) -> tuple[str, ...]:
    keys = (
        line(str(d.key))
        for d in sorted(plan.open, key=lambda d: d.order)
        if d.component is component and d.cls is not Class.UNKNOWN and d.key.kind not in _MACHINE_KINDS
    )
    return tuple(dict.fromkeys(keys))


def _partly_unknown(component: Component, observed: Observed) -> bool:
    listings = [listing for kind, listing in observed.kinds(component).items() if kind not in _MACHINE_KINDS]
    return not listings or any(isinstance(listing, Unknown) for listing in listings)
