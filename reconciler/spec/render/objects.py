"""Every Kubernetes object a cluster wants, whatever it was written as, and how objects are named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from ...errors import Invalid, Permanent, Problem
from ...model.desired import Workload, waves
from ...model.resource import Key, Resource
from ...ports import Manifest
from .. import helm, kustomize
from ..load import DesiredCluster
from .application import application
from .environment import environment
from .workload import Placed, located

__all__ = ["address", "application", "key", "labelled", "name", "resource", "text", "workloads"]

PART_OF = "applyset.kubernetes.io/part-of"
MANAGED_BY = "app.kubernetes.io/managed-by"
_TEMPLATES = "manifests/environments"


@dataclass(frozen=True)
class Arranged:
    """The objects of a cluster, and the wave of each: what it is applied after."""

    manifests: tuple[Manifest, ...]
    waves: Mapping[Key, int]


def workloads(desired: DesiredCluster, files: Mapping[str, bytes]) -> tuple[Manifest, ...]:
    """The objects of the cluster's workloads and environments. Raises as `arranged` does."""
    return arranged(desired, files).manifests


def arranged(desired: DesiredCluster, files: Mapping[str, bytes]) -> Arranged:
    """The objects of the cluster's workloads, and in the last wave those of its environments, which may run on any of
    them; what two environments share stands once.

    Raises Invalid with every mistake, Permanent for a chart or kustomize folder that was not built.
    """
    sources = desired.cluster.spec.workloads
    for source in sources:
        program = "helm" if helm.is_chart(files, source) else "kubectl" if kustomize.file_of(files, source.path) else ""
        if program and source.name not in desired.built:
            what = helm.name_of(source)
            raise Permanent(f"{what} was not built", hint=f"{program} builds it: `reconciler tools {program}`")
    order = waves(sources)
    made: dict[Key, Manifest] = {}
    at: dict[Key, int] = {}
    for one in each_once(desired, files, sources):
        named = key(one.object)
        made[named], at[named] = one.object, order[one.workload]
    last = max(order.values(), default=0)
    for manifest in environments(desired, files):
        made.setdefault(key(manifest), manifest)
        at.setdefault(key(manifest), last)
    return Arranged(tuple(made.values()), at)


def environments(desired: DesiredCluster, files: Mapping[str, bytes]) -> list[Manifest]:
    """The objects of every environment. Raises Invalid."""
    return [m for env in desired.environments for m in environment(env, _below(files, templates(env.spec.type)))]


def each_once(desired: DesiredCluster, files: Mapping[str, bytes], sources: Sequence[Workload]) -> list[Placed]:
    """The objects of `sources`. Raises Invalid, with both places, for one that stands in two of them."""
    first: dict[Key, Placed] = {}
    problems: list[Problem] = []
    for source in sources:
        try:
            found = located(_below(files, source.path), source, desired.built.get(source.name))
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
    return f"{_TEMPLATES}/{type}"


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
    """The object as YAML, the same for the same object."""
    return yaml.safe_dump(dict(manifest), sort_keys=True, default_flow_style=False)


def _below(files: Mapping[str, bytes], folder: str) -> dict[str, bytes]:
    prefix = folder.rstrip("/") + "/"
    return {path: content for path, content in files.items() if path.startswith(prefix)}
