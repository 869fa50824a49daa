"""Every Kubernetes object a cluster wants, whatever it was written as, and how objects are named."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ...errors import Invalid, Permanent, Problem
from ...model.desired import Environment, Workload, waves
from ...model.resource import Key, Resource
from ...ports import Manifest
from ...yaml_text import dump
from .. import helm, kustomize
from ..load import DesiredCluster
from ..tree import below
from .application import application
from .environment import COMMON, FOLDER, OWNER, by_owner, environment, shared
from .scope import Scoped
from .workload import Placed, defined, read, settled

__all__ = ["address", "application", "key", "labelled", "name", "resource", "text", "workloads"]

PART_OF = "applyset.kubernetes.io/part-of"
MANAGED_BY = "app.kubernetes.io/managed-by"


@dataclass(frozen=True)
class Arranged:
    """The objects of a cluster, the wave of each: what it is applied after; and how many seconds it may take to become
    healthy, where its workload says so."""

    manifests: tuple[Manifest, ...] = field(repr=False)
    waves: Mapping[Key, int]
    patience: Mapping[Key, float]


def workloads(
    desired: DesiredCluster, files: Mapping[str, bytes], today: datetime.date | None = None
) -> tuple[Manifest, ...]:
    """The objects of the cluster's workloads and environments. Raises as `arranged` does."""
    return arranged(desired, files, today).manifests


def arranged(desired: DesiredCluster, files: Mapping[str, bytes], today: datetime.date | None = None) -> Arranged:
    """The objects of the cluster's workloads, and in the last wave those of its environments, which may run on any of
    them; what the environments of one owner share stands once. Without `today` (a day in UTC) no environment has
    expired.

    Raises Invalid with every mistake, Permanent for a chart or kustomize folder that was not built.
    """
    sources = desired.cluster.spec.workloads
    for source in sources:
        program = "helm" if helm.is_chart(files, source) else "kubectl" if kustomize.file_of(files, source.path) else ""
        if program and source.name not in desired.built:
            what = helm.name_of(source)
            hint = f"{program} builds it: `reconciler tools {program}`"
            if source.helm and source.helm.chart:
                hint = "its archive is not in the cache; it is fetched for commits that are signed as they have to be"
            raise Permanent(f"{what} was not built", hint=hint)
    order = waves(sources)
    placed = each_once(desired, files, sources)
    made: dict[Key, Manifest] = {key(one.object): one.object for one in placed}
    may_take = {source.name: source.timeout for source in sources}
    patience = {key(one.object): float(s) for one in placed if (s := may_take[one.workload])}
    at = {key(one.object): order[one.workload] for one in placed}
    for manifest in environments(desired, files, placed, today):
        made[key(manifest)] = manifest
        at[key(manifest)] = max(order.values(), default=0)
    return Arranged(tuple(made.values()), at, patience)


@dataclass(frozen=True)
class _Asked:
    """An object that an environment brings, or the environments of one owner."""

    environment: Environment
    manifest: Manifest


def environments(
    desired: DesiredCluster,
    files: Mapping[str, bytes],
    placed: Sequence[Placed] = (),
    today: datetime.date | None = None,
) -> list[Manifest]:
    """The objects of every environment, each once. Raises Invalid, with both places, for one that a workload (`placed`
    has their objects) or another environment has, too."""
    files = desired.encrypted.closed(files)
    taken = {key(one.object): one.where for one in placed}
    found: dict[Key, _Asked] = {}
    problems: list[Problem] = []
    for asked in _asked(desired, files, today, defined(placed)):
        named, before = key(asked.manifest), found.get(key(asked.manifest))
        if named in taken:
            problems.append(_clash(desired, asked, named, taken[named]))
        elif before and before.manifest != asked.manifest:
            where = desired.place("Environment", before.environment.title, ("metadata", "name"))
            problems.append(_clash(desired, asked, named, where))
        found.setdefault(named, asked)
    if problems:
        raise Invalid("the environments have mistakes", problems=list(dict.fromkeys(problems)))
    return [asked.manifest for asked in found.values()]


def _asked(
    desired: DesiredCluster, files: Mapping[str, bytes], today: datetime.date | None, scoped: Scoped
) -> Iterator[_Asked]:
    common, theirs = below(files, COMMON), below(files, OWNER)
    of_type = {env.spec.type: below(files, templates(env.spec.type)) for env in desired.environments}
    for owner, mine in by_owner(desired.environments).items():
        ours = shared(owner, mine, theirs, scoped, desired.encrypted)
        yield from (_Asked(mine[0], manifest) for manifest in ours)
        for env in mine:
            own = of_type[env.spec.type]
            rendered = environment(env, {**common, **own} if own else {}, today, scoped, desired.encrypted)
            yield from (_Asked(env, manifest) for manifest in rendered)


def _clash(desired: DesiredCluster, asked: _Asked, named: Key, where: str) -> Problem:
    title = asked.environment.title
    message = f"environment {title!r} makes {named}, which is already defined at {where}"
    hint = "an object belongs to one of them: take it out of the workload, or give one of them another name"
    return desired.problem("Environment", title, ("metadata", "name"), message, hint)


def of_environments(
    desired: DesiredCluster, files: Mapping[str, bytes], placed: Sequence[Placed] = ()
) -> list[tuple[Environment, Manifest]]:
    """The objects of every environment, each with the one that brings it. Raises Invalid for a template's mistakes."""
    return [(one.environment, one.manifest) for one in _asked(desired, files, None, defined(placed))]


def each_once(desired: DesiredCluster, files: Mapping[str, bytes], sources: Sequence[Workload]) -> list[Placed]:
    """The objects of `sources`; a kind that one of them defines is known in all. Raises Invalid, with both places, for
    one that stands in two of them."""
    files = desired.encrypted.closed(files)
    first: dict[Key, Placed] = {}
    problems: list[Problem] = []
    written: dict[str, list[Placed]] = {}
    for source in sources:
        try:
            built = desired.built.get(source.name)
            written[source.name] = read(below(files, source.path), source, built, desired.encrypted)
        except Invalid as error:
            problems += error.problems
    scoped = defined(one for found in written.values() for one in found)
    for source in (s for s in sources if s.name in written):
        try:
            found = settled(written[source.name], source, scoped, desired.built.get(source.name))
        except Invalid as error:
            problems += error.problems
            continue
        for one in found:
            before = first.setdefault(key(one.object), one)
            if before is not one:
                problems.append(_twice(one, before))
    if problems:
        raise Invalid("the manifests have mistakes", problems=problems)
    return list(first.values())


def _twice(one: Placed, before: Placed) -> Problem:
    message = f"{key(one.object)} is already defined at {before.where}"
    hint = "an object belongs to one workload: leave it in one, and let the other say dependsOn"
    if one.object["apiVersion"].rpartition("/")[0] != before.object["apiVersion"].rpartition("/")[0]:
        message += f", as {before.object['apiVersion']}"
        hint = "objects are told apart by kind and name, whatever their API group: give one of them another name"
    return one.problem(("metadata", "name"), message, hint)


def templates(type: str) -> str:
    """Where the templates for environments of a type lie."""
    return f"{FOLDER}/{type}"


def key(manifest: Manifest) -> Key:
    """`Deployment sid/backend`, or `Namespace sid` for what has no namespace."""
    metadata = manifest["metadata"]
    namespace = metadata.get("namespace")
    return Key(manifest["kind"], f"{namespace}/{metadata['name']}" if namespace else metadata["name"])


def resource(manifest: Manifest) -> Resource:
    """The object as something that should be there, with nothing said of its fields."""
    named = key(manifest)
    return Resource(named.kind, named.name)


def labelled(manifest: Manifest, part_of: str) -> Manifest:
    """The object with the labels that say whose it is."""
    metadata = manifest["metadata"]
    labels = {**(metadata.get("labels") or {}), PART_OF: part_of, MANAGED_BY: "reconciler"}
    return {**manifest, "metadata": {**metadata, "labels": labels}}


def name(manifest: Manifest) -> str:
    """What terraform/openshift-app calls the object: Kind/namespace/name."""
    named = key(manifest)
    return f"{named.kind}/{named.name}"


def address(named: Key) -> str:
    """Terraform's address of an object of terraform/openshift-app."""
    group = "namespace" if named.kind == "Namespace" else "object"
    return f'kubectl_manifest.{group}["{named.kind}/{named.name}"]'


def text(manifest: Manifest) -> str:
    """The object as YAML, the same for the same object: Terraform compares it with the text it applied before."""
    return dump(dict(manifest), width=80)
