"""What a plan moves: the pods and volumes on machines that are drained, and what will hold the drain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..model.change import Action, Class, Difference, Severity
from ..model.guest import Guest
from ..model.plan import Plan, Tool
from ..model.resource import Component, Key

_DRAINS = ("remove-node.yml", "upgrade-cluster.yml")
_FEW = 5


def drained(plan: Plan) -> frozenset[str]:
    """The nodes that the plan drains, or whose machine it takes away."""
    playbooks = {t for s in plan.steps if s.tool is Tool.KUBESPRAY and s.operation in _DRAINS for t in s.targets}
    return frozenset(playbooks | going(plan))


def going(plan: Plan) -> frozenset[str]:
    """The machines that the plan deletes or builds anew, and with them what lies on their disks."""
    return frozenset(
        d.key.name
        for step in plan.steps
        for d in step.differences
        if d.key.kind == "server" and d.action in (Action.DELETE, Action.REPLACE) and d.cls is not Class.UNMANAGED
    )


def moves(guests: Sequence[Guest]) -> tuple[Difference, ...]:
    """Notices: for each node what leaves it, for each PodDisruptionBudget that it holds the drain."""
    found = []
    for node in sorted({g.node for g in guests}):
        found.append(_notice(Key("node", node), _leaves([g for g in guests if g.node == node]), Severity.LOW))
    for budget in sorted({b for g in guests for b in g.budgets}):
        held = sorted(g.name for g in guests if budget in g.budgets)
        nodes = sorted({g.node for g in guests if budget in g.budgets})
        why = f"allows no disruption now: it will hold the drain of {_few(nodes)} (pods: {_few(held)})"
        found.append(_notice(Key("PodDisruptionBudget", budget), why, Severity.MEDIUM))
    return tuple(found)


def lost(guests: Iterable[Guest], machines: Iterable[str]) -> list[str]:
    """Claims whose data lies on a machine that goes, each with the machine."""
    gone = set(machines)
    return sorted({f"{claim} on {g.node}" for g in guests if g.node in gone for claim in g.pinned})


def hangs(guests: Sequence[Guest], minutes: int) -> tuple[str, ...]:
    """What to say of a drain that has been at work for so long: a line for each node."""
    lines = []
    for node in sorted({g.node for g in guests}):
        left = [g for g in guests if g.node == node]
        holders = sorted({b for g in left for b in g.budgets})
        why = f"PodDisruptionBudget {_few(holders)} allows no disruption" if holders else "they take their time to end"
        pods = _few(sorted(g.name for g in left))
        lines.append(f"{node} has been draining for {minutes} min; still there: {pods} ({why})")
    return tuple(lines)


def _leaves(guests: Sequence[Guest]) -> str:
    moving = sorted(g.name for g in guests if not (g.alone or g.pinned))
    alone = sorted(g.name for g in guests if g.alone)
    volumes = sorted({v for g in guests for v in g.volumes if v not in g.pinned})
    pinned = sorted({v for g in guests for v in g.pinned})
    parts = [f"pods that move to other machines: {_few(moving)}"] if moving else []
    parts += [f"volumes that move with them: {_few(volumes)}"] if volumes else []
    parts += [f"pods that nothing makes anew: {_few(alone)}"] if alone else []
    parts += [f"volumes that lie on this machine alone: {_few(pinned)}"] if pinned else []
    return "; ".join(parts)


def _notice(key: Key, why: str, severity: Severity) -> Difference:
    return Difference(Component.KUBERNETES, key, "", None, None, "present", Class.NOTICE, Action.NONE, severity, why)


def _few(names: Sequence[str]) -> str:
    more = len(names) - _FEW
    return ", ".join(names[:_FEW]) + (f" and {more} more" if more > 0 else "")
