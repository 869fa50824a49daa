"""One look at a cluster: what should be there beside what is, cloud and Kubernetes asked side by side."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from ..engine.able import Missing
from ..engine.diff import meant
from ..errors import Invalid, Problem
from ..model.builds import Builds, builds
from ..model.desired import Cluster
from ..model.naming import CERTIFICATE, IN_STATE, NAME
from ..model.presence import Installed, Nothing, Presence
from ..model.resource import Component, Expected, Key, Kinds, Known, Listing, Observed, Resource, Symptom, Unknown
from ..model.session import Session
from ..ports import CloudSnapshot, Manifest
from ..spec import references, versions, wiring
from ..spec.load import DesiredCluster
from ..spec.render.gpus import labelled
from ..spec.render.infrastructure import infrastructure
from ..spec.render.kubernetes import nodes
from ..spec.wiring import Output, Outputs
from . import elsewhere, fetched, images, output_memory, outputs
from .objects_compared import Compared, compared, openshift, render
from .own_api import OwnApi
from .recognise import recognised
from .survey import Survey
from .toolkit import Toolkit
from .ways_in import endpoint, reachable


@dataclass(frozen=True)
class Sight:
    """What one look found. `manifests` are the rendered objects by component and target ("" for the cluster's own
    API, else an OpenShift of the settings). `shared`: the cloud was asked before, for another cluster. `patience` is
    how many seconds a workload's object may take to become healthy, where git says so. `outputs` are what others are
    told of it; `held` the objects, by target, of applications that wait for such. `age` is how many seconds before this
    look the cloud was asked; `at` the time (UTC) of the oldest part of it, where a cycle looked.
    `missing` is what git names and the cloud does not have, each with the sentence that says so; `builds` what machines
    can be made from today; `images` the names, by id, that the images of its machines had. `cluster` is git's, with
    what follows for its nodes from what the cloud's flavors have. `sessions` are the researchers' that run, or why
    nobody knows; `outliving` (of a cluster that is to end) what its API made in the cloud. `unmade` are namespaces
    that nothing in git makes, where no API can say yet whether they are there. `presence` says whether there is a
    Kubernetes at all."""

    expected: Expected
    observed: Observed
    manifests: Mapping[Component, Mapping[str, tuple[Manifest, ...]]] = field(default_factory=dict)
    shared: bool = False
    patience: Mapping[Key, float] = field(default_factory=dict)
    outputs: Outputs = field(default_factory=Outputs)
    held: Mapping[str, frozenset[Key]] = field(default_factory=dict)
    age: float = 0.0
    at: datetime.datetime | None = None
    missing: Missing = field(default_factory=dict)
    builds: Builds = field(default_factory=Builds)
    images: images.Names = field(default_factory=dict)
    cluster: Cluster | None = None
    sessions: tuple[Session, ...] | Unknown = ()
    outliving: tuple[Resource, ...] = ()
    unmade: frozenset[str] = frozenset()
    presence: Presence = field(default_factory=Installed)

    @property
    def servers(self) -> tuple[Resource, ...]:
        """The live servers, one of each name."""
        mine = Component.INFRASTRUCTURE
        return meant(self.expected.resources(mine), self.observed.resources(mine, "server"))

    @property
    def nodes(self) -> tuple[Resource, ...]:
        return self.observed.resources(Component.KUBERNETES, "node")


def look(
    desired: DesiredCluster,
    files: Mapping[str, bytes],
    tools: Toolkit,
    applied: Expected,
    survey: Survey,
    today: datetime.date | None = None,
    referred: frozenset[Output] = frozenset(),
    others: Mapping[str, DesiredCluster] = MappingProxyType({}),
    awaited: Collection[str] = (),
) -> Sight:
    """Observe one cluster. `files` are those of the desired commit; `today` is the day (UTC) on which environments have
    expired or not (none has without it); `referred` are its outputs that other clusters' applications refer to, and
    `others` the clusters that its own refer to; `awaited` are machines that were made just now.

    Raises Invalid (with file:line) when the desired state of a cluster of which nothing is there yet refers to what the
    cloud does not have, and what Cloud.observe raises when there is no logging in at all.
    """
    wanted = referred | wiring.wanted((desired,), desired.name)
    targets = {app.spec.target: openshift(desired, app.spec.target, tools) for app in desired.applications}
    foreign = elsewhere.needed(desired)
    before = output_memory.before(tools.repository, tools.state, desired.name, wanted | foreign)
    own = OwnApi(desired, tools, wanted, targets, applied)
    with ThreadPoolExecutor(max_workers=6, thread_name_prefix="look") as pool:
        cloud = pool.submit(survey.aged, desired.cluster.spec.cloud)
        questions = own.ask(pool)
        theirs = elsewhere.asked(foreign, others, before, tools, survey, pool)
        snapshot, age = cloud.result()
        ids = tools.terraform_state(tools.workspace(desired.name))
        servers = recognised(desired.cluster, snapshot.of(desired.name), ids)
        missing = _missing(desired, snapshot, servers)
        known = images.remembered(tools.repository, tools.state, desired.name)
        servers |= _called(desired, servers, known, applied)
        there, answers = own.settled(questions, pool, servers, awaited)
        listing = answers.nodes
        certificates = fetched.judged(desired, tools, applied, servers, listing, answers.certificates)
        _check_version(desired, listing, tools)
        told_of = outputs.gathered(
            desired,
            wanted,
            answers.outputs,
            endpoint=endpoint(desired, servers),
            servers=reachable(desired, servers),
            before=before,
        )
        told_of = told_of.beside(theirs.result()) if theirs else told_of
        made = render(desired, files, told_of, today)
        found = pool.map(lambda c: compared(desired, c, made, tools, applied, there), _ON_KUBERNETES)
        both = dict(zip(_ON_KUBERNETES, found, strict=True))
    held = {target: frozenset(keys) for target, keys in made.held.items()}
    cluster = labelled(desired.cluster, snapshot.flavors, listing, tools.gpu_label)
    sight = _sight(cluster, servers, {"node": listing, CERTIFICATE: Known(certificates)}, both)
    moved = both[Component.WORKLOADS].served[""].moved
    patience = {moved.get(key, key): seconds for key, seconds in made.own.patience.items()}
    now, unmade = builds(snapshot.images, snapshot.flavors), both[Component.WORKLOADS].unmade
    sight = replace(sight, outputs=told_of, held=held, patience=patience, unmade=unmade)
    sight = replace(sight, missing=missing, builds=now, images=known)
    symptoms = () if isinstance(there, Nothing) else _symptoms(tools, desired.name, sight)
    observed = replace(sight.observed, symptoms=symptoms)
    sight = replace(sight, observed=observed, sessions=answers.sessions, presence=there)
    return replace(sight, shared=age is not None, age=age or 0.0)


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


_ON_KUBERNETES = (Component.WORKLOADS, Component.APPLICATIONS)


def _resources(kinds: Kinds, kind: str) -> tuple[Resource, ...]:
    listing = kinds.get(kind)
    return listing.resources if isinstance(listing, Known) else ()


def _missing(desired: DesiredCluster, snapshot: CloudSnapshot, live: Kinds) -> Missing:
    """What git names and the cloud does not have. A cluster that is there goes on without; of one of which nothing is
    there yet all depends on it. Raises Invalid, with every line."""
    lost = references.dangling(
        desired,
        flavors=snapshot.flavors,
        images=snapshot.images,
        networks=snapshot.networks,
        volume_types=snapshot.volume_types,
        kinds=snapshot.kinds,
    )
    there = any(isinstance(listing, Unknown) or listing.resources for listing in live.values())
    problems = [*references.another_range(desired, snapshot.kinds), *(() if there else lost.values())]
    if problems:
        raise Invalid(f"cluster {desired.name!r} refers to what its cloud does not have", problems=problems)
    return {missing: _sentence(problem) for missing, problem in lost.items()}


def _sentence(problem: Problem) -> str:
    hint = f"; {problem.hint}" if problem.hint else ""
    return f"{problem.message} ({problem.file}:{problem.line}{hint})"


def _called(desired: DesiredCluster, live: Kinds, known: images.Names, applied: Expected) -> dict[str, Listing]:
    """The servers under the names that git has for the images they were made from."""
    listing = live.get("server")
    return {"server": images.called(listing, infrastructure(desired.cluster), known, applied)} if listing else {}


def _check_version(desired: DesiredCluster, listing: Listing, tools: Toolkit) -> None:
    """Nodes that git no longer names leave, whatever they run; nodes that can't be asked are not judged."""
    wanted = {node.name for node in nodes(desired.cluster, ())}
    live = listing.resources if isinstance(listing, Known) else ()
    running = [str(node.fields.get("version", "")) for node in live if node.name in wanted]
    if problems := versions.check(desired, running, tools.kubespray.versions()):
        raise Invalid(f"cluster {desired.name!r} asks for a Kubernetes it can't get", problems=problems)


def _sight(
    cluster: Cluster,
    infra: Kinds,
    kubernetes: Kinds,
    compared: Mapping[Component, Compared],
) -> Sight:
    wanted = tuple(replace(r, fields={**r.fields, NAME: r.name, IN_STATE: True}) for r in infrastructure(cluster))
    expected: dict[Component, tuple[Resource, ...]] = {
        Component.INFRASTRUCTURE: wanted,
        Component.KUBERNETES: nodes(cluster, meant(wanted, _resources(infra, "server"))),
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
    return Sight(Expected(expected), Observed(observed), manifests, cluster=cluster)
