"""Whether a cluster's Kubernetes is there: installed, nothing by a positive sign, or unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from .resource import Unknown


@dataclass(frozen=True, slots=True)
class Traces:
    """What one machine says of itself. `instance` is the id of the server that it was booted as, empty where it does
    not say; `members` are the names of etcd's members, as far as it can ask for them."""

    etcd: bool = False
    kubelet: bool = False
    kubeconfig: bool = False
    instance: str = ""
    members: frozenset[str] = frozenset()

    @property
    def any(self) -> bool:
        """Is, or was, a part of a Kubernetes here?"""
        return self.etcd or self.kubelet or self.kubeconfig


@dataclass(frozen=True, slots=True)
class Installed:
    """There is one, or nobody says that there is none. `regained`: its kubeconfig was fetched from a machine just now.
    `traces` is what machines said, by name, where they were asked."""

    regained: bool = False
    traces: Mapping[str, Traces | Unknown] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is certainly none: each machine of the control plane and of etcd says so, or there is no such machine."""


Presence: TypeAlias = Installed | Nothing | Unknown
