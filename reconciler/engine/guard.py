"""What one cycle must not do without a person's word: each guard a pure function with a message of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from ..model.change import Action, Class
from ..model.desired import Guards
from ..model.plan import Plan, Refusal
from ..model.resource import Component

_DESTRUCTIVE = (Action.DELETE, Action.REPLACE)
_COUNTED = ("server", "network", "subnet", "router", "floating_ip", "PersistentVolumeClaim", "Namespace")
# etcd lives on the control plane: with one member gone for good a cluster of one has lost its data,
# and a cluster of three its tolerance.


@dataclass(frozen=True, slots=True)
class Facts:
    """What guards may look at besides the plan: limits, names, and how many resources are live and desired."""

    limits: Guards
    control_plane: Collection[str]
    existing: int
    desired: int


Guard = Callable[[Plan, Facts], str | None]


def guard(plan: Plan, facts: Facts, *, approved: Collection[str] = ()) -> Plan:
    """Return the plan with its refusals. `approved` holds plan digests a person said yes to."""
    if not plan.steps or plan.digest in approved:
        return plan
    said = ((check.__name__.strip("_").replace("_", "-"), check(plan, facts)) for check in GUARDS)
    approval = f"read the plan, then run: reconciler apply {plan.cluster} --approve {plan.digest}"
    return replace(plan, refusals=tuple(Refusal(name, message, approval) for name, message in said if message))


def _max_deletions(plan: Plan, facts: Facts) -> str | None:
    doomed = destroyed(plan)
    if len(doomed) > facts.limits.max_deletions:
        return (
            f"would delete or replace {len(doomed)} resources; guards.maxDeletions allows {facts.limits.max_deletions}"
        )
    return None


def _max_deletion_percent(plan: Plan, facts: Facts) -> str | None:
    """Of a handful of things, one is always a large share: the percentage counts from three deletions on."""
    doomed, limit = len(destroyed(plan)), facts.limits.max_deletion_percent
    if doomed >= 3 and facts.existing and doomed * 100 > limit * facts.existing:
        share = f"{doomed} of {facts.existing} ({doomed * 100 // facts.existing}%)"
        return f"would delete or replace {share}; guards.maxDeletionPercent allows {limit}%"
    return None


def _control_plane(plan: Plan, facts: Facts) -> str | None:
    hit = sorted({name for kind, name, _ in destroyed(plan) if kind == "server" and name in facts.control_plane})
    if hit:
        return f"would delete or replace control-plane machines ({', '.join(hit)}): etcd's data lives there"
    return None


def _empty_desired_set(plan: Plan, facts: Facts) -> str | None:
    if facts.desired == 0 and destroyed(plan):
        return "the desired state is empty, and something is live: this looks like a mistake"
    return None


def destroyed(plan: Plan) -> set[tuple[str, str, str]]:
    """What the plan would delete or replace, as (kind, name, target); a stray thing by its id."""
    return {
        (d.key.kind, d.key.name if d.cls is not Class.UNMANAGED else d.id or d.key.name, d.key.target)
        for step in plan.steps
        for d in step.differences
        if d.action in _DESTRUCTIVE and d.key.kind in _COUNTED and d.component is not Component.KUBERNETES
    }


GUARDS: tuple[Guard, ...] = (_max_deletions, _max_deletion_percent, _control_plane, _empty_desired_set)
