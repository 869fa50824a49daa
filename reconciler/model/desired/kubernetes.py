"""Kubernetes as Kubespray installs it, and the manifests that run on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from .base import At, Cidr, Model, Name, Port, PublicKey, YamlPath

# what Kubespray 2.32 knows (kube_network_plugin)
NetworkPlugin = Literal[
    "calico", "cilium", "cni", "custom_cni", "flannel", "kube-ovn", "kube-router", "macvlan", "none"
]


class Ssh(Model):
    """How Ansible logs in. The private key is never in git: the settings say where it lies."""

    user: str = "ubuntu"
    port: Port = 22
    public_key: PublicKey


class Upgrade(Model):
    """How many workers are upgraded at a time, as a number or as a part of all: Ansible's `serial`."""

    batch: Annotated[str, StringConstraints(pattern=r"^([1-9][0-9]*|[1-9][0-9]?%|100%)$")] = "20%"


class Repair(Model):
    """What is done about a node that is not Ready while its server is ACTIVE: after `rebootAfter` minutes the server is
    rebooted, and replaced `replaceAfter` minutes later. At most `atOnce` nodes are treated at a time; 0 treats none."""

    reboot_after: Annotated[int, Field(ge=1, le=1440)] = 15
    replace_after: Annotated[int, Field(ge=1, le=1440)] = 15
    at_once: Annotated[int, Field(ge=0, le=100)] = 1


class Kubernetes(Model):
    """`variables` go to Kubespray as they are."""

    version: Annotated[str, StringConstraints(pattern=r"^1\.[0-9]+\.[0-9]+$")]
    network_plugin: NetworkPlugin = "calico"
    pod_cidr: Cidr = "10.233.64.0/18"
    service_cidr: Cidr = "10.233.0.0/18"
    upgrade: Upgrade = Upgrade()
    repair: Repair = Repair()
    variables: dict[str, object] = Field(default_factory=dict)


class Workload(Model):
    """A folder of manifests, or one with a kustomization.yaml, applied together. `path` is relative to the repository's
    root; `dependsOn` names workloads of the cluster that must be there and healthy first."""

    name: Name
    path: str
    namespace: Name = "default"
    depends_on: tuple[Name, ...] = ()


def waves(workloads: Sequence[Workload]) -> dict[str, int]:
    """Which wave each workload goes in: 0 for those that depend on nothing, else one after the last they depend on.
    Raises At for an unknown name, and for a circle with all of its names."""
    by_name = {workload.name: (index, workload) for index, workload in enumerate(workloads)}
    made: dict[str, int] = {}
    for start in by_name:
        path = [start]  # each depends on the one after it; no recursion, for a chain may be long
        while path:
            index, workload = by_name[path[-1]]
            left = next((n for n in workload.depends_on if n not in made), None)
            if left is None:
                made[path.pop()] = 1 + max((made[n] for n in workload.depends_on), default=-1)
                continue
            place: YamlPath = ("workloads", index, "dependsOn", workload.depends_on.index(left))
            if left not in by_name:
                known = ", ".join(n for n in by_name if n != workload.name) or "none"
                raise At(place, f"there is no workload {left!r} in this cluster (others there: {known})")
            if left in path:
                circle = " -> ".join([*path[path.index(left) :], left])
                raise At(place, f"workloads depend on each other in a circle: {circle}")
            path.append(left)
    return made
