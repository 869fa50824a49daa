"""The Kubernetes API: compared, applied, pruned and watched."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

from ..model.guest import Guest
from ..model.resource import Key, Kinds, Listing, Owner, Resource, Symptom, Unknown
from ..model.session import Session
from .manifests import Manifest
from .progress import Progress

# How a kubeconfig, given its place and content, may be read. Returns what it was rebuilt to where another machine wrote
# it, None where a person of this machine did: then it counts as it is. Raises Permanent for one that is refused.
Gate: TypeAlias = Callable[[Path, bytes], str | None]


def as_it_is(_place: Path, _content: bytes) -> None:
    """The gate of whoever has kubeconfigs of people only."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Desired manifests beside what is live, as the API server sees both (its defaults included).

    For an object that is as desired both sides have no fields; for one that differs, both sides have just the
    differing fields, by dotted path, what others added included (`Resource.added` says who); for one that is missing,
    `expected` has it and `live` does not.
    `live` also has objects of ours that no manifest asks for.
    """

    expected: tuple[Resource, ...]
    live: Kinds


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an apply may do: how long each object may take to become healthy (in seconds; who is not named may take what
    is usual), and from whom, besides people, fields of which object may be taken. `removing` names, by object, the
    fields that others added and that are to go; what is not named stays. `finished` hears of each Job that is done and
    goes by itself: its key, and the id of the namespace it was done in (empty where that can't be seen)."""

    patience: Mapping[Key, float] = field(default_factory=dict)
    taking: Mapping[Key, frozenset[Owner]] = field(default_factory=dict)
    removing: Mapping[Key, frozenset[str]] = field(default_factory=dict)
    finished: Callable[[Key, str], None] = lambda _key, _within: None


class Kubernetes(Protocol):
    """One Kubernetes or OpenShift API."""

    def nodes(self) -> Listing:
        """Nodes as resources of kind `node`."""

    def certificates(self) -> tuple[Resource, ...]:
        """The certificates of our kubeconfig and of the API server, as resources of kind `certificate` with the field
        `ends`. What there is none of, or can't be read, is left out."""

    def symptoms(self, nodes: Collection[str]) -> tuple[Symptom, ...]:
        """Pods that run nowhere, and pods on `nodes` that are not ready. Nothing where they can't be listed: they
        explain a difference and are none."""

    def guests(self, nodes: Collection[str]) -> tuple[Guest, ...]:
        """The pods on these nodes that a drain would evict, and what would hold it. Raises Transient or Permanent when
        that can't be asked."""

    def sessions(self) -> tuple[Session, ...] | Unknown:
        """Every running pod of a researcher's environment; Unknown where they can't be listed."""

    def mark_sessions(self, movable: Mapping[str, bool]) -> None:
        """Say of pods (namespace/name) whether Cluster Autoscaler may move them. One that is gone is none. Raises
        Transient or Permanent."""

    def outliving(self) -> tuple[Resource, ...] | Unknown:
        """What the cluster made in its cloud, whoever asked for it: Services of type LoadBalancer, every claim, and
        every volume of one (fields: `claim`, `handle`, `size`, `policy`, and whether it is `local` to a machine).
        Unknown where they can't be listed."""

    def retain(self, volumes: Sequence[str]) -> None:
        """Let these volumes outlive their claims. Raises Transient or Permanent."""

    def compare(
        self, part_of: str, manifests: Sequence[Manifest], before: Sequence[Resource], manager: str = ""
    ) -> Comparison:
        """Compare manifests with the live objects labelled as part of `part_of`, as `manager` would apply them (empty:
        as `apply` does). `before` was applied: of its kinds, and in its namespaces, there may be objects that no
        manifest has any more. What can't be observed is Unknown, per kind."""

    def apply(
        self,
        part_of: str,
        manifests: Sequence[Manifest],
        progress: Progress,
        allowance: Allowance | None = None,
        manager: str = "",
    ) -> None:
        """Server-side apply in order (as `manager`, empty: as ourselves), and wait until healthy. Fields that belong to
        another than people are taken from those in `allowance` only, and fields that others added go when it says so.
        Raises Permanent naming each object and why; the others are applied all the same."""

    def settle(
        self, part_of: str, manifests: Sequence[Manifest], progress: Progress, allowance: Allowance | None = None
    ) -> None:
        """Wait until objects that are there are healthy. Raises as `apply` does; changes nothing."""

    def lookup(self, asked: Sequence[Manifest]) -> tuple[Manifest | Unknown | None, ...]:
        """Return each object of `asked` (apiVersion, kind, name and namespace say which) as it is live; None where
        there is none, Unknown where that can't be asked."""

    def left_alone(self, manifests: Sequence[Manifest], fields: Mapping[Key, Collection[str]]) -> tuple[Manifest, ...]:
        """Return the manifests as they may be applied so that what lies at `fields`, dotted paths by object, stays as
        it is live. Raises Transient where that can't be seen."""

    def prune(self, resources: Sequence[Resource]) -> None:
        """Delete live objects by uid; already gone is success."""

    def cordon(self, leaving: Collection[str]) -> None:
        """Let no new pod go to the nodes called `leaving`, and let pods go again to those that were cordoned by this
        and are not among them. Raises Transient or Permanent."""

    def label_nodes(self, nodes: Sequence[Resource]) -> None:
        """Make labels, taints and providerID of the named nodes as desired. Only what `nodes` carry is touched."""


@dataclass(frozen=True, slots=True)
class Api:
    """A Kubernetes API to watch: the `kinds` of objects (`apps/v1/Deployment`), and whether its nodes are the
    cluster's own."""

    kubeconfig: Path
    context: str | None
    kinds: frozenset[str]
    nodes: bool = False


class Watcher(Protocol):
    """Says when something of ours changed on a Kubernetes API, without polling."""

    def follow(self, cluster: str, apis: Sequence[Api]) -> None:
        """Watch these for a cluster, and nothing else for it any more. Returns at once."""

    def streams(self) -> int:
        """How many watches are open now."""

    def close(self) -> None:
        """End all of them."""
