"""Which running sessions a plan would end, and which ones may be moved meanwhile."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping

from ..model.change import Action
from ..model.plan import Step, Tool
from ..model.session import Session

# What drains a node, and what restarts it.
_DRAINING = ("remove-node.yml", "upgrade-cluster.yml")
# A server that gets another flavor is shut down for it.
_STOPPING = ("flavor",)


def in_use(sessions: Iterable[Session], now: datetime.datetime) -> dict[str, tuple[str, ...]]:
    """The sessions that somebody may be at work in, by machine."""
    found: dict[str, set[str]] = {}
    for session in sessions:
        if session.in_use(now):
            found.setdefault(session.node, set()).add(session.title)
    return {node: tuple(sorted(titles)) for node, titles in sorted(found.items())}


def marks(sessions: Iterable[Session], now: datetime.datetime) -> dict[str, bool]:
    """The pods whose mark is not as it should be, each with whether it may be moved."""
    return {s.pod: not s.in_use(now) for s in sessions if s.movable is not (not s.in_use(now))}


def ended(step: Step, on: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """The sessions that a step would end, each with its machine. `on` are those in use, by machine."""
    return tuple(f"{title} on {name}" for name in sorted(stopped(step)) for title in on.get(name, ()))


def stopped(step: Step) -> set[str]:
    """The machines that a step drains, restarts or takes away."""
    names = {d.key.name for d in step.differences if d.key.kind == "server" and _stops(d.action, d.field)}
    drains = step.tool is Tool.KUBESPRAY and step.operation in _DRAINING
    reboots = step.tool is Tool.OPENSTACK and step.operation == "reboot"
    return names | (set(step.targets) if drains or reboots else set())


def _stops(action: Action, field: str) -> bool:
    return action in (Action.DELETE, Action.REPLACE) or (action is Action.UPDATE and field in _STOPPING)
