"""What a project may have, by the words of Nova, Neutron, Cinder and Octavia. Asked where something is to be made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ...model.quota import Allotment, Quota

_NOVA = {"instances": "instances", "cores": "total_cores", "ram": "total_ram", "server_groups": "server_groups"}
_NEUTRON = {
    "ports": "port",
    "floating_ips": "floatingip",
    "security_groups": "security_group",
    "security_group_rules": "security_group_rule",
    "networks": "network",
    "subnets": "subnet",
    "routers": "router",
}
_CINDER = ("volumes", "gigabytes")
# Octavia says what is allowed and not what is used: that is counted, where there is a limit (its API, v2, quotas).
_OCTAVIA = {
    "load_balancers": ("loadbalancer", "loadbalancers"),
    "listeners": ("listener", "listeners"),
    "pools": ("pool", "pools"),
    "members": ("member", "pools"),
    "monitors": ("healthmonitor", "healthmonitors"),
}


def quota(connection: Any) -> Quota:
    """Each service is asked by itself: one that may not be asked says nothing of the others."""
    found: dict[str, Allotment] = {}
    for ask in (_of_nova, _of_neutron, _of_cinder, _of_octavia):
        found.update(_answer(ask, connection))
    return found


def _answer(ask: Callable[[Any], Iterator[tuple[str, Any, Any]]], connection: Any) -> Mapping[str, Allotment]:
    try:
        told = list(ask(connection))
    except Exception:  # no such service, or not for this role: nobody knows, so nobody is held
        return {}
    return {what: Allotment(used, limit) for what, used, limit in told if type(used) is int and type(limit) is int}


def _of_nova(connection: Any) -> Iterator[tuple[str, Any, Any]]:
    limits = connection.compute.get_limits().absolute
    for what, name in _NOVA.items():
        yield what, getattr(limits, f"{name}_used", None), getattr(limits, name, None)


def _of_neutron(connection: Any) -> Iterator[tuple[str, Any, Any]]:
    answer = connection.network.get(f"/quotas/{connection.current_project_id}/details")
    details = answer.json()["quota"]
    for what, name in _NEUTRON.items():
        one = details[name]
        yield what, one["used"] + _whole(one.get("reserved")), one["limit"]


def _of_cinder(connection: Any) -> Iterator[tuple[str, Any, Any]]:
    if not connection.endpoint_for("block-storage"):
        return
    answer = connection.block_storage.get(f"/os-quota-sets/{connection.current_project_id}", params={"usage": "true"})
    for what in _CINDER:
        one = answer.json()["quota_set"][what]
        yield what, one["in_use"] + _whole(one.get("reserved")), one["limit"]


def _of_octavia(connection: Any) -> Iterator[tuple[str, Any, Any]]:
    if not connection.endpoint_for("load-balancer"):
        return
    project = connection.current_project_id
    limits = connection.load_balancer.get(f"/lbaas/quotas/{project}").json()["quota"]
    listed: dict[str, list[Any]] = {}
    for what, (name, kind) in _OCTAVIA.items():
        limit = limits.get(name)
        if type(limit) is not int or limit < 0:  # not said is not known, and no limit of nothing
            continue
        if kind not in listed:
            answer = connection.load_balancer.get(f"/lbaas/{kind}", params={"project_id": project})
            listed[kind] = answer.json()[kind]
        used = sum(len(pool["members"]) for pool in listed[kind]) if what == "members" else len(listed[kind])
        yield what, used, limit


def _whole(value: Any) -> int:
    return value if type(value) is int else 0
