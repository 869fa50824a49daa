"""Namespaces that objects go to and nothing in git makes: a workload's own `namespace:` says where, and makes none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..errors import Problem
from ..ports import Manifest
from .load import DesiredCluster
from .render import objects

# Every cluster has these.
_ALWAYS = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
_HINT = "add a Namespace to a workload, or make it by hand: until it is there, what goes to it waits"


def remarks(cluster: DesiredCluster, environments: Sequence[Manifest], files: Mapping[str, bytes]) -> list[Problem]:
    """One for each namespace that something is to go to and nothing in git makes. `environments` are the objects of the
    cluster's environments. Where a workload could not be built nobody knows what it makes: then none is told."""
    return [] if cluster.unbuilt else list(_remarks(cluster, environments, files))


def _remarks(
    cluster: DesiredCluster, environments: Sequence[Manifest], files: Mapping[str, bytes]
) -> Iterator[Problem]:
    sources = cluster.cluster.spec.workloads
    placed = objects.each_once(cluster, files, sources)
    told = {*_ALWAYS, *made((*(one.object for one in placed), *environments))}
    for index, source in enumerate(sources):
        for one in (one for one in placed if one.workload == source.name):
            name = str(one.object["metadata"].get("namespace") or "")
            if not name or name in told:
                continue
            told.add(name)
            if name == source.namespace:
                message = f"workload {source.name!r} goes to the namespace {name!r}, which nothing in git makes"
                path = ("spec", "workloads", index, "namespace")
                yield cluster.problem("Cluster", cluster.name, path, message, _HINT)
            else:
                message = f"{objects.key(one.object)} goes to the namespace {name!r}, which nothing in git makes"
                yield one.problem(("metadata", "namespace"), message, _HINT)


def unmade(manifests: Sequence[Manifest]) -> frozenset[str]:
    """The namespaces that the manifests lie in and nothing among them makes, those excepted that every cluster has."""
    named = {str(m["metadata"].get("namespace") or "default") for m in manifests}
    return frozenset(named - made(manifests) - _ALWAYS)


def made(manifests: Sequence[Manifest]) -> frozenset[str]:
    """The namespaces among the manifests."""
    return frozenset(str(m["metadata"]["name"]) for m in manifests if m["kind"] == "Namespace")
