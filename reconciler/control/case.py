"""What a cluster's plan is made from: one look at it beside what git, the records and this machine know."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator

from ..engine import autoscale, namespaces, sessions, windows
from ..engine.certificates import Renewal
from ..engine.decision import Case
from ..engine.environments import Asked
from ..engine.guard import Facts
from ..engine.holding import Granted
from ..engine.playbook import Roles
from ..model.change import Difference
from ..model.desired import ClusterSpec
from ..model.naming import GROUP_KEY
from ..model.resource import Component, Known, Unknown
from ..spec.load import DesiredCluster
from ..spec.render.environment import namespace
from ..spec.render.machines import CONTROL_PLANE_GROUP, ETCD_GROUP, Role, machines
from ..spec.render.owners import owners
from ..spec.render.terraform import REPLACING
from . import durations, host_keys, record, removed
from .applied import believed
from .finished import Finished
from .installed import installed_on, lost
from .sight import Sight
from .toolkit import Toolkit

# Keys of an environment that reports send people to.
_SPOKEN_OF = ("expires", "volume")


def case_of(
    desired: DesiredCluster,
    commit: str,
    tools: Toolkit,
    sight: Sight,
    now: datetime.datetime,
    granted: Granted | None = None,
    notices: Collection[Difference] = (),
    unsaved: str = "",
) -> Case:
    """The case of the cluster as `sight` has it at the time `now`. `granted` is what the first plan of a cycle was
    allowed; `notices` are told beside those that follow from the look; `unsaved` says why no snapshot of etcd could be
    taken."""
    cluster, roles = desired.cluster, roles_of(desired, tools, sight)
    applied = believed(tools.repository, tools.state, desired.name, sight.expected)
    return Case(
        cluster=desired.name,
        commit=commit,
        expected=sight.expected,
        applied=Finished(tools.state, desired.name).added(applied, sight.expected),
        observed=sight.observed,
        roles=roles,
        facts=facts_of(desired, sight, roles.etcd or roles.control_plane, now, unsaved=unsaved),
        replacing=REPLACING,
        ignore=(*cluster.spec.ignore, *owners(sight.manifests)),
        history=record.History(tools.repository, desired.name),
        durations=durations.read(tools.state, desired.name),
        repair=cluster.spec.kubernetes.repair,
        environments=tuple(_environments(desired)),
        notices=(
            *autoscale.notices(cluster),
            *namespaces.notices(sight.unmade),
            *host_keys.notices(cluster, sight.servers, tools),
            *notices,
        ),
        missing=sight.missing,
        builds=sight.builds,
        granted=granted,
        removed=removed.removed(tools.state, desired.name, now),
        renewal=_renewal(cluster.spec, now),
    )


def facts_of(
    desired: DesiredCluster, sight: Sight, masters: Collection[str], now: datetime.datetime, *, unsaved: str = ""
) -> Facts:
    """What guards go by. `masters` are the machines that git has etcd on; those that are live are added."""
    spec, infrastructure = desired.cluster.spec, Component.INFRASTRUCTURE
    live = sum(len(sight.observed.resources(infrastructure, k)) for k in sight.observed.kinds(infrastructure))
    groups = (CONTROL_PLANE_GROUP, ETCD_GROUP)
    there = {s.name for s in sight.servers if s.fields.get(f"metadata.{GROUP_KEY}") in groups}
    wanted, autoscaled = len(sight.expected.resources(infrastructure)), desired.autoscale
    node_groups = autoscaled.spec.node_groups if autoscaled else ()
    decided = {gone.server for group in node_groups for gone in group.removed}
    listed, unseen = ((), sight.sessions.reason) if isinstance(sight.sessions, Unknown) else (sight.sessions, "")
    return Facts(
        spec.guards, {*masters, *there}, live, wanted, spec.maintenance, now, decided,
        sessions=sessions.in_use(listed, now), unseen_sessions=unseen, unsaved=unsaved,
    )  # fmt: skip


def roles_of(desired: DesiredCluster, tools: Toolkit, sight: Sight) -> Roles:
    """Which machines have which part, and which of those that were installed are gone."""

    def of(role: Role) -> frozenset[str]:
        return frozenset(m.name for m in machines(desired.cluster) if m.role == role)

    before = installed_on(tools.state, desired.name)
    known = isinstance(sight.observed.kinds(Component.INFRASTRUCTURE).get("server"), Known)
    gone = lost(before, sight.servers) if known else frozenset()
    return Roles(of("control-plane"), of("etcd"), of("node"), frozenset(before), gone)


def _renewal(spec: ClusterSpec, now: datetime.datetime) -> Renewal:
    if not spec.kubernetes.certificates.renew:
        return Renewal.REPORTED
    return Renewal.NOW if windows.is_open(spec.maintenance, now) else Renewal.LATER


def _environments(desired: DesiredCluster) -> Iterator[Asked]:
    for env in desired.environments:
        expires, volume = (desired.place("Environment", env.title, ("spec", key)) for key in _SPOKEN_OF)
        yield Asked(env, namespace(env.spec.owner), expires, volume)
