"""Kubernetes as Kubespray installs it, and the manifests that run on it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from .base import Cidr, Model, Name, Port, PublicKey

# what Kubespray 2.32 knows (kube_network_plugin)
NetworkPlugin = Literal[
    "calico", "cilium", "cni", "custom_cni", "flannel", "kube-ovn", "kube-router", "macvlan", "none"
]


class Ssh(Model):
    """How Ansible logs in. The private key is never in git: the settings say where it lies."""

    user: str = "ubuntu"
    port: Port = 22
    public_key: PublicKey


class Kubernetes(Model):
    """`variables` go to Kubespray as they are."""

    version: Annotated[str, StringConstraints(pattern=r"^1\.[0-9]+\.[0-9]+$")]
    network_plugin: NetworkPlugin = "calico"
    pod_cidr: Cidr = "10.233.64.0/18"
    service_cidr: Cidr = "10.233.0.0/18"
    variables: dict[str, object] = Field(default_factory=dict)


class Workload(Model):
    """A folder of manifests, applied together. `path` is relative to the repository's root."""

    name: Name
    path: str
    namespace: Name = "default"
