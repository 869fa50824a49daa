"""What one cycle must not do without a person's word: each guard a pure function with a message of its own."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..model.change import Action, Difference
from ..model.desired import LONGEST_PATTERN, Approval, Guards, Maintenance, end_of
from ..model.guest import Guest
from ..model.plan import Plan, Refusal, Step, Tool
from ..model.resource import Component
from . import windows
from .backups import risky
from .fleet_counts import FAMILIES
from .moves import going, lost
from .sessions import ended, machines_stopped

_DESTRUCTIVE = (Action.DELETE, Action.REPLACE)
VOLUMES = ("PersistentVolumeClaim", "PersistentVolume")
_HANDFUL = 3
# What a server boots from and what it runs at first boot: another one means another disk
# (terraform-provider-openstack#1190, #1986).
_REBUILDING = ("image", "user_data", "boot_volume.size", "boot_volume.type")


@dataclass(frozen=True, slots=True)
class Facts:
    """What guards may look at besides the plan: limits, names, how many resources are live and desired, the time.

    `decided` are the ids of the servers that the autoscaler's file names as removed: each was chosen by itself, within
    the bounds people gave its group, so their deletion counts towards no limit and disrupts nobody. `families` says how
    many are live of what is counted together (`existing` stands in for what it leaves out), `workers` which machines
    pods run on now, `guests` the pods on those that the plan drains, `sessions` those in use, by machine, and
    `unseen_sessions` why nobody could say which these are. `unsaved` says why a snapshot of etcd, which git wants,
    could not be taken just now.
    """

    limits: Guards
    control_plane: Collection[str]
    existing: int
    desired: int
    maintenance: Maintenance
    now: datetime.datetime
    decided: Collection[str] = ()
    families: Mapping[str, int] = field(default_factory=dict)
    workers: Collection[str] = ()
    guests: Sequence[Guest] = ()
    sessions: Mapping[str, Collection[str]] = field(default_factory=dict)
    unseen_sessions: str = ""
    unsaved: str = ""


@dataclass(frozen=True, slots=True)
class Guard:
    """One rule. `check` returns what is wrong or None; `way` tells how the plan may be carried out all the same.

    `explicit` guards are passed only by an approval that names them: a yes to many deletions is none to losing etcd.
    `holds` are the steps that wait where a guard does not refuse the whole plan; then a plan of just these may be
    approved, whatever else there is to do.
    """

    name: str
    check: Callable[[Plan, Facts], str | None]
    way: str | Callable[[Plan], str]
    explicit: bool = False
    holds: Callable[[Step], bool] | None = None

    def about(self, plan: Plan) -> Plan:
        """The part of the plan it judges."""
        return replace(plan, steps=tuple(s for s in plan.steps if self.holds(s))) if self.holds else plan


def guard(plan: Plan, facts: Facts, rules: Sequence[Guard] | None = None) -> Plan:
    """Return the plan with its refusals: what a guard of `rules` (else of all) says and no approval in git answers."""
    if not plan.steps:
        return plan
    refusals, steps = [], plan.steps
    for each in GUARDS if rules is None else rules:
        message = each.check(plan, facts)
        if message and not any(_covers(a, each, plan, facts) for a in facts.limits.approvals):
            said = message + _expired(each, plan, facts)
            refusals.append(Refusal(each.name, said, _approval(each, plan), partial=each.holds is not None))
            steps = tuple(replace(s, held=s.held or bool(each.holds and each.holds(s))) for s in steps)
    return replace(plan, steps=steps, refusals=tuple(refusals))


def destroyed(plan: Plan) -> set[tuple[str, str, str]]:
    """What the plan would delete or replace, as (kind, name, target); a stray thing by its id."""
    return {doomed for step in plan.steps for d in step.differences if (doomed := destroys(d))}


def destroys(d: Difference) -> tuple[str, str, str] | None:
    """What carrying this out would delete or replace, called as in `destroyed`; None for nothing that counts. A server
    that never ran has nothing to lose."""
    if d.action not in _DESTRUCTIVE or d.key.kind not in FAMILIES or d.component is Component.KUBERNETES or d.empty:
        return None
    return d.key.kind, d.key.name if not d.stray else d.id or d.key.name, d.key.target


def rebuilds(d: Difference) -> bool:
    """Would this give a server another disk?"""
    return d.key.kind == "server" and d.action is Action.REPLACE and d.field in _REBUILDING and not d.empty


def _covers(approval: Approval, rule: Guard, plan: Plan, facts: Facts) -> bool:
    return _names(approval, rule, plan) and facts.now < end_of(approval.expires)


def _names(approval: Approval, rule: Guard, plan: Plan) -> bool:
    said = rule.name in approval.guards if approval.guards else not rule.explicit
    return approval.plan in (plan.digest, rule.about(plan).digest) and said


def _expired(rule: Guard, plan: Plan, facts: Facts) -> str:
    late = [a.expires for a in facts.limits.approvals if _names(a, rule, plan)]
    return f" (the approval of this plan expired: {max(late)})" if late else ""


def _approval(rule: Guard, plan: Plan) -> str:
    """The guard's own way, and the line to have reviewed. No date is proposed: the text must be the same tomorrow. The
    digest stands in quotes: some are numbers to YAML."""
    line = f"- {{plan: '{rule.about(plan).digest}', guards: [{rule.name}], expires: YYYY-MM-DD, reason: why}}"
    where = f"desired/{plan.cluster}/cluster.yaml, under spec.guards.approvals"
    way = rule.way if isinstance(rule.way, str) else rule.way(plan)
    return f"{way}; or have this very plan approved by pull request, in {where}:\n{line}"


def undecided(plan: Plan, facts: Facts) -> set[tuple[str, str, str]]:
    """What would be destroyed besides the machines that the autoscaler chose, each with what it has of its own."""
    own = chosen(plan, facts)
    return {found for found in destroyed(plan) if (found[0], found[1]) not in own}


def chosen(plan: Plan, facts: Facts) -> set[tuple[str, str]]:
    """(kind, name) of what goes with the servers whose very ids the autoscaler's file names, by the name or the id that
    `destroyed` calls it."""
    servers = [
        d
        for step in plan.steps
        for d in step.differences
        if d.key.kind == "server" and d.action is Action.DELETE and d.id and d.id in facts.decided
    ]
    named = {d.key.name for d in servers if not d.stray}
    strays = {("server", d.id) for d in servers if d.stray}
    return strays | {(kind, name) for name in named for kind in ("server", "floating_ip")}


def _max_deletions(plan: Plan, facts: Facts) -> str | None:
    doomed, limit = len(undecided(plan, facts)), facts.limits.max_deletions
    return f"would delete or replace {doomed} resources; guards.maxDeletions allows {limit}" if doomed > limit else None


def _max_deletion_percent(plan: Plan, facts: Facts) -> str | None:
    """Each family of things by itself: machines are not made few by many ports. Of a handful one is always a large
    share, so the percentage counts from three deletions on."""
    doomed = Counter(FAMILIES[kind] for kind, _, _ in undecided(plan, facts))
    limit, shares = facts.limits.max_deletion_percent, []
    for family, count in sorted(doomed.items()):
        there = max(facts.families.get(family, facts.existing), count)
        if count >= _HANDFUL and count * 100 > limit * there:
            shares.append(f"{count} of {there} {family} ({count * 100 // there}%)")
    return f"would delete or replace {', '.join(shares)}; guards.maxDeletionPercent allows {limit}%" if shares else None


def _last_workers(plan: Plan, facts: Facts) -> str | None:
    """Pods of machines that go need others to go to; those that a plan makes come after those it drains. One that is
    built anew comes back under its name: other guards ask about that."""
    going = {d.key.name for step in plan.steps for d in step.differences if d.key.kind == "server" and _goes(d)}
    asked = {name for kind, name, _ in undecided(plan, facts) if kind == "server"}
    working = set(facts.workers)
    if not working or not working <= going or not working & asked:
        return None
    pods = f", with {len(facts.guests)} pods" if facts.guests else ""
    return f"would delete every machine that pods run on ({_few(sorted(working))}{pods}): nothing is left for them"


def _goes(d: Difference) -> bool:
    return d.action is Action.DELETE and not d.stray


def _control_plane(plan: Plan, facts: Facts) -> str | None:
    """etcd lives there: one member of one gone for good has lost the data, and of three the tolerance."""
    hit = sorted({name for kind, name, _ in destroyed(plan) if kind == "server" and name in facts.control_plane})
    if not hit:
        return None
    members, left = len(facts.control_plane), len(facts.control_plane) - len(hit)
    quorum = "" if left > members // 2 else f"; {left} of {members} etcd members would be left, which is no majority"
    return f"would delete or replace control-plane machines ({', '.join(hit)}): etcd's data lives there{quorum}"


def _recovery(plan: Plan, facts: Facts) -> str | None:
    """Who is put out of etcd never comes back with what it had."""
    hit = sorted({t for s in plan.steps if s.operation == "recover-control-plane.yml" for t in s.targets})
    if not hit:
        return None
    members = len(facts.control_plane)
    left = members - len(hit)
    few = "" if left > members // 2 else f"; {left} of {members} are left: etcd goes on from what the first of them has"
    return f"would put {_few(hit)} out of etcd and the control plane, and let new machines join{few}"


def _backup(plan: Plan, facts: Facts) -> str | None:
    """git wants snapshots, so somebody counts on there being one of before."""
    hit = sorted({s.operation for s in plan.steps if risky(s)})
    if not hit or not facts.unsaved:
        return None
    return f"would run {', '.join(hit)} without a snapshot of etcd, which could not be taken: {facts.unsaved}"


def _replaced_servers(plan: Plan, facts: Facts) -> str | None:
    names, limit = _replaced(plan), facts.limits.max_replaced_servers
    if len(names) <= limit:
        return None
    return f"would replace {len(names)} servers ({_few(names)}); guards.maxReplacedServers allows {limit}"


def _sessions(plan: Plan, facts: Facts) -> str | None:
    hit, limit = (
        sorted({s for step in plan.steps for s in ended(step, facts.sessions)}),
        facts.limits.max_ended_sessions,
    )
    emptied = {m for step in plan.steps for m in machines_stopped(step)} - set(facts.control_plane)
    if facts.unseen_sessions and emptied:
        return f"would end what runs on {_few(sorted(emptied))}, and sessions can't be seen: {facts.unseen_sessions}"
    if len(hit) <= limit:
        return None
    return f"would end running sessions ({_few(hit)}); guards.maxEndedSessions allows {limit}"


def _rebuild(plan: Plan, _: Facts) -> str | None:
    fields = _replaced(plan, only=_REBUILDING)
    if not fields:
        return None
    return f"would build servers anew with another disk ({_few(fields)}): what is on their disks is lost"


def _stateful_volumes(plan: Plan, facts: Facts) -> str | None:
    """Claims are never pruned; the volume below a claim can be, where a manifest had it, and one that lies on a
    machine goes with it."""
    doomed = (d for step in plan.steps for d in step.differences if d.action in _DESTRUCTIVE)
    hit = sorted({str(d.key) for d in doomed if d.key.kind in VOLUMES}) + lost(facts.guests, going(plan))
    return f"would delete or replace volumes ({_few(hit)}): their data is lost" if hit else None


def _empty_desired_set(plan: Plan, facts: Facts) -> str | None:
    if facts.desired == 0 and destroyed(plan):
        return "the desired state is empty, and something is live: this looks like a mistake"
    return None


def _unknowns(plan: Plan, _: Facts) -> str | None:
    """Nobody can drain what nobody can ask: no machine goes while its cluster does not answer."""
    doomed = sorted(name for kind, name, _ in destroyed(plan) if kind == "server")
    blind = sorted({d.component.value for d in plan.unknown if d.component is not Component.APPLICATIONS})
    if doomed and blind:
        return f"would delete or replace servers ({_few(doomed)}) while this is unknown: {', '.join(blind)}"
    return None


def _contested(plan: Plan) -> list[Difference]:
    return [d for step in plan.steps for d in step.differences if d.contested]


def _takes(step: Step) -> bool:
    return any(d.contested for d in step.differences)


def _conflict(plan: Plan, _: Facts) -> str | None:
    """Two who apply one field undo each other's work for ever, and neither says so."""
    found = [f"{d.key} {d.field} {_whose(d)}" for d in _contested(plan)]
    return f"would take fields from others ({_few(found)})" if found else None


def _whose(d: Difference) -> str:
    by = f" by {d.owner}" if d.owner else ""
    return f"was removed once and put back{by}" if d.returned else f"is owned by {d.owner}"


def _leave_it(plan: Plan) -> str:
    """A line that matches what it is printed for, whatever stands in the names."""
    d = _contested(plan)[0]
    resource, name = (_quoted(text) for text in (str(d.key), d.field))
    rule = f"{{component: {d.component}, resource: {resource}, field: {name}}}"
    return f"leave it to them by a line under spec.ignore, such as {rule}"


def _quoted(text: str) -> str:
    """A pattern in YAML's single quotes; what no rule may be as long as is cut where the rest may be anything."""
    pattern = text if len(text) <= LONGEST_PATTERN else f"{text[: LONGEST_PATTERN - 1]}*"
    return "'" + pattern.replace("'", "''") + "'"


def _maintenance_window(plan: Plan, facts: Facts) -> str | None:
    if windows.is_open(facts.maintenance, facts.now):
        return None
    if facts.maintenance.changes == "disruptive" and not _disruptive(plan, facts):
        return None
    opens = windows.next_opening(facts.maintenance, facts.now)
    when = f"{opens:%a %Y-%m-%d %H:%M} {facts.maintenance.timezone}" if opens else "never"
    return f"would change what only a maintenance window may change; the next one opens {when}"


def _freeze(_: Plan, facts: Facts) -> str | None:
    freeze = windows.frozen(facts.maintenance, facts.now)
    if freeze is None:
        return None
    return f"nothing is changed until {freeze.until}" + (f": {freeze.reason}" if freeze.reason else "")


def _disruptive(plan: Plan, facts: Facts) -> bool:
    """An idle machine that the autoscaler lets go disrupts nobody: it leaves its cluster when it was chosen."""
    own = {name for kind, name in chosen(plan, facts) if kind == "server"}
    playbooks = {
        s.operation
        for s in plan.steps
        if s.tool is Tool.KUBESPRAY and not (s.operation == "remove-node.yml" and set(s.targets) <= own)
    }
    return bool(undecided(plan, facts) or playbooks - {"scale.yml"})


def _replaced(plan: Plan, only: Collection[str] = ()) -> list[str]:
    return sorted(
        {
            d.key.name
            for step in plan.steps
            for d in step.differences
            if d.key.kind == "server" and d.action is Action.REPLACE and (not only or d.field in only) and not d.empty
        }
    )


def _few(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 5 else f"{', '.join(names[:4])} and {len(names) - 4} more"


GUARDS: tuple[Guard, ...] = (
    Guard("max-deletions", _max_deletions, "make it smaller steps, or raise guards.maxDeletions"),
    Guard("max-deletion-percent", _max_deletion_percent, "make it smaller steps, or raise guards.maxDeletionPercent"),
    Guard("last-workers", _last_workers, "add the machines that are to come first, and take these away later", True),
    Guard("control-plane", _control_plane, "leave the control plane as it is", explicit=True),
    Guard("recovery", _recovery, "bring the machines back as they were", explicit=True),
    Guard("backup", _backup, "mend what keeps the snapshot from being taken", explicit=True, holds=risky),
    Guard("replaced-servers", _replaced_servers, "change one node group at a time, or raise guards.maxReplacedServers"),
    Guard("sessions", _sessions, "wait until they are idle or stopped, or raise guards.maxEndedSessions"),
    Guard("rebuild", _rebuild, "make a new node group with the new image and empty the old one", explicit=True),
    Guard("stateful-volumes", _stateful_volumes, "keep the volume in git", explicit=True),
    Guard("empty-desired-set", _empty_desired_set, "look at what git says", explicit=True),
    Guard("unknowns", _unknowns, "repair what can't be asked first", explicit=True),
    Guard("conflict", _conflict, _leave_it, explicit=True, holds=_takes),
    Guard("maintenance-window", _maintenance_window, "wait for the window: the next cycle in it applies the plan"),
    Guard("freeze", _freeze, "wait for its end", explicit=True),
)
