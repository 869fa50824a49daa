"""From what is seen to a guarded plan, in one pure function: diff, ignore, join, date, plan, guard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..model.change import Action, Class, Difference
from ..model.desired import Ignore, Repair
from ..model.plan import Plan, Step
from ..model.resource import Component, Expected, Observed
from . import certificates, environments
from .causes import joined
from .command import command
from .diff import Replacing, diff
from .environments import Asked
from .guard import Facts, guard
from .health import treated
from .history import Identity, Version, dated
from .ignore import ignored
from .planner import plan
from .playbook import Roles
from .returned import returned


@dataclass(frozen=True, slots=True)
class Case:
    """Everything one decision is made from. `replacing` names the fields whose change builds a thing anew; `history`
    what the observed branch had, newest first; `durations` how many seconds each "tool operation" took before;
    `removed` which added fields were taken out of objects already, and when those had been set."""

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
    removed: Mapping[Identity, str] = field(default_factory=dict)


def decide(case: Case) -> Plan:
    """The plan of one cluster, with the refusals of its guards. The order of the input changes nothing."""
    seen = returned(ignored(_found(case), case.ignore), case.removed)
    cared = treated(seen, case.observed, case.repair, case.roles, case.facts.now)
    told = dated(joined(cared.differences, case.observed.symptoms), case.history)
    both = (*case.applied.resources(Component.WORKLOADS), *case.expected.resources(Component.WORKLOADS))
    waves = {resource.key: resource.wave for resource in both}
    made = plan(case.cluster, case.commit, told, roles=case.roles, reboot=cared.reboot, waves=waves)
    return guard(replace(made, steps=tuple(_complete(step, told, case) for step in made.steps)), case.facts)


def _found(case: Case) -> tuple[Difference, ...]:
    compared = diff(case.expected, case.applied, case.observed, replacing=case.replacing)
    explained = environments.explained(compared, case.environments, case.facts.now)
    ending = environments.notices(case.environments, case.facts.now)
    found = (*explained, *certificates.differences(case.observed, case.facts.now), *ending, *case.notices)
    return tuple(sorted(found, key=lambda d: d.order))


def _complete(step: Step, told: Sequence[Difference], case: Case) -> Step:
    """What is told of a step and decides nothing: what it runs, for how long, and what it leaves as it is."""
    keep = tuple(d for d in told if d.component is step.component and _left(d))
    return replace(step, command=command(step), seconds=case.durations.get(run_name(step)), keep=keep)


def _left(d: Difference) -> bool:
    """Is this a field that repair leaves as it is live?"""
    return d.cls is Class.IGNORED or bool(d.field and d.action is Action.NONE)


def run_name(step: Step) -> str:
    """What earlier runs of the same are found by."""
    return f"{step.tool.value} {step.operation} {step.component.value}"
