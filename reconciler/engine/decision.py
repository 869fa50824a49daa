"""From what is seen to a guarded plan, in one pure function: diff, ignore, join, date, plan, guard."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..model.builds import Builds
from ..model.change import Action, Class, Difference
from ..model.desired import Ignore, Repair
from ..model.plan import Plan, Step, Tool
from ..model.quota import Quota
from ..model.resource import Component, Expected, Observed
from . import certificates, environments, rolling, sessions
from .able import Missing, able, narrowed
from .able import notices as gone
from .causes import joined
from .certificates import Renewal
from .command import command
from .diff import Replacing, diff
from .environments import Asked
from .fleet_counts import families, workers
from .guard import Facts
from .health import treated
from .history import Identity as Told
from .history import Version, dated
from .holding import Granted, Identity, guarded, identity
from .ignore import ignored
from .moves import moves
from .planner import plan
from .playbook import Roles
from .quota import afforded
from .returned import returned
from .rolling import rolled
from .unborn import emptied


@dataclass(frozen=True, slots=True)
class Case:
    """Everything one decision is made from. `replacing` names the fields whose change builds a thing anew; `history`
    what the observed branch had, newest first; `durations` how many seconds each "tool operation" took before.
    `missing` is what git names and the cloud does not have; `builds` are the images of today; `quota` is what
    the project may have, as far as it was asked for; `granted` is what an earlier plan of the cycle was let do.
    `removed` has which added fields were taken out of objects already, and when those had been set;
    `renewal` is what git wants of certificates that end soon."""

    cluster: str
    commit: str
    expected: Expected
    applied: Expected
    observed: Observed
    roles: Roles
    facts: Facts
    replacing: Replacing = frozenset()
    ignore: Sequence[Ignore] = ()
    history: Iterable[Version] = ()
    durations: Mapping[str, float] = field(default_factory=dict)
    repair: Repair = field(default_factory=Repair)
    environments: Sequence[Asked] = ()
    notices: Sequence[Difference] = ()
    missing: Missing = field(default_factory=dict)
    builds: Builds = field(default_factory=Builds)
    quota: Quota = field(default_factory=dict)
    granted: Granted | None = None
    removed: Mapping[Told, str] = field(default_factory=dict)
    renewal: Renewal = Renewal.REPORTED


def decide(case: Case) -> Plan:
    """The plan of one cluster, with the refusals of its guards. The order of the input changes nothing."""
    seen = emptied(returned(ignored(_found(case), case.ignore), case.removed), case.observed)
    in_turn = rolled(seen, case.observed, case.facts.limits.max_replaced_servers)
    possible = able(in_turn, case.expected, case.observed, case.missing)
    narrow = narrowed(seen, possible, case.missing, case.builds.flavors)
    cared = treated(possible, case.observed, case.repair, case.roles, case.facts.now)
    told = dated(joined(cared.differences, case.observed.symptoms), case.history)
    both = (*case.applied.resources(Component.WORKLOADS), *case.expected.resources(Component.WORKLOADS))
    waves = {resource.key: resource.wave for resource in both}
    guests = case.observed.guests
    told = tuple(sorted((*told, *moves(guests)), key=lambda d: d.order)) if guests else told
    facts = replace(case.facts, families=families(case.observed), workers=workers(case.observed), guests=guests)

    gone_for_now = frozenset(d.key.name for d in told if _absent(d))

    def made(only: Collection[Identity] | None = None, *, playbooks: bool = True, absent: Collection[str] = ()) -> Plan:
        chosen = told if only is None else tuple(d if identity(d) in only else _left_alone(d) for d in told)
        unmade = gone_for_now | frozenset(absent)
        whole = plan(
            case.cluster, case.commit, chosen, roles=case.roles, reboot=cared.reboot, waves=waves, absent=unmade
        )
        some = (s for s in whole.steps if playbooks or s.tool is not Tool.KUBESPRAY)
        steps = (replace(_complete(step, chosen, case), narrow=narrow) for step in some)
        return replace(whole, steps=tuple(steps))

    def judged(whole: Plan) -> Plan:
        return guarded(whole, facts, made, case.granted)

    first = not case.observed.resources(Component.INFRASTRUCTURE, "server")
    return afforded(made(), case.quota, (case.expected, case.builds), first, made, judged)


def _absent(d: Difference) -> bool:
    """Is this a machine that is not there and that nobody makes now?"""
    there = d.field or d.live is not None or d.actionable
    return d.component is Component.INFRASTRUCTURE and d.key.kind == "server" and not there


def _left_alone(d: Difference) -> Difference:
    return replace(d, action=Action.NONE) if d.actionable else d


def _found(case: Case) -> tuple[Difference, ...]:
    compared = diff(case.expected, case.applied, case.observed, replacing=case.replacing)
    explained = environments.explained(compared, case.environments, case.facts.now)
    ending = environments.notices(case.environments, case.facts.now)
    images = rolling.notices(case.expected, case.observed, case.builds, case.missing)
    told = (*ending, *images, *gone(case.missing), *case.notices)
    ending_soon = certificates.differences(case.observed, case.facts.now, case.renewal)
    found = (*explained, *ending_soon, *told)
    return tuple(sorted(found, key=lambda d: d.order))


def _complete(step: Step, told: Sequence[Difference], case: Case) -> Step:
    """What is told of a step and decides nothing: what it runs, for how long, and what it leaves as it is."""
    keep = tuple(d for d in told if d.component is step.component and _left(d))
    ends = sessions.ended(step, case.facts.sessions)
    summary = f"{step.summary} (ends {', '.join(ends)})" if ends else step.summary
    return replace(step, summary=summary, command=command(step), seconds=case.durations.get(run_name(step)), keep=keep)


def _left(d: Difference) -> bool:
    """Is this a field that repair leaves as it is live?"""
    return d.cls is Class.IGNORED or bool(d.action is Action.NONE and d.cls is not Class.NOTICE)


def run_name(step: Step) -> str:
    """What earlier runs of the same are found by."""
    return f"{step.tool.value} {step.operation} {step.component.value}"
