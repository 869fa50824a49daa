"""Is there room for what a plan makes? Said before anything is made: a cluster that stops half-way helps nobody.

What is made anew gives back what it has, so only what comes on top is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
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
    "port": ("ports",),
    "router_interface": ("ports",),
    "load_balancer": ("ports",),
    "floating_ip": ("floating_ips",),
    "security_group": ("security_groups",),
    "security_group_rule": ("security_group_rules",),
    "network": ("networks",),
    "subnet": ("subnets",),
    "router": ("routers",),
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
    held = _held(every, taken, {s.what for s in short})
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
    every: Mapping[Identity, Difference], taken: Mapping[Identity, Mapping[str, int]], short: set[str]
) -> frozenset[Identity]:
    """What takes of what is short, with the machines that would be nothing without it, and their parts and nodes."""
    held = {i for i in every if short & taken[i].keys()}
    names = {every[i].key.name for i in held if every[i].key.kind in ("server", "port") and not every[i].field}
    groups = {every[i].key.name for i in held if every[i].key.kind == "security_group"}

    def follows(key: Key, d: Difference) -> bool:
        part = key.name in names and d.action is Action.CREATE and (d.component is _KUBE or key.kind in PARTS)
        return part or (key.kind == "security_group_rule" and key.name.partition(" ")[0] in groups)

    return frozenset(held | {i for i, d in every.items() if follows(d.key, d)})
