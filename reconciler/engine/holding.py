"""A guard holds what it is about: what else there is to do is done, and only what it objects to waits.

Guards that are not named here speak of the whole plan (a freeze, an empty desired state), and hold all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from ..model.change import Action, Difference
from ..model.plan import Plan, Step, Tool
from ..model.resource import Component, Key
from .able import PARTS
from .guard import Facts, destroyed, destroys, guard, rebuilds
from .sessions import machines_stopped

_INFRA, _KUBE = Component.INFRASTRUCTURE, Component.KUBERNETES
_URGENT = "security_group_rule"
# Fields of a node by which it joins or leaves; the others (labels, taints) are its own.
_JOINING = ("", "ready", "provider_id")
Identity: TypeAlias = tuple[Component, Key, str, str]
# Makes the plan of these differences alone: all others are left as they are.
Replan: TypeAlias = Callable[[Collection[Identity]], Plan]


@dataclass(frozen=True, slots=True)
class Granted:
    """What the first plan of a cycle was let do: what it destroys, and which guards held something back all the same.
    Later plans of the cycle that destroy no more than that need ask the other guards no more."""

    destroyed: frozenset[tuple[str, str, str]]
    refused: frozenset[str]


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
    held = _with_parts({i for name in objections for i in _ABOUT[name](plan, facts)}, every)
    rest = _judged(replan(every.keys() - held), facts, granted)
    if not rest.steps or rest.stopped or not _does_more(rest, held):
        return judged
    waiting = _only(replan(held), held)
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
    return Granted(frozenset(destroyed(goes)), frozenset(r.guard for r in plan.refusals))


def _judged(plan: Plan, facts: Facts, granted: Granted | None) -> Plan:
    judged = guard(plan, facts)
    if granted is None or not destroyed(plan) <= granted.destroyed:
        return judged
    return replace(judged, refusals=tuple(r for r in judged.refusals if r.partial or r.guard in granted.refused))


def _also_called(facts: Facts, waiting: Plan, names: Collection[str]) -> Facts:
    """Whoever approved the plan as it was shown, whole, approved the part of it that waits."""
    renamed = tuple(
        a.model_copy(update={"plan": waiting.digest}) if a.plan in names else a for a in facts.limits.approvals
    )
    return replace(facts, limits=facts.limits.model_copy(update={"approvals": renamed}))


def _does_more(rest: Plan, held: Collection[Identity]) -> bool:
    """Does the rest do anything that does not come with what is held?"""
    return any(identity(d) not in held for step in rest.steps if not step.held for d in step.differences)


def _only(plan: Plan, held: Collection[Identity]) -> Plan:
    """The steps that carry out what is held, and those of the nodes of its machines."""
    names = {key.name for _, key, _, _ in held}
    mine = (s for s in plan.steps if any(identity(d) in held for d in s.differences) or names & set(s.targets))
    return replace(plan, steps=tuple(mine))


def _with_parts(held: set[Identity], every: Mapping[Identity, Difference]) -> frozenset[Identity]:
    """With a machine waits what goes with it. While anything is kept from going, of the infrastructure only rules go:
    what a thing hangs on must not go before it."""
    machines = {every[i].key.name: every[i].action for i in held if every[i].key.kind == "server"}
    kept = any(every[i].action is Action.DELETE and every[i].component is _INFRA for i in held)

    def waits(d: Difference) -> bool:
        action = machines.get(d.key.name)
        if d.component is _KUBE:
            return action is not None and d.field in _JOINING
        if d.component is not _INFRA:
            return False
        part = action is not None and d.key.kind in PARTS
        return part or (kept and d.action is Action.DELETE and d.key.kind != _URGENT)

    return frozenset(held | {i for i, d in every.items() if waits(d)})


def _destroyed(plan: Plan, _: Facts) -> Iterable[Identity]:
    return [identity(d) for step in plan.steps for d in step.differences if destroys(d)]


def _servers(plan: Plan, wanted: Callable[[Difference], bool]) -> Iterable[Identity]:
    doomed = (d for step in plan.steps for d in step.differences if d.key.kind == "server" and destroys(d))
    return [identity(d) for d in doomed if wanted(d)]


def _machines(plan: Plan, _: Facts) -> Iterable[Identity]:
    return _servers(plan, bool)


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
    return [*_destroyed(plan, facts), *(identity(d) for step in playbooks for d in step.differences)]


def _volumes(plan: Plan, _: Facts) -> Iterable[Identity]:
    doomed = (d for step in plan.steps for d in step.differences if destroys(d))
    return [identity(d) for d in doomed if d.component is not _INFRA]


def _emptied(plan: Plan, facts: Facts) -> Iterable[Identity]:
    """What stops the machines with sessions: of Terraform's step only these servers, of a playbook all it is for."""
    seen = set(facts.sessions)
    for step in plan.steps:
        stopped = machines_stopped(step)
        hit = stopped - set(facts.control_plane) if facts.unseen_sessions else stopped & seen
        servers = [d for d in step.differences if d.key.kind == "server" and d.key.name in hit]
        yield from (identity(d) for d in (servers or step.differences) if hit)


_ABOUT: Mapping[str, Callable[[Plan, Facts], Iterable[Identity]]] = {
    "max-deletions": _destroyed,
    "max-deletion-percent": _destroyed,
    "last-workers": _machines,
    "control-plane": lambda plan, facts: _servers(plan, lambda d: d.key.name in facts.control_plane),
    "replaced-servers": _replaced,
    "rebuild": _rebuilt,
    "unknowns": _machines,
    "sessions": _emptied,
    "stateful-volumes": _volumes,
    "maintenance-window": _disruptive,
}
