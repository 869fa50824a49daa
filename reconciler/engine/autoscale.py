"""The autoscaler's decisions: made, laid over each other and over what git says, and told as instances. All pure."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..model.autoscale import Decision, ErrorClass, Group, Instance, Live, Outlook, State
from ..model.change import Action, Class, Difference, Severity
from ..model.desired import Autoscale, Cluster, NodeGroup, Removed, ScaledGroup, effective
from ..model.desired.autoscale import LARGEST
from ..model.message import commit_message
from ..model.naming import FAULT, GROUP_KEY
from ..model.resource import Component, Key

_REMEMBERED = 64  # decisions that the file names: a replay comes within minutes, and this is days
_HOST_NAME = 63  # RFC 1123
# What Nova and its quotas say when there is no room: another flavor or zone may have some.
_NO_ROOM = re.compile(
    r"quota|no valid host|not enough hosts|no hosts? (was|were|available)|insufficient|exceeds? .*(limit|capacity)|"
    r"exceeded maximum number of retries|ResourcesExhausted|out of (memory|resources)|Unable to allocate",
    re.IGNORECASE,
)


class Refused(Exception):
    """A request the autoscaler may not make. `missing`: what it names is not there."""

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing


def offered(cluster: Cluster) -> tuple[NodeGroup, ...]:
    """The groups the autoscaler may touch: with bounds, and suspended neither by themselves nor with the cluster."""
    spec = cluster.spec
    if spec.suspend or spec.mode == "report" or spec.autoscaling == "suspended":
        return ()
    return tuple(g for g in spec.node_groups if g.min is not None and g.autoscaling == "active")


def notices(cluster: Cluster) -> tuple[Difference, ...]:
    """What a report says of groups that would be the autoscaler's and are not: suspended, or pinned by their bounds."""
    active = {group.name for group in offered(cluster)}
    bounded = [group for group in cluster.spec.node_groups if group.min is not None]
    return tuple(_notice(g, g.name in active) for g in bounded if g.name not in active or g.min == g.max)


def _notice(group: NodeGroup, active: bool) -> Difference:
    held = f"stays at {group.count} machines"
    why = f"autoscaling is pinned: min and max are both {group.max}" if active else f"autoscaling is suspended: {held}"
    return Difference(
        Component.INFRASTRUCTURE, Key("node_group", group.name), "", None, None, None, Class.NOTICE, Action.NONE,
        Severity.INFO, why,
    )  # fmt: skip


# decisions


def increase(cluster: str, group: Group, said: ScaledGroup, delta: int, id_: str) -> Decision:
    """Decide on `delta` machines more. Raises Refused where that is none, or more than `max`."""
    if delta <= 0:
        raise Refused(f"an increase by {delta} is none")
    if group.target + delta > group.max:
        raise Refused(f"{group.name} has {group.target} machines; {delta} more are over its max of {group.max}")
    numbers = tuple(range(said.next, said.next + delta))
    if numbers[-1] > LARGEST or len(f"{cluster}-{group.name}-{numbers[-1]}") > _HOST_NAME:
        raise Refused(f"machine {numbers[-1]} of {group.name} can't have a name: set `next` back in autoscale.yaml")
    more = "1 machine more" if delta == 1 else f"{delta} machines more"
    return Decision(id_, group.name, add=numbers, why=f"{more}: pods are pending that would fit on it")


def delete(group: Group, found: Sequence[Instance], id_: str) -> Decision | None:
    """Decide that these machines go; None where all of them do already. Raises Refused for more than `min` allows."""
    going = list({i.number: i for i in found if i.number in group.machines}.values())
    if not going:
        return None
    if group.target - len(going) < group.min:
        raise Refused(f"{group.name} has {group.target} machines; {len(going)} less are below its min of {group.min}")
    servers = tuple(Removed(number=i.number, server=i.server) for i in going if i.server)
    return Decision(id_, group.name, remove=tuple(i.number for i in going), servers=servers, why=_reason(going))


def decrease(group: Group, delta: int, id_: str) -> Decision:
    """Decide to want fewer machines, of those that are not there. Raises Refused where one that is would have to go."""
    if delta >= 0:
        raise Refused(f"a decrease by {delta} is none: the delta is negative")
    if group.target + delta < group.min:
        raise Refused(f"{group.name} has {group.target} machines; {-delta} less are below its min of {group.min}")
    there = {i.number for i in group.instances if i.server}
    free = sorted(number for number in group.machines if number not in there)
    if len(free) < -delta:
        raise Refused(f"only {len(free)} of {group.name}'s machines are not there yet; one that is would have to go")
    return Decision(id_, group.name, remove=tuple(free[delta:]), why="machines that did not come in time are given up")


def _reason(going: Sequence[Instance]) -> str:
    if all(i.error for i in going):
        return f"could not be made: {going[0].error}"
    if all(not i.server for i in going):
        return "did not come in time"
    return "idle: what runs there fits elsewhere" if all(i.state is State.RUNNING for i in going) else "not needed"


# decisions over what git says


@dataclass(frozen=True, slots=True)
class Folded:
    """The file with decisions laid over it, and which of them were not in it before, each as it came out. `renumbered`
    has the number that each machine they add came to, by its group and the number it was decided with; 0 where
    there was no room for it any more."""

    file: Autoscale
    fresh: tuple[Decision, ...]
    renumbered: Mapping[tuple[str, int], int] = field(default_factory=dict)


def fold(cluster: Cluster, said: Autoscale | None, decisions: Iterable[Decision], gone: Collection[str] = ()) -> Folded:
    """Lay decisions over a cluster's file, each exactly once, never past what people allow. `gone` are ids of removed
    servers that are known to be no more: what is gone need not be named. Groups that are no more are dropped."""
    before = said or Autoscale.of(cluster.name)
    written = {g.name: g for g in cluster.spec.node_groups if g.min is not None}
    active = {g.name for g in offered(cluster)}
    groups = {name: entry for name in written if (entry := before.group(name))}
    fresh: list[Decision] = []
    renumbered: dict[tuple[str, int], int] = {}
    for decision in decisions:
        if decision.id in before.spec.decided or any(decision.id == other.id for other in fresh):
            continue
        name = decision.group
        if name not in active:
            fresh.append(Decision(decision.id, name, why="the group is not the autoscaler's any more"))
            continue
        entry = effective(written[name], groups.get(name))
        groups[name], came = _laid(written[name], entry, decision, renumbered)
        fresh.append(came)
    kept = [_forgetting(groups[name], gone) for name in sorted(groups)]
    ids = [*before.spec.decided, *(d.id for d in fresh)]
    return Folded(Autoscale.of(cluster.name, kept, ids[-max(_REMEMBERED, len(fresh)) :]), tuple(fresh), renumbered)


def addressed(decision: Decision, folded: Folded) -> Decision:
    """A decision made on what `folded` comes to, so that it finds its machines when they have other numbers. Only those
    that wait for their push can get one: a machine that has a server, or is in git, keeps its number."""
    waiting = {number: wanted for (name, wanted), number in folded.renumbered.items() if name == decision.group}
    settled = {one.number for one in decision.servers}
    ours = tuple((n, waiting[n]) for n in decision.remove if n in waiting and n not in settled)
    return replace(decision, waiting=ours)


def _laid(
    group: NodeGroup, entry: ScaledGroup, decision: Decision, renumbered: dict[tuple[str, int], int]
) -> tuple[ScaledGroup, Decision]:
    """One decision over one group, and what came of it within the bounds of now."""
    machines, following = list(entry.machines), entry.next
    added: list[int] = []
    room = max(0, (group.max or 0) - len(machines))
    renumbered.update({(group.name, wanted): 0 for wanted in decision.add[room:]})
    for wanted in decision.add[:room]:
        number = following = max(wanted, following)
        while number in group.without:
            number += 1
        following = number + 1
        renumbered[group.name, wanted] = number
        added.append(number)
    machines += added
    became = {n: renumbered.get((group.name, wanted), n) for n, wanted in decision.waiting}
    leaving = [number for number in (became.get(n, n) for n in decision.remove) if number in machines]
    leaving = leaving[: max(0, len(machines) - (group.min or 0))]
    servers = tuple(one for one in decision.servers if one.number in leaving)
    laid = entry.model_copy(
        update={
            "machines": tuple(sorted(set(machines) - set(leaving))),
            "next": following,
            "removed": (*entry.removed, *servers),
        }
    )
    return laid, Decision(decision.id, decision.group, tuple(added), tuple(leaving), servers, decision.why)


def _forgetting(entry: ScaledGroup, gone: Collection[str]) -> ScaledGroup:
    return entry.model_copy(update={"removed": tuple(r for r in entry.removed if r.server not in gone)})


def message(cluster: str, before: Mapping[str, int], after: Mapping[str, int], fresh: Sequence[Decision]) -> str:
    """The commit's message: what becomes of which group, why, and a trailer for each decision. `before` and `after` are
    the groups' targets."""
    touched = list(dict.fromkeys(d.group for d in fresh))
    sizes = [f"{g} from {before.get(g, 0)} to {after.get(g, 0)}" for g in touched]
    lines = []
    for d in fresh:
        names = ", ".join(f"{cluster}-{d.group}-{n}" for n in (*d.add, *d.remove))
        verb = "comes" if d.add else "goes"
        lines.append(f"- {names} {verb}: {d.why}" if names else f"- {d.group} stays as it is: {d.why}")
    trailers = [("Autoscale-Decision", f"{d.id} {d.group} {len(d.add) - len(d.remove):+d}") for d in fresh]
    return commit_message(f"{cluster}: autoscale {', '.join(sizes)}", lines, trailers)


# what there is


def outlook(cluster: Cluster, said: Autoscale | None, live: Live) -> Outlook:
    """Every group that is offered, with its instances, from what git says (decisions laid over it) and what is live."""
    entries = {g.name: effective(g, said.group(g.name) if said else None) for g in offered(cluster)}
    groups = {g.name: _group(cluster.name, g, entries[g.name], live) for g in offered(cluster)}
    places = {i.id: (g.name, i) for g in groups.values() for i in g.instances}
    names = {f"{cluster.name}-{g.name}-{i.number}": (g.name, i) for g in groups.values() for i in g.instances}
    return Outlook(groups, places, names, live.servers is not None, live.nodes is not None)


def _group(cluster: str, group: NodeGroup, entry: ScaledGroup, live: Live) -> Group:
    prefix = f"{cluster}-{group.name}-"
    instances = [_wanted(f"{prefix}{number}", number, live) for number in entry.machines]
    for name, (id_, fields) in sorted((live.servers or {}).items()):
        number = name.removeprefix(prefix)
        if fields.get(f"metadata.{GROUP_KEY}") == group.name and number.isdigit() and int(number) not in entry.machines:
            instances.append(Instance(_provider_id(name, id_, live), State.DELETING, int(number), id_))
    counts = {state: sum(i.state is state for i in instances) for state in State}
    debug = (
        f"{cluster}/{group.name}: {len(entry.machines)} wanted of {group.min} to {group.max}; "
        f"{counts[State.RUNNING]} running, {counts[State.CREATING]} creating, {counts[State.DELETING]} deleting"
    )
    return Group(group.name, group.min or 0, group.max or 0, entry.machines, tuple(instances), debug)


def _wanted(name: str, number: int, live: Live) -> Instance:
    if name not in (live.servers or {}):
        error = live.failure if name in live.failed_at else ""
        return _failed(Instance(f"openstack:///{name}", State.CREATING, number), error)
    id_, fields = (live.servers or {})[name]
    place = _provider_id(name, id_, live)
    if fields.get("status") == "ERROR":
        return _failed(Instance(place, State.CREATING, number, id_), str(fields.get(FAULT) or "the server is in ERROR"))
    joined = _node(name, id_, live) is not None
    return Instance(place, State.RUNNING if joined else State.CREATING, number, id_)


def _failed(instance: Instance, error: str) -> Instance:
    if not error:
        return instance
    room = bool(_NO_ROOM.search(error))
    code, kind = ("OUT_OF_RESOURCES", ErrorClass.OUT_OF_RESOURCES) if room else ("FAILED", ErrorClass.OTHER)
    return Instance(instance.id, instance.state, instance.number, instance.server, code, error, kind)


def _node(name: str, server: str, live: Live) -> str | None:
    """The providerID of the server's own node: of one that has none yet it is empty, and a node that has another
    server's is not its node."""
    found = (live.nodes or {}).get(name)
    return found if found is not None and found.rpartition("/")[2] in ("", server) else None


def _provider_id(name: str, server: str, live: Live) -> str:
    """What the node has (a cloud controller may write its region into it), or what it will get."""
    return _node(name, server, live) or f"openstack:///{server}"


def place(seen: Outlook, provider_id: str, name: str) -> tuple[str, Instance] | None:
    """The group and the instance of a node; None for one that is not ours."""
    return seen.places.get(provider_id) if provider_id else seen.names.get(name)


def leaving(seen: Outlook, live: Live) -> frozenset[str]:
    """The names of the nodes whose machines go."""
    going = {name for name, (_, instance) in seen.names.items() if instance.state is State.DELETING}
    return frozenset(going & (live.nodes or {}).keys())


def given_up(decision: Decision, seen: Outlook) -> bool:
    """Does it let go of a machine that never was a node?"""
    states = {i.number: i.state for i in seen.groups[decision.group].instances} if decision.group in seen.groups else {}
    return any(states.get(number) is State.CREATING for number in decision.remove)


@dataclass(frozen=True, slots=True)
class Pause:
    """For how long a group gets no machine, since one of its own was given up. `until` and `last` are times of the
    clock that is asked, in seconds."""

    until: float
    last: float
    seconds: float


_FIRST_PAUSE, _LONGEST_PAUSE, _FORGOTTEN = 300.0, 1800.0, 10_800.0  # seconds: Cluster Autoscaler's own figures


def pause(before: Pause | None, now: float) -> Pause:
    """The pause after a machine was given up at `now`: twice as long as the one `before`, unless that was long ago."""
    again = before is not None and now - before.last < _FORGOTTEN
    seconds = min(_LONGEST_PAUSE, before.seconds * 2) if before and again else _FIRST_PAUSE
    if before and now < before.until:  # one failure of several machines
        return replace(before, last=now)
    return Pause(now + seconds, now, seconds)


def check_paused(name: str, held: Pause | None, now: float) -> None:
    """Raises Refused while a group pauses: then Cluster Autoscaler counts a failed scale-up and backs off itself, or
    tries another group."""
    if held and now < held.until:
        left = math.ceil((held.until - now) / 60)
        raise Refused(f"a machine of {name} was given up: it gets no other one for {left} min")


def check_known(seen: Outlook, name: str) -> Group:
    """The group called `name`. Raises Refused where none is offered."""
    if name not in seen.groups:
        there = ", ".join(sorted(seen.groups)) or "none"
        raise Refused(f"no node group {name!r} is offered (there are: {there})", missing=True)
    return seen.groups[name]
