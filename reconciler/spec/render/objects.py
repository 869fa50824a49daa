"""Every Kubernetes object a cluster wants, whatever it was written as, and how objects are named."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from ...model.resource import Key, Resource
from ...ports import Manifest
from ..load import DesiredCluster
from .application import application
from .environment import environment
from .workload import workload

__all__ = ["address", "application", "key", "labelled", "name", "resource", "text", "workloads"]

PART_OF = "applyset.kubernetes.io/part-of"
MANAGED_BY = "app.kubernetes.io/managed-by"
_TEMPLATES = "manifests/environments"


def workloads(desired: DesiredCluster, files: Mapping[str, bytes]) -> tuple[Manifest, ...]:
    """The objects of the cluster's workloads and environments; what two of them share stands once."""
    made: dict[Key, Manifest] = {}
    for source in desired.cluster.spec.workloads:
        for manifest in workload(_below(files, source.path), source):
            made.setdefault(key(manifest), manifest)
    for env in desired.environments:
        texts = _below(files, templates(env.spec.type))
        for manifest in environment(env, texts):
            made.setdefault(key(manifest), manifest)
    return tuple(made.values())


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
