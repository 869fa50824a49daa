"""Kubernetes as Kubespray installs it, and the manifests that run on it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from .backup import Backups
from .base import At, Cidr, Cidr6, Model, Name, Port, PublicKey, YamlPath

# what Kubespray 2.32 knows (kube_network_plugin)
NetworkPlugin = Literal[
    "calico", "cilium", "cni", "custom_cni", "flannel", "kube-ovn", "kube-router", "macvlan", "none"
]

_LARGEST_SERVICES = 108
_SMALLEST_NODE = 120

# POSIX.1-2017, 3.437: the portable characters of a file's name, and no hyphen first; 32 is Linux' limit (useradd(8)).
UserName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._][-A-Za-z0-9._]{0,31}$")]


class Ssh(Model):
    """How Ansible logs in. The private key is never in git: the settings say where it lies."""

    user: UserName = "ubuntu"
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


class KubernetesIpv6(Model):
    """Pods and services with IPv6 addresses, besides those of IPv4 where the machines have both. What is left out is
    Kubespray's own. A range of services has 1,048,576 addresses at most (kube-apiserver), so it is a /108 or less."""

    pod_cidr: Cidr6 = "fd85:ee78:d8a6:8607::1:0/112"
    service_cidr: Cidr6 = "fd85:ee78:d8a6:8607::1000/116"

    @model_validator(mode="after")
    def _sizes(self) -> Self:
        if ipaddress.ip_network(self.service_cidr).prefixlen < _LARGEST_SERVICES:
            message = f"{self.service_cidr} is larger than a /{_LARGEST_SERVICES}, which kube-apiserver does not take"
            raise At(("serviceCidr",), message)
        if ipaddress.ip_network(self.pod_cidr).prefixlen >= _SMALLEST_NODE:
            raise At(("podCidr",), f"{self.pod_cidr} is too small: each node takes a /{_SMALLEST_NODE} of it")
        return self

    @property
    def node_prefix(self) -> int:
        """How much of the pods' range each node gets. The controller manager divides a range by 65,536 at most."""
        return min(_SMALLEST_NODE, ipaddress.ip_network(self.pod_cidr).prefixlen + 16)


class Certificates(Model):
    """With `renew`, kubeadm's certificates are renewed on one control plane after another, in a maintenance window,
    once one ends in less than 30 days; without it their end is only reported."""

    renew: bool = False


class Kubernetes(Model):
    """`ipv6` gives pods and services IPv6 addresses when the cluster is installed. `backup` keeps snapshots of etcd off
    the machines. `variables` go to Kubespray as they
    are: they are text, never templates."""

    version: Annotated[str, StringConstraints(pattern=r"^1\.[0-9]+\.[0-9]+$")]
    network_plugin: NetworkPlugin = "calico"
    pod_cidr: Cidr = "10.233.64.0/18"
    service_cidr: Cidr = "10.233.0.0/18"
    ipv6: KubernetesIpv6 | None = None
    upgrade: Upgrade = Upgrade()
    repair: Repair = Repair()
    backup: Backups | None = None
    certificates: Certificates = Certificates()
    variables: dict[str, object] = Field(default_factory=dict)


class Chart(Model):
    """A Helm chart of a repository (https:// or oci://), pinned: the version says which, and the digest that it is that
    one. `digest` is the SHA-256 of the .tgz, as the repository's index.yaml has it."""

    repository: Annotated[str, StringConstraints(pattern=r"^(https://|oci://|http://(127\.0\.0\.1|localhost)[:/])\S+$")]
    name: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][-._a-zA-Z0-9]*$", max_length=250)]
    version: Annotated[str, StringConstraints(pattern=r"^v?[0-9]+\.[0-9]+\.[0-9]+([-+][-+.0-9A-Za-z]+)?$")]
    digest: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


class HelmRelease(Model):
    """How a chart is rendered. `values` go over `valuesFiles` (paths from the repository's root), and later files over
    earlier ones. `apiVersions` are what the cluster has besides Kubernetes itself. `hooks` of an installation or an
    upgrade are refused, left out (`skip`), or applied like any other object."""

    chart: Chart | None = None
    release: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=53)] | None = None
    values: dict[str, object] = Field(default_factory=dict)
    values_files: tuple[str, ...] = ()
    api_versions: tuple[Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][-./a-zA-Z0-9]*$")], ...] = ()
    hooks: Literal["refuse", "skip", "apply"] = "refuse"


class Workload(Model):
    """Manifests that are applied together: a folder of them, one with a kustomization.yaml or a Chart.yaml, or a chart
    of a repository. `path` is relative to the repository's root; `dependsOn` names workloads of the cluster that must
    be there and healthy first; `timeout` is how many seconds each of its objects may take to become healthy, where that
    is not the usual five minutes."""

    name: Name
    path: str = ""
    namespace: Name = "default"
    depends_on: tuple[Name, ...] = ()
    timeout: Annotated[int, Field(ge=1, le=86_400)] | None = None
    helm: HelmRelease | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        chart = self.helm.chart if self.helm else None
        if not self.path and chart is None:
            raise At((), "path is missing: the folder of its manifests, or helm.chart for a chart of a repository")
        if self.path and chart is not None:
            raise At(("path",), "path and helm.chart are two sources; a workload has one")
        return self


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
