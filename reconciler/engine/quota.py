"""Is there room for what a plan makes? Said before anything is made: a cluster that stops half-way helps nobody.

What is made anew gives back what it has, so only what comes on top is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from ..model.builds import Builds
from ..model.change import Action, Difference
from ..model.plan import Plan, Refusal
from ..model.quota import Quota
from ..model.resource import Component, Expected, Fields, Key
from .able import PARTS
from .holding import Identity, Replan, carrying, identity, narrow

_INFRA, _KUBE = Component.INFRASTRUCTURE, Component.KUBERNETES
GUARD = "quota"
_WAY = "ask the cloud's operators for more (`openstack quota show --usage`), or ask for less in git"
# What each kind takes of a project's quota when it is made, besides what a server's flavor and volume take.
_TAKES: Mapping[str, tuple[str, ...]] = {
    "server": ("instances",),
    "server_group": ("server_groups",),
    "port": ("ports",),
    "router_interface": ("ports",),
    "load_balancer": ("ports", "load_balancers"),
    "listener": ("listeners",),
    "pool": ("pools",),
    "member": ("members",),
    "monitor": ("monitors",),
    "floating_ip": ("floating_ips",),
    "security_group": ("security_groups",),
    "security_group_rule": ("security_group_rules",),
    "network": ("networks",),
    "subnet": ("subnets",),
    "router": ("routers",),
}
# Fields that name what has to be there first, with its kind: Terraform would make that too, whatever it was told to do.
_LEANS: Mapping[str, Mapping[str, str]] = {
    "server": {"server_group": "server_group"},
    "port": {"security_groups": "security_group", "subnet": "subnet", "ipv6_subnet": "subnet", "network": "network"},
    "security_group_rule": {"security_group": "security_group", "remote_group": "security_group"},
    "router_interface": {"subnet": "subnet"},
    "subnet": {"network": "network"},
    "listener": {"load_balancer": "load_balancer", "pool": "pool"},
    "pool": {"load_balancer": "load_balancer"},
    "monitor": {"pool": "pool"},
    "member": {"pool": "pool", "server": "server"},
    "floating_ip": {"load_balancer": "load_balancer", "server": "server"},
}


@dataclass(frozen=True, slots=True)
class Short:
    """What of a plan there is no room for: `asked` more of `what`, with `used` of `limit` taken."""

    what: str
    asked: int
    used: int
    limit: int

    def __str__(self) -> str:
        unit = " MiB" if self.what == "ram" else " GiB" if self.what == "gigabytes" else ""
        return f"{self.what.replace('_', ' ')}: {self.asked}{unit} asked, {self.used} used, limit {self.limit}"


def creates(plan: Plan) -> bool:
    """Does it make anything that takes of a quota?"""
    return any(_more(d) for step in plan.steps for d in step.differences)


def afforded(
    plan: Plan,
    quota: Quota,
    sides: tuple[Expected, Builds],
    first: bool,
    replan: Replan,
    judge: Callable[[Plan], Plan],
) -> Plan:
    """The plan as `judge` leaves it, without what there is no room for. `sides` are what git wants and what flavors
    have; a `first` creation is refused whole, for half a cluster is none."""
    every = {identity(d): d for step in plan.steps for d in step.differences}
    wanted = {r.key: r.fields for r in sides[0].resources(_INFRA)} if quota else {}
    taken = {i: _takes(d, wanted, sides[1]) for i, d in every.items()} if quota else {}
    short = _short(taken.values(), quota)
    if not short:
        return judge(plan)
    refusal = Refusal(GUARD, f"the project has no room for it: {'; '.join(map(str, short))}", _WAY)
    held = _held(every, taken, {s.what for s in short}, wanted)
    unmade = {every[i].key.name for i in held if every[i].key.kind == "server" and not every[i].field}
    rest = replan(every.keys() - held, absent=unmade)
    if first or not rest.steps:
        judged = judge(plan)
        return replace(judged, refusals=(refusal, *judged.refusals))
    judged = judge(narrow(rest))
    waiting = (replace(step, held=True) for step in carrying(replan(held), held).steps)
    return replace(
        judged,
        differences=plan.differences,
        steps=(*judged.steps, *waiting),
        refusals=(replace(refusal, partial=True), *judged.refusals),
    )


def _short(taken: Iterable[Mapping[str, int]], quota: Quota) -> list[Short]:
    asked: Counter[str] = Counter()
    for each in taken:
        asked.update(each)
    there = ((what, count, quota[what]) for what, count in sorted(asked.items()) if what in quota)
    return [Short(what, n, q.used, q.limit) for what, n, q in there if n > 0 and 0 <= q.limit < q.used + n]


def _more(d: Difference) -> bool:
    made = not d.field and d.action is Action.CREATE and d.key.kind in _TAKES
    return d.component is _INFRA and (made or (d.key.kind, d.field, d.action) == ("server", "flavor", Action.UPDATE))


def _takes(d: Difference, wanted: Mapping[Key, Fields], builds: Builds) -> Mapping[str, int]:
    """What carrying it out takes on top of what is taken now."""
    if not _more(d):
        return {}
    if d.field:
        new, old = (builds.sizes.get(str(side), (0, 0)) for side in (d.desired, d.live))
        return {"cores": max(new[0] - old[0], 0), "ram": max(new[1] - old[1], 0)}
    fields = wanted.get(d.key, {})
    return {**dict.fromkeys(_TAKES[d.key.kind], 1), **(_machine(fields, builds) if d.key.kind == "server" else {})}


def _machine(fields: Fields, builds: Builds) -> Mapping[str, int]:
    cores, ram = builds.sizes.get(str(fields.get("flavor")), (0, 0))
    size = fields.get("boot_volume.size")
    return {"cores": cores, "ram": ram, **({"volumes": 1, "gigabytes": size} if isinstance(size, int) else {})}


def _held(
    every: Mapping[Identity, Difference],
    taken: Mapping[Identity, Mapping[str, int]],
    short: set[str],
    wanted: Mapping[Key, Fields],
) -> frozenset[Identity]:
    """What takes of what is short, with what leans on that, the machines that would be nothing without it, and their
    parts and nodes."""
    held = {i for i in every if short & taken[i].keys()}
    more = held
    while more:
        unmade = _unmade(every, held)
        more = {i for i, d in every.items() if i not in held and _leans(d, wanted, unmade)}
        held |= more
    names = {every[i].key.name for i in held if every[i].key.kind in ("server", "port") and not every[i].field}

    def follows(key: Key, d: Difference) -> bool:
        return key.name in names and d.action is Action.CREATE and (d.component is _KUBE or key.kind in PARTS)

    return frozenset(held | {i for i, d in every.items() if follows(d.key, d)})


def _unmade(every: Mapping[Identity, Difference], held: Collection[Identity]) -> set[Key]:
    return {every[i].key for i in held if not every[i].field and every[i].component is _INFRA}


def _leans(d: Difference, wanted: Mapping[Key, Fields], unmade: Collection[Key]) -> bool:
    """Does this name something that is not made? Of a resource that is there only the field that differs counts."""
    if d.component is not _INFRA or d.action is Action.DELETE:
        return False
    fields = wanted.get(d.key, {})
    for field, kind in _LEANS.get(d.key.kind, {}).items():
        value = fields.get(field) if d.field in ("", field) else None
        names = value if isinstance(value, tuple) else (value,)
        if any(Key(kind, str(name)) in unmade for name in names):
            return True
    return False
