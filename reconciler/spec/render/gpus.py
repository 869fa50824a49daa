"""Which node groups have GPUs, by what their flavors ask for, and the label that says so.

Cluster Autoscaler must know before a node's device plugin runs that there will be a GPU: without the label such a node
counts as ready and has no room for the pods that wait, so more nodes come.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ...model.desired import Cluster, NodeGroup
from ...model.resource import Fields, Known, Listing

LABEL = "research.moc/gpu"
PRESENT = "true"  # the label's value, where git gives it no other one
# How flavors ask for a GPU: a resource class of Placement's, or aliases of PCI devices with how many of each.
# Groups of resources have a number or, since Nova 21, a name. A class of a PCI device has the vendor's id: 10DE is
# NVIDIA.
_CLASS = re.compile(r"^extra_specs\.resources([\w-]{1,64})?:(?P<name>\w+)$")
_GPU_CLASS = re.compile(
    r"VGPU|PGPU|CUSTOM_(\w*(GPU|NVIDIA|RTX)\w*|(\w*_)?(10DE|[AVHTLPB]\d{2,3}|MI\d{2,3})(_\w*|X|S)?)", re.ASCII
)
_PCI = "extra_specs.pci_passthrough:alias"
_GPU_ALIAS = re.compile(r"gpu|nvidia|amd|rtx|(^|[^a-z])[avhtlpb]\d{1,3}([^0-9a-z]|$)|mi\d{2,3}", re.IGNORECASE)


def gpus(flavor: Fields) -> int:
    """How many GPUs a machine of this flavor has. `flavor` has extra_specs.*."""
    asked = ((_CLASS.match(key), str(value)) for key, value in flavor.items())
    classes = sum(int(n) for found, n in asked if found and n.isdigit() and _GPU_CLASS.fullmatch(found["name"]))
    aliases = (part.strip().rpartition(":") for part in str(flavor.get(_PCI) or "").split(","))
    return classes + sum(int(n) for name, _, n in aliases if n.isdigit() and _GPU_ALIAS.search(name))


def labelled(cluster: Cluster, flavors: Listing, nodes: Listing, label: str = LABEL) -> Cluster:
    """The cluster, with `label` on each node group whose flavor has GPUs and that git gave no value for it. While the
    flavors can't be asked, a group has the label that one of its live `nodes` has: unknown is not without GPUs."""
    if isinstance(flavors, Known):
        having = {flavor.name for flavor in flavors.resources if gpus(flavor.fields)}
        return _with(cluster, label, lambda group: PRESENT if group.flavor in having else "")
    live = nodes.resources if isinstance(nodes, Known) else ()
    seen = {str(n.fields.get("labels.research.moc/node-group")): str(n.fields.get(f"labels.{label}", "")) for n in live}
    return _with(cluster, label, lambda group: seen.get(group.name, ""))


def _with(cluster: Cluster, label: str, value: Callable[[NodeGroup], str]) -> Cluster:
    groups = tuple(_group(group, label, value(group)) for group in cluster.spec.node_groups)
    if groups == cluster.spec.node_groups:
        return cluster
    return cluster.model_copy(update={"spec": cluster.spec.model_copy(update={"node_groups": groups})})


def _group(group: NodeGroup, label: str, value: str) -> NodeGroup:
    if not value or label in group.labels:
        return group
    return group.model_copy(update={"labels": {**group.labels, label: value}})
