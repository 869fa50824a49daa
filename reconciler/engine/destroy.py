"""The plan that ends a cluster: what it has goes in the order it would be missed in, and what is lost is said first.

It is made from what is live alone, so it may be killed anywhere and goes on from what is left. Its name does not follow
from what is left either: who approved that a cluster goes approved every step of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from ..model.change import Action, Class, Difference, Severity
from ..model.plan import Counts, Plan, Step, Tool
from ..model.resource import Component, Expected, Observed, Resource
from .diff import diff
from .guard import GUARDS, Facts, Guard, guard

CLAIM, VOLUME, SERVICE = "PersistentVolumeClaim", "PersistentVolume", "Service"
_WHY = "the cluster is to be destroyed"
_WITH_MACHINES = "goes with the cluster's machines"
_LOST, _ON_DISK = "lost", "it is on a machine's disk and goes with it"
_INSIDE = ("Namespace", "CustomResourceDefinition", "RoleBinding")
# What people call what is lost, in the order they ask after it.
_LOSSES = (("server", "machine"), ("floating_ip", "public address"), ("load_balancer", "load balancer"))


@dataclass(frozen=True, slots=True)
class Wish:
    """How a cluster is to be destroyed: `volumes` go, too; `agreed`: its name was typed; `unreachable`: also while its
    API does not answer, so that what it made in the cloud is left."""

    volumes: bool = False
    agreed: bool = False
    unreachable: bool = False


def digest(cluster: str, spec: Mapping[str, object], volumes: bool) -> str:
    """Names the destruction of a cluster as git describes it, its guards and approvals aside: the same from the first
    step to the last."""
    said = {key: value for key, value in spec.items() if key not in ("guards", "lifecycle", "destroy_volumes")}
    text = json.dumps(["destroy", cluster, volumes, said], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def plan(
    cluster: str,
    commit: str,
    observed: Observed,
    outliving: Sequence[Resource],
    wish: Wish,
    facts: Facts,
    *,
    named: str,
) -> Plan:
    """Everything that is live, to be deleted. `outliving` is what the cluster's API made in the cloud: Services of type
    LoadBalancer, claims and their volumes, whoever asked for them; `named` is the plan's digest."""
    differences = [*_found(observed), *_outliving(observed, outliving, wish.volumes)]
    told = tuple(sorted(differences, key=lambda d: d.order))
    todo = [d for d in told if d.actionable]
    blind = {d.component for d in told if d.cls is Class.UNKNOWN}
    steps = [*_applications(todo), *_workloads(todo, outliving, wish.volumes)]
    if Component.INFRASTRUCTURE not in blind:
        steps += _infrastructure(todo)
    made = Plan(cluster, commit, told, tuple(steps), named=named)
    return guard(made, facts, _guards(wish))


def _found(observed: Observed) -> list[Difference]:
    seen = diff(Expected({}), Expected({}), observed)
    return [_said(d) for d in seen if d.cls is Class.UNKNOWN or d.key.kind not in (CLAIM, VOLUME)]


def _said(d: Difference) -> Difference:
    if d.cls is Class.UNKNOWN:
        return d
    if d.key.kind in _INSIDE and d.action is Action.NONE and not d.key.target:
        return replace(d, why=_WITH_MACHINES)
    return replace(d, why=_WHY) if d.action is Action.DELETE else d


def _outliving(observed: Observed, outliving: Sequence[Resource], volumes: bool) -> list[Difference]:
    """What would be left in the cloud: balancers and, where they are to go, claims; a volume that stays is told."""
    known = {r.id for r in observed.resources(Component.WORKLOADS, SERVICE)}
    told = []
    for r in outliving:
        if r.kind == SERVICE and r.id not in known:
            told.append(_deletion(r, "its load balancer would be left in the cloud"))
        elif r.kind == CLAIM and volumes:
            told.append(_deletion(r, f"{_WHY}, and its volumes with it"))
        elif r.kind == VOLUME and r.fields.get("local"):
            told.append(_notice(r, _LOST, f"{r.name}, {r.fields.get('size')}, of {r.fields.get('claim')}: {_ON_DISK}"))
        elif r.kind == VOLUME and not (volumes and r.fields.get("policy") == "Delete"):
            told.append(_kept(r, volumes))
    return told


def _deletion(r: Resource, why: str) -> Difference:
    component, unmanaged = Component.WORKLOADS, Class.UNMANAGED
    return Difference(
        component, r.key, "", None, None, "present", unmanaged, Action.DELETE, Severity.HIGH, why, r.id
    )  # fmt: skip


def _kept(r: Resource, volumes: bool) -> Difference:
    where = (
        f"volume {r.fields.get('handle') or r.name} in the cloud, {r.fields.get('size')}, of {r.fields.get('claim')}"
    )
    why = "its reclaim policy says so" if volumes else "delete it there when nobody needs it"
    return _notice(r, "kept", f"{where}, is kept: {why}")


def _notice(r: Resource, becomes: str, why: str) -> Difference:
    level = Severity.HIGH if becomes == _LOST else Severity.MEDIUM
    return Difference(
        Component.WORKLOADS, r.key, "", None, None, becomes, Class.NOTICE, Action.NONE, level, why, r.id
    )  # fmt: skip


def _applications(todo: Sequence[Difference]) -> list[Step]:
    mine = [d for d in todo if d.component is Component.APPLICATIONS]
    targets = sorted({d.key.target for d in mine})
    return [
        _step(
            Component.APPLICATIONS,
            Tool.KUBERNETES,
            "prune",
            f"delete applications on {target or 'the cluster'}",
            [d for d in mine if d.key.target == target],
            {"target": target},
        )
        for target in targets
    ]


def _workloads(todo: Sequence[Difference], outliving: Sequence[Resource], volumes: bool) -> list[Step]:
    """Volumes that stay are made to stay first: some claims go with what they belong to."""
    mine = [d for d in todo if d.component is Component.WORKLOADS]
    claims, others = ([d for d in mine if (d.key.kind == CLAIM) is among] for among in (True, False))
    at_risk = tuple(r for r in outliving if r.kind == VOLUME and r.fields.get("policy") == "Delete")
    steps = []
    if others and at_risk and not volumes:
        names = tuple(r.name for r in at_risk)
        summary = f"keep {len(names)} volumes, whatever becomes of their claims"
        steps.append(
            Step(Component.WORKLOADS, Tool.KUBERNETES, "retain", summary, names, Counts(update=len(names)))
        )  # fmt: skip
    if others:
        summary = "delete workloads, and the load balancers they have"
        steps.append(_step(Component.WORKLOADS, Tool.KUBERNETES, "prune", summary, others))
    if claims:
        summary = "delete volumes with all that is on them"
        steps.append(_step(Component.WORKLOADS, Tool.KUBERNETES, "prune", summary, claims))
    return steps


def _infrastructure(todo: Sequence[Difference]) -> list[Step]:
    mine = [d for d in todo if d.component is Component.INFRASTRUCTURE]
    servers, others = ([d for d in mine if (d.key.kind == "server") is among] for among in (True, False))
    both = ((servers, "delete machines with their disks"), (others, "delete addresses, networks and groups"))
    return [
        _step(Component.INFRASTRUCTURE, Tool.OPENSTACK, "prune", summary, some) for some, summary in both if some
    ]  # fmt: skip


def _step(
    component: Component,
    tool: Tool,
    operation: str,
    summary: str,
    differences: Sequence[Difference],
    arguments: Mapping[str, str] | None = None,
) -> Step:
    counts = Counts.of(tuple(differences))
    targets = tuple(dict.fromkeys(str(d.key) for d in differences))
    said = f"{summary}: {counts}"
    return Step(component, tool, operation, said, targets, counts, tuple(differences), arguments or {})


# guards


def _guards(wish: Wish) -> tuple[Guard, ...]:
    """Of the usual ones those that are about when; each of the others asks what the approval of all of it answers."""
    timing = tuple(g for g in GUARDS if g.name in ("maintenance-window", "freeze"))
    own = () if wish.agreed else (Guard("destroy", _all_of_it, _WAY, explicit=True),)
    unseen = () if wish.unreachable else (Guard("unknowns", _unknown, _UNSEEN, explicit=True),)
    return (*own, *unseen, *timing)


_WAY = "take `lifecycle: destroy` back"
_UNSEEN = "repair what can't be asked first"


def _all_of_it(plan: Plan, facts: Facts) -> str:
    unseen = f", and sessions that can't be seen: {facts.unseen_sessions}" if facts.unseen_sessions else ""
    return f"would destroy the cluster for good; what is lost: {losses(plan, facts.sessions)}{unseen}"


def losses(plan: Plan, sessions: Mapping[str, Collection[str]]) -> str:
    """What nobody gets back, in one line."""
    doomed = [d for step in plan.steps for d in step.differences]
    counts = [(sum(d.key.kind == kind for d in doomed), word) for kind, word in _LOSSES]
    objects = sum(d.component not in (Component.INFRASTRUCTURE, Component.KUBERNETES) for d in doomed)
    claims = sum(d.key.kind == CLAIM for d in doomed)
    counts += [(objects - claims, "object"), (claims, "volume with its data")]
    said = [f"{n} {word}{'s' * (n != 1 and not word.startswith('volume'))}" for n, word in counts if n]
    working = sorted({title for titles in sessions.values() for title in titles})
    said += [f"the running sessions {', '.join(working[:5])}{' …' * (len(working) > 5)}"] if working else []
    lost = sum(d.live == _LOST for d in plan.notices)
    said += [f"{lost} volume{'s' * (lost != 1)} on machines' disks"] if lost else []
    kept = sum(d.key.kind == VOLUME and d.live != _LOST for d in plan.notices)
    said += [f"{kept} volume{'s' * (kept != 1)} kept in the cloud"] if kept else []
    return ", ".join(said) or "nothing that is seen"


def _unknown(plan: Plan, _: Facts) -> str | None:
    """Nobody knows which balancers and volumes a cluster that does not answer would leave behind."""
    blind = sorted({f"{d.component} ({d.key.kind}: {d.why})" for d in plan.unknown})
    return f"would destroy a cluster while this is unknown: {'; '.join(blind)}" if blind else None
