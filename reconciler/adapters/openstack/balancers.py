"""Octavia's answers as resources. Whose something is says its load balancer: parts have no owner of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...model.resource import Resource, Value
from .normalise import Names, marks, tagged


def ours(balancers: Iterable[Any]) -> dict[str, Any]:
    """The load balancers that belong to some cluster, by id."""
    return {b.id: b for b in balancers if tagged(b)}


def load_balancers(found: Iterable[Any], floating: Iterable[Any], names: Names) -> Iterator[Resource]:
    outside = {ip.port_id: ip.floating_ip_address for ip in floating if ip.port_id}
    for balancer in ours(found).values():
        fields: dict[str, Value] = {
            "provider": balancer.provider,
            "subnet": names.subnets.get(balancer.vip_subnet_id, balancer.vip_subnet_id),
            "admin_state_up": balancer.is_admin_state_up,
            "vip": balancer.vip_address,
            "address": outside.get(balancer.vip_port_id) or balancer.vip_address,
            **marks(balancer),
        }
        yield Resource("load_balancer", balancer.name, fields, balancer.id, tagged(balancer))


def listeners(found: Iterable[Any], balancers: Mapping[str, Any], pools: Iterable[Any]) -> Iterator[Resource]:
    called = {pool.id: pool.name for pool in pools}
    for listener, balancer in _below(found, balancers, "load_balancers"):
        fields: dict[str, Value] = {
            "load_balancer": balancer.name,
            "pool": called.get(listener.default_pool_id, listener.default_pool_id),
            "protocol": listener.protocol,
            "port": listener.protocol_port,
            "allowed_cidrs": tuple(sorted(listener.allowed_cidrs or ())),
            "admin_state_up": listener.is_admin_state_up,
            **marks(listener),
        }
        yield Resource("listener", listener.name, fields, listener.id, tagged(balancer))


def pools(found: Iterable[Any], balancers: Mapping[str, Any]) -> Iterator[Resource]:
    for pool, balancer in _below(found, balancers, "loadbalancers"):
        fields: dict[str, Value] = {
            "load_balancer": balancer.name,
            "protocol": pool.protocol,
            "algorithm": pool.lb_algorithm,
            "admin_state_up": pool.is_admin_state_up,
            "description": pool.description or "",
        }
        yield Resource("pool", pool.name, fields, pool.id, tagged(balancer))


def monitors(found: Iterable[Any], balancers: Mapping[str, Any], pools: Iterable[Any]) -> Iterator[Resource]:
    owners = {pool.id: (pool, balancer) for pool, balancer in _below(pools, balancers, "loadbalancers")}
    for monitor in found:
        pool, balancer = next((owners[p["id"]] for p in monitor.pools or () if p["id"] in owners), (None, None))
        if pool is None:
            continue
        fields: dict[str, Value] = {
            "pool": pool.name,
            "type": monitor.type,
            "delay": monitor.delay,
            "timeout": monitor.timeout,
            "max_retries": monitor.max_retries,
            "admin_state_up": monitor.is_admin_state_up,
        }
        yield Resource("monitor", monitor.name, fields, monitor.id, tagged(balancer))


def members(
    found: Mapping[str, Iterable[Any]], balancers: Mapping[str, Any], pools: Iterable[Any], ports: Iterable[Any],
    names: Names,
) -> Iterator[Resource]:  # fmt: skip
    """`found` are the members by their pool's id. A member is an address; that of a server is called by its name."""
    at = {(ip["subnet_id"], ip["ip_address"]): port.device_id for port in ports for ip in port.fixed_ips or ()}
    for pool, balancer in _below(pools, balancers, "loadbalancers"):
        for member in found.get(pool.id, ()):
            device = at.get((member.subnet_id, member.address))
            fields: dict[str, Value] = {
                "pool": pool.name,
                "server": names.servers.get(device, member.address) if device else member.address,
                "port": member.protocol_port,
                "weight": member.weight,
                "admin_state_up": member.is_admin_state_up,
            }
            yield Resource("member", member.name or member.address, fields, f"{pool.id}/{member.id}", tagged(balancer))


def _below(found: Iterable[Any], balancers: Mapping[str, Any], attribute: str) -> Iterator[tuple[Any, Any]]:
    """What hangs below one of `balancers`, with it."""
    for each in found:
        balancer = next((balancers[b["id"]] for b in getattr(each, attribute) or () if b["id"] in balancers), None)
        if balancer is not None:
            yield each, balancer
