"""Which nodes are waited for, and which of them are not Ready yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..model.plan import Step
from ..model.resource import Component, Known, Resource
from ..ports import Kubernetes
from .sight import Sight


def waiting(step: Step, sight: Sight, before: Collection[str]) -> frozenset[str]:
    """Nodes that join after an upgrade, or that don't answer: it would fail for all."""
    ready = {n.name for n in sight.nodes if n.fields.get("ready")}
    wanted = {n.name for n in sight.expected.resources(Component.KUBERNETES)}
    return frozenset(wanted - ready - set(before) - set(step.targets))


def upgrades(step: Step) -> bool:
    """Whether a step changes the version of nodes that are there."""
    return step.operation == "upgrade-cluster.yml"


def not_ready(api: Kubernetes, wanted: Mapping[str, Resource]) -> list[str]:
    """The names of the `wanted` nodes that are not Ready; all of them where the API does not say."""
    listing = api.nodes()
    ready = {n.name for n in listing.resources if n.fields.get("ready")} if isinstance(listing, Known) else set()
    return sorted(set(wanted) - ready)
