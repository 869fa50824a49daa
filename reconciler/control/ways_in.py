"""Where a cluster is reached from outside: its API, and its machines' node ports."""

from __future__ import annotations

from ..model.desired import Cluster
from ..model.resource import Kinds, Known, Listing, Resource, Unknown
from ..spec.load import DesiredCluster
from ..spec.render.kubernetes import published
from ..spec.render.machines import machines

# Where the API's address is read from.
_ENDPOINT_KINDS = ("server", "load_balancer")


def balancer_of(cluster: Cluster, infrastructure: Kinds) -> Resource | None:
    """The live load balancer of a cluster that wants one."""
    named = (r for r in _resources(infrastructure, "load_balancer") if r.name == cluster.name)
    return next(named, None) if cluster.spec.api_load_balancer else None


def endpoint(desired: DesiredCluster, infrastructure: Kinds) -> str | Unknown | None:
    """Where the API is; Unknown when what says so can't be seen."""
    api = published(desired.cluster, _resources(infrastructure, "server"), balancer_of(desired.cluster, infrastructure))
    silent = (seen for k in _ENDPOINT_KINDS if isinstance(seen := infrastructure.get(k), Unknown))
    return api or next(silent, None)


def reachable(desired: DesiredCluster, infrastructure: Kinds) -> Listing:
    """The machines whose node ports answer: every node's."""
    listing = infrastructure.get("server", Unknown("was not listed"))
    if isinstance(listing, Unknown):
        return listing
    mine = {m.name for m in machines(desired.cluster) if m.role in ("control-plane", "node")}
    return Known(tuple(s for s in listing.resources if s.name in mine))


def _resources(kinds: Kinds, kind: str) -> tuple[Resource, ...]:
    listing = kinds.get(kind)
    return listing.resources if isinstance(listing, Known) else ()
