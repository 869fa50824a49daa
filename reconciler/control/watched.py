"""What to watch of a cluster: the kinds of objects it has, on the APIs that serve it, and its nodes."""

from __future__ import annotations

from ..model.resource import Component
from ..ports import Api
from .sight import Sight
from .toolkit import Toolkit


def watched(cluster: str, sight: Sight, tools: Toolkit) -> tuple[Api, ...]:
    """As the last look rendered its objects. An API nobody has a way to yet is left out by who watches."""
    kinds: dict[str, set[str]] = {"": set()}
    for component in (Component.WORKLOADS, Component.APPLICATIONS):
        for target, manifests in sight.manifests.get(component, {}).items():
            kinds.setdefault(target, set()).update(f"{m['apiVersion']}/{m['kind']}" for m in manifests)
    found: dict[tuple[object, object], Api] = {}
    for target, mine in kinds.items():
        access = tools.openshift[target] if target else tools.api(cluster)
        place = (access.kubeconfig, access.context)
        before = found.get(place)
        found[place] = Api(
            access.kubeconfig,
            access.context,
            frozenset(mine) | (before.kinds if before else frozenset()),
            nodes=not target or bool(before and before.nodes),
        )
    return tuple(found.values())
