"""One look at a cluster: what should be there beside what is, cloud and Kubernetes asked side by side."""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from ..engine.diff import meant
from ..errors import Invalid
from ..model.naming import CERTIFICATE, IN_STATE, NAME
from ..model.resource import Component, Expected, Key, Kinds, Known, Listing, Observed, Resource, Symptom, Unknown
from ..ports import CloudSnapshot, Comparison, Ids, Manifest
from ..spec import references, versions, wiring
from ..spec.load import DesiredCluster
from ..spec.render import objects
from ..spec.render.infrastructure import infrastructure
from ..spec.render.kubernetes import nodes
from ..spec.render.machines import CONTROL_PLANE_GROUP
from ..spec.wiring import Output, Outputs
from . import elsewhere, fetched, output_memory, outputs
from .installed import installed_on
from .recognise import recognised
from .served import Served, served
from .survey import Survey
from .toolkit import Access, Toolkit
from .ways_in import endpoint, reachable


@dataclass(frozen=True)
class Sight:
    """What one look found. `manifests` are the rendered objects by component and target ("" for the cluster's own
    API, else an OpenShift of the settings). `shared`: the cloud was asked before, for another cluster. `patience` is
    how many seconds a workload's object may take to become healthy, where git says so. `outputs` are what others are
    told of it; `held` the objects, by target, of applications that wait for such."""

    expected: Expected
    observed: Observed
    manifests: Mapping[Component, Mapping[str, tuple[Manifest, ...]]] = field(default_factory=dict)
    shared: bool = False
    patience: Mapping[Key, float] = field(default_factory=dict)
    outputs: Outputs = field(default_factory=Outputs)
    held: Mapping[str, frozenset[Key]] = field(default_factory=dict)

    @property
    def servers(self) -> tuple[Resource, ...]:
        """The live servers, one of each name."""
        mine = Component.INFRASTRUCTURE
        return meant(self.expected.resources(mine), self.observed.resources(mine, "server"))

    @property
    def nodes(self) -> tuple[Resource, ...]:
        return self.observed.resources(Component.KUBERNETES, "node")


def part_of(cluster: str, component: Component) -> str:
    """The ApplySet an object belongs to, as a label value."""
    return f"{cluster}.{component}"


def look(
    desired: DesiredCluster,
    files: Mapping[str, bytes],
    tools: Toolkit,
    applied: Expected,
    survey: Survey,
    today: datetime.date | None = None,
    referred: frozenset[Output] = frozenset(),
    others: Mapping[str, DesiredCluster] = MappingProxyType({}),
) -> Sight:
    """Observe one cluster. `files` are those of the desired commit; `today` is the day (UTC) on which environments have
    expired or not (none has without it); `referred` are its outputs that other clusters' applications refer to, and
    `others` the clusters that its own refer to.

    Raises Invalid (with file:line) when the desired state refers to what the cloud does not have, and what
    Cloud.observe raises when there is no logging in at all.
    """
    wanted = referred | wiring.wanted((desired,), desired.name)
    targets = {app.spec.target: openshift(desired, app.spec.target, tools) for app in desired.applications}
    foreign = elsewhere.needed(desired)
    before = output_memory.before(tools.repository, tools.state, desired.name, wanted | foreign)
    with ThreadPoolExecutor(max_workers=6, thread_name_prefix="look") as pool:
        cloud = pool.submit(survey.of, desired.cluster.spec.cloud)
        guess = pool.submit(_nodes, tools, desired.name)
        shown = pool.submit(_certificates, tools, desired.name)
        told = pool.submit(outputs.live, desired, wanted, tools, targets)
        theirs = elsewhere.asked(foreign, others, before, tools, survey, pool)
        snapshot, shared = cloud.result()
        ids = tools.terraform_state(tools.workspace(desired.name))
        servers = recognised(desired.cluster, snapshot.of(desired.name), ids)
        _check(desired, snapshot)
        absent = _absent(tools, desired.name, servers.get("server", Unknown("was not asked for")))
        listing = Known() if absent else guess.result()
        certificates = () if absent else fetched.judged(desired, tools, applied, servers, listing, shown.result())
        _check_version(desired, listing, tools)
        known = outputs.gathered(
            desired,
            wanted,
            told.result(),
            endpoint=endpoint(desired, servers),
            servers=reachable(desired, servers),
            before=before,
        )
        known = known.beside(theirs.result()) if theirs else known
        made = render(desired, files, known, today)
        found = pool.map(lambda c: _compare(desired, c, made, tools, applied, absent), _ON_KUBERNETES)
        compared = dict(zip(_ON_KUBERNETES, found, strict=True))
    held = {target: frozenset(keys) for target, keys in made.held.items()}
    sight = _sight(desired, servers, {"node": listing, CERTIFICATE: Known(certificates)}, compared)
    moved = compared[Component.WORKLOADS].served[""].moved
    patience = {moved.get(key, key): seconds for key, seconds in made.own.patience.items()}
    sight = replace(sight, outputs=known, held=held, patience=patience)
    symptoms = () if absent else _symptoms(tools, desired.name, sight)
    observed = replace(sight.observed, symptoms=symptoms)
    return replace(sight, observed=observed, shared=shared)


def _symptoms(tools: Toolkit, cluster: str, sight: Sight) -> tuple[Symptom, ...]:
    """Pods are asked for only where a machine is broken: they tell how far that reaches."""
    listing = sight.observed.kinds(Component.KUBERNETES).get("node")
    if not isinstance(listing, Known):
        return ()
    broken = {n.name for n in listing.resources if not n.fields.get("ready")}
    missing = {n.name for n in sight.expected.resources(Component.KUBERNETES)} - {n.name for n in listing.resources}
    stopped = {s.name for s in sight.expected.resources(Component.INFRASTRUCTURE) if s.kind == "server"} - {
        s.name for s in sight.servers
    }
    return tools.kubernetes(tools.api(cluster)).symptoms(broken | stopped) if broken | missing | stopped else ()


# As whom Terraform's kubectl provider applies: it can't be told another name.
AS = {Component.APPLICATIONS: "kubectl"}
_ON_KUBERNETES = (Component.WORKLOADS, Component.APPLICATIONS)


@dataclass(frozen=True)
class Rendered:
    """Every Kubernetes object the cluster wants, by component and target, and how a workload's are arranged.
    `waiting` are the applications, by target, that need what is not known yet, each with what that is; none of their
    objects is among `manifests`, and the ones that may be live from before are `held`."""

    manifests: Mapping[Component, Mapping[str, tuple[Manifest, ...]]]
    own: objects.Arranged
    waiting: Mapping[str, tuple[Resource, ...]]
    held: Mapping[str, frozenset[Key]]


def render(
    desired: DesiredCluster, files: Mapping[str, bytes], known: Outputs, today: datetime.date | None = None
) -> Rendered:
    """Render everything that is known. Raises Invalid with every mistake of the manifests."""
    own = objects.arranged(desired, files, today)
    targets = {app.spec.target for app in desired.applications}
    apps: dict[str, dict[Key, Manifest]] = {target: {} for target in targets}
    waiting: dict[str, list[Resource]] = {target: [] for target in targets}
    held: dict[str, set[Key]] = {target: set() for target in targets}
    for app in desired.applications:
        wired, target = wiring.wire(desired, app, known), app.spec.target
        made = {objects.key(m): m for m in objects.application(wired.app, wired.secrets)}
        if wired.waits:
            waiting[target].append(Resource("Application", app.name, target=target, waits=wired.waits))
            held[target] |= made.keys()
        else:
            apps[target].update(made)
    manifests = {
        Component.WORKLOADS: {"": own.manifests},
        Component.APPLICATIONS: {target: tuple(found.values()) for target, found in apps.items()},
    }
    left = {target: frozenset(keys - apps[target].keys()) for target, keys in held.items()}
    return Rendered(manifests, own, {target: tuple(found) for target, found in waiting.items()}, left)


def _resources(kinds: Kinds, kind: str) -> tuple[Resource, ...]:
    listing = kinds.get(kind)
    return listing.resources if isinstance(listing, Known) else ()


def _check(desired: DesiredCluster, snapshot: CloudSnapshot) -> None:
    problems = references.check(
        desired,
        flavors=snapshot.flavors,
        images=snapshot.images,
        networks=snapshot.networks,
        volume_types=snapshot.volume_types,
        kinds=snapshot.kinds,
    )
    if problems:
        raise Invalid(f"cluster {desired.name!r} refers to what its cloud does not have", problems=problems)


def _check_version(desired: DesiredCluster, listing: Listing, tools: Toolkit) -> None:
    """Nodes that git no longer names leave, whatever they run; nodes that can't be asked are not judged."""
    wanted = {node.name for node in nodes(desired.cluster, ())}
    live = listing.resources if isinstance(listing, Known) else ()
    running = [str(node.fields.get("version", "")) for node in live if node.name in wanted]
    if problems := versions.check(desired, running, tools.kubespray.versions()):
        raise Invalid(f"cluster {desired.name!r} asks for a Kubernetes it can't get", problems=problems)


def _absent(tools: Toolkit, cluster: str, servers: Listing) -> bool:
    """Is there certainly no Kubernetes? Only when it was never installed, or every control-plane machine it was
    installed on is known to be gone. An API that merely doesn't answer is unknown, not absent."""
    if not tools.api(cluster).kubeconfig.exists():
        return True
    if isinstance(servers, Unknown):
        return False
    prefix = f"{cluster}-{CONTROL_PLANE_GROUP}-"
    before = {id for name, id in installed_on(tools.state, cluster).items() if name.startswith(prefix)}
    return bool(before) and before.isdisjoint({s.id for s in servers.resources})


def _nodes(tools: Toolkit, cluster: str) -> Listing:
    access = tools.api(cluster)
    return tools.kubernetes(access).nodes() if access.kubeconfig.exists() else Known()


def _certificates(tools: Toolkit, cluster: str) -> tuple[Resource, ...]:
    access = tools.api(cluster)
    return tools.kubernetes(access).certificates() if access.kubeconfig.exists() else ()


# apiVersion/Kind as the API server takes them; a record may say anything.
_TYPE = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[a-z0-9]+/[A-Z][A-Za-z0-9]*")


@dataclass(frozen=True)
class _Compared:
    """A component on every API that serves it: what is live, and what is expected there, by target."""

    expected: tuple[Resource, ...]
    live: Mapping[str, Listing]
    served: Mapping[str, Served]


def _compare(
    desired: DesiredCluster,
    component: Component,
    made: Rendered,
    tools: Toolkit,
    applied: Expected,
    absent: bool,
) -> _Compared:
    """Compare with every API that serves the component. Each resource found remembers its target. What waits is
    compared with nothing."""
    manifests, apps = made.manifests[component], component is Component.APPLICATIONS
    waves = {} if apps else made.own.waves
    expected: list[Resource] = []
    live: dict[str, Listing] = {}
    on: dict[str, Served] = {}
    own = tools.api(desired.name)
    before = _on_known_targets(desired.name, applied.resources(component), {*manifests, *tools.openshift}, tools)
    for target in sorted({*manifests, *(r.target for r in before)}):
        access = openshift(desired, target, tools) if target else own
        known = [r for r in before if r.target == target and _TYPE.fullmatch(r.type)]
        wanted = manifests.get(target, ())
        gone = absent and access.kubeconfig == own.kubeconfig
        group = part_of(desired.name, component)
        found = _ask(tools, access, group, wanted, known, AS.get(component, ""), gone)
        placed = served(found.expected, wanted, waves)
        expected += (replace(r, target=target) for r in placed.expected)
        if target in manifests:
            on[target] = placed
        held = made.held.get(target, frozenset()) if apps else frozenset()
        kept = tools.terraform_state(tools.workspace(desired.name, f"applications-{target}")) if apps else None
        for kind, listing in found.live.items():
            live[kind] = _merged(live.get(kind, Known()), _on(target, listing, held, kept))
        if apps and (waiting := made.waiting.get(target)):
            expected += waiting
            live.setdefault("Application", Known())
    return _Compared(tuple(expected), live, on)


def _on_known_targets(
    cluster: str, before: Sequence[Resource], targets: Collection[str], tools: Toolkit
) -> list[Resource]:
    """What was applied, by a record that anybody may have written: a target that neither git nor the settings know is
    no reason to stop."""
    for target in sorted({r.target for r in before if r.target} - {*targets}):
        tools.progress.log(
            f"warning: {cluster} was applied to the OpenShift {target!r} by its record, which is not known"
        )
    return [r for r in before if not r.target or r.target in targets]


def _on(target: str, listing: Listing, held: Collection[Key], kept: Ids | None) -> Listing:
    """What is on a target, those excepted that are `held` back; each says whether Terraform's state here knows it."""
    if isinstance(listing, Unknown):
        return listing
    ours = (r for r in listing.resources if r.key not in held)
    if kept is None or kept.shared:
        return Known(tuple(replace(r, target=target) for r in ours))
    known = kept.by_address
    return Known(
        tuple(replace(r, target=target, fields={**r.fields, IN_STATE: objects.address(r.key) in known}) for r in ours)
    )


def _merged(one: Listing, other: Listing) -> Listing:
    if isinstance(one, Known) and isinstance(other, Known):
        return Known(one.resources + other.resources)
    return one if isinstance(one, Unknown) else other


def openshift(desired: DesiredCluster, target: str, tools: Toolkit) -> Access:
    """The API an application goes to. Raises Invalid, at the application's line, for a target nobody knows."""
    if target in tools.openshift:
        return tools.openshift[target]
    known = ", ".join(sorted(tools.openshift)) or "none"
    hint = f"name it in the settings under openshift: (there: {known})"
    problems = [
        desired.problem("Application", app.name, ("spec", "target"), f"there is no OpenShift {target!r}", hint)
        for app in desired.applications
        if app.spec.target == target
    ]
    raise Invalid(f"cluster {desired.name!r} deploys to an OpenShift that is not set up", problems=problems)


def _ask(
    tools: Toolkit,
    access: Access,
    group: str,
    manifests: Sequence[Manifest],
    before: Sequence[Resource],
    manager: str,
    absent: bool,
) -> Comparison:
    if absent:
        return Comparison(tuple(objects.resource(m) for m in manifests), {m["kind"]: Known() for m in manifests})
    if not access.kubeconfig.exists():
        reason = Unknown(f"there is no kubeconfig {access.kubeconfig}", "the settings say where it lies")
        names = {*(r.kind for r in before), *(m["kind"] for m in manifests)}
        return Comparison((), dict.fromkeys(sorted(names), reason))
    return tools.kubernetes(access).compare(group, manifests, before, manager)


def _sight(
    desired: DesiredCluster,
    infra: Kinds,
    kubernetes: Kinds,
    compared: Mapping[Component, _Compared],
) -> Sight:
    wanted = tuple(
        replace(r, fields={**r.fields, NAME: r.name, IN_STATE: True}) for r in infrastructure(desired.cluster)
    )
    expected: dict[Component, tuple[Resource, ...]] = {
        Component.INFRASTRUCTURE: wanted,
        Component.KUBERNETES: nodes(desired.cluster, meant(wanted, _resources(infra, "server"))),
    }
    observed: dict[Component, Kinds] = {
        Component.INFRASTRUCTURE: infra,
        Component.KUBERNETES: kubernetes,
    }
    manifests: dict[Component, Mapping[str, tuple[Manifest, ...]]] = {}
    for component, found in compared.items():
        expected[component] = found.expected
        observed[component] = found.live
        manifests[component] = {target: on.manifests for target, on in found.served.items()}
    return Sight(Expected(expected), Observed(observed), manifests)
