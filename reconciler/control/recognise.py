"""Whose a live resource is, and what git calls it: by its tag, and by its id in Terraform's state.

A server that somebody renamed is the same server, not one too many and one too few; and a port whose tag somebody took
off is still ours.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from ..model import rules
from ..model.desired import Cluster
from ..model.naming import IN_STATE, NAME
from ..model.resource import Kinds, Known, Listing, Resource, Value
from ..ports import Ids
from ..spec.render.infrastructure import infrastructure
from ..spec.render.subnets import addressed
from ..spec.render.terraform import address

# What has no name of its own is called by what it says: under another name it says something else.
_NAMELESS = ("router_interface", "security_group_rule", "floating_ip")
# Fields that name other resources, with the kind of what they name.
_REFERENCES = {
    "server": "server",
    "port": "port",
    "network": "network",
    "subnet": "subnet",
    "ipv6_subnet": "subnet",
    "server_group": "server_group",
    "security_group": "security_group",
    "security_groups": "security_group",
    "remote_group": "security_group",
    "load_balancer": "load_balancer",
    "pool": "pool",
}


def recognised(cluster: Cluster, kinds: Kinds, known: Ids | None) -> dict[str, Listing]:
    """The part of a project's snapshot that belongs to one cluster, under git's names. `known` are the ids of
    Terraform's state by address, None where there is no state here: then nothing is said against anybody. Neither is it
    by a state that others share: they may have written what this machine has not read yet.

    Each resource gains two fields: what the cloud calls it, and whether the state knows it.
    """
    ids = known.by_address if known else {}
    wanted = infrastructure(cluster)
    kinds = {kind: one for kind, one in kinds.items() if isinstance(one, Known) or _concerns(kind, wanted, ids)}
    names = {(w.kind, id): w.name for w in wanted if (id := ids.get(address(w.kind, w.name)))}
    renamed = {
        (r.kind, r.name): names[r.kind, r.id]
        for listing in kinds.values()
        if isinstance(listing, Known)
        for r in listing.resources
        if names.get((r.kind, r.id), r.name) != r.name
    }

    listed = kinds.get("security_group_rule")
    written = (_relabelled(r, renamed) for r in listed.resources) if isinstance(listed, Known) else ()
    spelled = rules.as_wanted(written, (w for w in wanted if w.kind == "security_group_rule"))

    def ours(r: Resource) -> Resource:
        r = spelled.get(r.id, r) if r.kind == "security_group_rule" else r
        name = names.get((r.kind, r.id), r.name)
        fields = {field: _called(field, value, renamed) for field, value in r.fields.items()}
        there = known is None or known.shared or ids.get(address(r.kind, name)) == r.id
        called = name if r.kind in _NAMELESS else r.name
        return replace(r, name=name, owner=cluster.name, fields={**fields, NAME: called, IN_STATE: there})

    def mine(listing: Known) -> Known:
        return Known(tuple(ours(r) for r in listing.resources if r.owner == cluster.name or (r.kind, r.id) in names))

    found = {kind: mine(one) if isinstance(one, Known) else one for kind, one in kinds.items()}
    return addressed(cluster, found)


def _relabelled(rule: Resource, renamed: Mapping[tuple[str, str], str]) -> Resource:
    """A rule with its groups called as git calls them."""
    return replace(rule, fields={field: _called(field, value, renamed) for field, value in rule.fields.items()})


def _concerns(kind: str, wanted: Iterable[Resource], ids: Collection[str]) -> bool:
    """What can't be listed says nothing of a cluster that has none and wants none: a load balancer's service may be
    down, and clusters without one go on."""
    prefix = address(kind, "").partition("[")[0]
    return any(r.kind == kind for r in wanted) or any(known.startswith(prefix) for known in ids)


def _called(field: str, value: Value, renamed: Mapping[tuple[str, str], str]) -> Value:
    """What a field names, as git calls it: what was renamed is told once, at the resource itself."""
    kind = _REFERENCES.get(field)
    if kind is None or not renamed:
        return value
    if isinstance(value, tuple):
        return tuple(sorted(str(_called(field, one, renamed)) for one in value))
    return renamed.get((kind, value), value) if isinstance(value, str) else value
