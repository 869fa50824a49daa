"""A guard holds what it is about: what else there is to do is done, and only what it objects to waits.

Guards that are not named here speak of the whole plan (a freeze, an empty desired state), and hold all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from ..model.change import Action, Difference
from ..model.plan import Plan, Step, Tool
from ..model.resource import Component, Key
from .able import PARTS
from .guard import VOLUMES, Facts, chosen, destroyed, destroys, guard, rebuilds, undecided
from .sessions import machines_stopped

_INFRA, _KUBE = Component.INFRASTRUCTURE, Component.KUBERNETES
# Nothing hangs on these: they may go while other things are kept from it.
_FREE = ("security_group_rule", *PARTS)
# Fields of a node by which it joins or leaves; the others (labels, taints) are its own.
_JOINING = ("", "ready", "provider_id")
Identity: TypeAlias = tuple[Component, Key, str, str]
_BALANCING = ("load_balancer", "listener", "pool", "monitor", "member")
_VIP = ("floating_ip", True)
_OF_WORK = frozenset({"sessions", "maintenance-window"})
_UPGRADE, _RECOVERY = "upgrade-cluster.yml", "recovery"


class Replan(Protocol):
    """Makes the plan of these differences alone: all others are left as they are. Without `playbooks`, Kubespray does
    nothing in it; machines that are `absent` join nothing, whatever else asks for it."""

    def __call__(self, only: Collection[Identity], *, playbooks: bool = True, absent: Collection[str] = ()) -> Plan: ...


@dataclass(frozen=True, slots=True)
class Granted:
    """What the first plan of a cycle was let do: what it destroys, which guards held something back all the same, and
    the machines that it drains, restarts or has a playbook work on. Later plans of the cycle that destroy no more than
    that need ask the other guards no more, but for those that speak of machines at work, where these are more now: an
    API that answers again may show an upgrade that nobody let through."""

    destroyed: frozenset[tuple[str, str, str]]
    refused: frozenset[str]
    disturbed: frozenset[str] = frozenset()


def identity(d: Difference) -> Identity:
    return d.component, d.key, d.field, d.id


def guarded(plan: Plan, facts: Facts, replan: Replan, granted: Granted | None = None) -> Plan:
    """The plan with its refusals. What they are about is in steps of its own, which are held; where nothing else is
    left to do, the plan is refused as it is."""
    judged = _judged(plan, facts, granted)
    objections = {r.guard for r in judged.refusals if not r.partial}
    if not objections or not objections <= _ABOUT.keys():
        return judged
    every = {identity(d): d for step in plan.steps for d in step.differences}
    held = _with_parts({i for name in objections for i in _ABOUT[name](plan, facts)}, every, facts.control_plane)
    recovers = _RECOVERY in objections
    rest = _judged(replan(every.keys() - held, playbooks=not recovers), facts, granted)
    if not rest.steps or rest.stopped or not _does_more(rest, held):
        return judged
    waiting = carrying(replan(held), held, recovers=recovers)
    whole = replace(rest, steps=(*narrow(rest).steps, *(replace(s, held=True) for s in waiting.steps)))
    left = guard(waiting, _also_called(facts, waiting, (plan.digest, whole.digest)))
    if not left.refusals:  # every one of them is approved, under whichever name
        return replace(judged, refusals=tuple(r for r in judged.refusals if r.partial))
    refusals = (*rest.refusals, *(replace(r, partial=True) for r in left.refusals))
    return replace(whole, differences=plan.differences, refusals=refusals)


def narrow(plan: Plan) -> Plan:
    """The plan whose infrastructure touches what it names and nothing else."""
    return replace(plan, steps=tuple(_narrow(step) for step in plan.steps))


def _narrow(step: Step) -> Step:
    return replace(step, narrow=True) if step.component is _INFRA and step.tool is Tool.TERRAFORM else step


def grant(plan: Plan) -> Granted:
    """What a plan that is about to be carried out may do."""
    goes = replace(plan, steps=tuple(s for s in plan.steps if not s.held))
    return Granted(frozenset(destroyed(goes)), frozenset(r.guard for r in plan.refusals), _disturbed(goes))


def _disturbed(plan: Plan) -> frozenset[str]:
    worked_on = {t for s in plan.steps if s.tool is Tool.KUBESPRAY and s.operation != "scale.yml" for t in s.targets}
    return frozenset(worked_on.union(*(machines_stopped(step) for step in plan.steps)))


def _judged(plan: Plan, facts: Facts, granted: Granted | None) -> Plan:
    judged = guard(plan, facts)
    if granted is None or not destroyed(plan) <= granted.destroyed:
        return judged
    asks = granted.refused | (_OF_WORK if _disturbed(plan) - granted.disturbed else frozenset())
    return replace(judged, refusals=tuple(r for r in judged.refusals if r.partial or r.guard in asks))


def _also_called(facts: Facts, waiting: Plan, names: Collection[str]) -> Facts:
    """Whoever approved the plan as it was shown, whole, approved the part of it that waits."""
    renamed = tuple(
        a.model_copy(update={"plan": waiting.digest}) if a.plan in names else a for a in facts.limits.approvals
    )
    return replace(facts, limits=facts.limits.model_copy(update={"approvals": renamed}))


def _does_more(rest: Plan, held: Collection[Identity]) -> bool:
    """Does the rest do anything that does not come with what is held?"""
    return any(identity(d) not in held for step in rest.steps if not step.held for d in step.differences)


def carrying(plan: Plan, held: Collection[Identity], *, recovers: bool = False) -> Plan:
    """The steps that carry out what is held, and those of the nodes of its machines; every playbook where etcd's
    members are replaced."""
    names = {key.name for _, key, _, _ in held}

    def mine(s: Step) -> bool:
        carries = any(identity(d) in held for d in s.differences)
        return carries or bool(names & set(s.targets)) or (recovers and s.tool is Tool.KUBESPRAY)

    return replace(plan, steps=tuple(s for s in plan.steps if mine(s)))


def _with_parts(
    held: set[Identity], every: Mapping[Identity, Difference], masters: Collection[str]
) -> frozenset[Identity]:
    """With a machine waits what goes with it, and with a node that stays its machine. While anything is kept from
    going, what a thing may hang on (a network, a group) is kept too; other machines go."""
    stays = {every[i].key.name for i in held if every[i].component is _KUBE and every[i].action is Action.DELETE}
    held = held | {i for i, d in every.items() if d.key.kind == "server" and d.key.name in stays and destroys(d)}
    machines = {every[i].key.name: every[i].action for i in held if every[i].key.kind == "server"}
    kept = any(every[i].action is Action.DELETE and every[i].component is _INFRA for i in held)
    old = any(every[i].field == "version" and every[i].key.name in masters for i in held)

    def waits(d: Difference) -> bool:
        action = machines.get(d.key.name)
        if d.component is _KUBE:
            # what a playbook installs with another version in git is the new one
            joins = old and d.action is not Action.DELETE
            return d.key.kind == "node" and d.field in _JOINING and (action is not None or joins)
        if d.component is not _INFRA:
            return False
        part = action is not None and d.key.kind in PARTS
        return part or (kept and d.action is Action.DELETE and d.key.kind not in _FREE)

    return frozenset(held | {i for i, d in every.items() if waits(d)})


def _destroyed(plan: Plan, facts: Facts) -> Iterable[Identity]:
    """What goes, but for the machines that the autoscaler chose."""
    asked = undecided(plan, facts)
    return [identity(d) for step in plan.steps for d in step.differences if destroys(d) in asked]


def _servers(plan: Plan, wanted: Callable[[Difference], bool]) -> Iterable[Identity]:
    doomed = (d for step in plan.steps for d in step.differences if d.key.kind == "server" and destroys(d))
    return [identity(d) for d in doomed if wanted(d)]


def _machines(plan: Plan, _: Facts) -> Iterable[Identity]:
    return _servers(plan, bool)


def _last(plan: Plan, facts: Facts) -> Iterable[Identity]:
    asked = undecided(plan, facts)
    return _servers(plan, lambda d: destroys(d) in asked)


def _replaced(plan: Plan, _: Facts) -> Iterable[Identity]:
    return _servers(plan, lambda d: d.action is Action.REPLACE)


def _rebuilt(plan: Plan, _: Facts) -> Iterable[Identity]:
    names = {d.key.name for step in plan.steps for d in step.differences if rebuilds(d)}
    return _servers(plan, lambda d: d.key.name in names)


def _disruptive(plan: Plan, facts: Facts) -> Iterable[Identity]:
    """What a window is for: what goes, and what playbooks do to nodes that work. With `changes: all`, everything."""
    if facts.maintenance.changes == "all":
        return [identity(d) for step in plan.steps for d in step.differences]
    playbooks = (s for s in plan.steps if s.tool is Tool.KUBESPRAY and s.operation != "scale.yml")
    own = {name for kind, name in chosen(plan, facts) if kind == "server"}
    worked_on = (d for s in playbooks for d in s.differences if d.action is not Action.DELETE or d.key.name not in own)
    return [*_destroyed(plan, facts), *map(identity, worked_on)]


def _ending(plan: Plan, facts: Facts) -> Iterable[Identity]:
    """What drains, restarts or takes away a machine with a session in use; any machine that pods run on may have one
    where sessions can't be listed. An upgrade of the control plane runs on all machines, so it waits as a whole."""
    for step in plan.steps:
        stopped = machines_stopped(step)
        hit = stopped - set(facts.control_plane) if facts.unseen_sessions else stopped & facts.sessions.keys()
        whole = step.operation == _UPGRADE and "limit" not in step.arguments
        named = [d for d in step.differences if d.key.name in hit]
        if hit:
            yield from map(identity, step.differences if whole or not named else named)


def _playbooks(plan: Plan, _: Facts) -> Iterable[Identity]:
    """While a member of etcd is to be put out, nobody joins, leaves or is upgraded; and a load balancer stays as it is,
    for nodes are told of another one by a playbook."""
    differences = [d for step in plan.steps for d in step.differences]
    another = (d for d in differences if d.key.kind == "load_balancer" and (not d.field or d.action is Action.REPLACE))
    balancers = {d.key.name for d in another}
    told = (d for d in differences if d.key.kind in _BALANCING or (d.key.kind, d.key.name in balancers) == _VIP)
    playbooks = (s for s in plan.steps if s.tool is Tool.KUBESPRAY)
    return [*(identity(d) for s in playbooks for d in s.differences), *(map(identity, told) if balancers else ())]


def _volumes(plan: Plan, facts: Facts) -> Iterable[Identity]:
    """Volumes, and machines that have some on their disks."""
    doomed = (d for step in plan.steps for d in step.differences if d.key.kind in VOLUMES and destroys(d))
    holding = {g.node for g in facts.guests if g.pinned}
    return [*map(identity, doomed), *_servers(plan, lambda d: d.key.name in holding)]


_ABOUT: Mapping[str, Callable[[Plan, Facts], Iterable[Identity]]] = {
    "max-deletions": _destroyed,
    "max-deletion-percent": _destroyed,
    "last-workers": _last,
    "control-plane": lambda plan, facts: _servers(plan, lambda d: d.key.name in facts.control_plane),
    "replaced-servers": _replaced,
    "sessions": _ending,
    "rebuild": _rebuilt,
    _RECOVERY: _playbooks,
    "unknowns": _machines,
    "stateful-volumes": _volumes,
    "maintenance-window": _disruptive,
}
