"""What people and programs do to a live cluster behind our back: one entry for each managed field and kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Cloud = Any  # an openstacksdk connection

NAME = "mut"
CP, W1, W2 = f"{NAME}-cp-1", f"{NAME}-worker-1", f"{NAME}-worker-2"
TAG = f"reconciler.cluster={NAME}"
PAIR = "10.233.64.0/18"
CIDR6 = "2001:db8:29::/64"


@dataclass(frozen=True)
class Mutation:
    """`ours` is what must be reported: "KIND NAME FIELD is CLASS", without FIELD for a whole resource. `unseen` says
    why OpenTofu does not see it; empty where it must."""

    name: str
    change: Callable[[Cloud], object]
    ours: tuple[str, ...]
    unseen: str = ""


def server(c: Cloud, name: str) -> Any:
    return next(s for s in c.compute.servers(details=True) if s.name == name)


def port(c: Cloud, name: str = W1) -> Any:
    return next(p for p in c.network.ports(name=name))


def network(c: Cloud) -> Any:
    return next(n for n in c.network.networks(name=NAME))


def subnet(c: Cloud) -> Any:
    return next(s for s in c.network.subnets(name=NAME))


def subnet6(c: Cloud) -> Any:
    return next(s for s in c.network.subnets(name=f"{NAME}.ipv6"))


def router(c: Cloud) -> Any:
    return next(r for r in c.network.routers(name=NAME))


def group(c: Cloud, part: str = "node") -> Any:
    return next(g for g in c.network.security_groups(name=f"{NAME}-{part}"))


def floating(c: Cloud) -> Any:
    return next(f for f in c.network.ips() if f.description == f"{TAG} {CP}")


def balancer(c: Cloud) -> Any:
    return next(c.load_balancer.load_balancers(name=NAME))


def listener(c: Cloud) -> Any:
    return next(c.load_balancer.listeners(name=NAME))


def pool(c: Cloud) -> Any:
    return next(c.load_balancer.pools(name=NAME))


def monitor(c: Cloud) -> Any:
    return next(c.load_balancer.health_monitors(name=NAME))


def member(c: Cloud) -> Any:
    return next(c.load_balancer.members(pool(c), name=CP))


def update_member(c: Cloud, **said: Any) -> None:
    c.load_balancer.update_member(member(c), pool(c), **said)


def delete_balancer(c: Cloud) -> None:
    c.load_balancer.delete_load_balancer(balancer(c), cascade=True)


def root_volume(c: Cloud, name: str) -> Any:
    """The volume a server boots from."""
    return c.block_storage.get_volume(server(c, name).attached_volumes[0].id)


def rule(c: Cloud, part: str, **fields: Any) -> Any:
    found = c.network.security_group_rules(security_group_id=group(c, part).id)
    return next(r for r in found if all(getattr(r, name) == value for name, value in fields.items()))


def add_rule(c: Cloud, part: str, **fields: Any) -> Any:
    said: Mapping[str, Any] = {"direction": "ingress", "ether_type": "IPv4", **fields}
    return c.network.create_security_group_rule(security_group_id=group(c, part).id, **said)


def untag(c: Cloud, resource: Any) -> None:
    c.network.set_tags(resource, [])


def add_server(c: Cloud) -> None:
    made = c.compute.create_server(
        name=f"{NAME}-stray", image_id=c.image.find_image("ubuntu-24.04").id,
        flavor_id=c.compute.find_flavor("m1.small").id, networks="none", metadata={"reconciler.cluster": NAME},
    )  # fmt: skip
    c.compute.wait_for_server(made, wait=120, interval=0.2)


def delete_server(c: Cloud, name: str) -> None:
    found = server(c, name)
    c.compute.delete_server(found)
    c.compute.wait_for_delete(found, wait=120, interval=0.2)


def power_off(c: Cloud) -> None:
    found = server(c, W2)
    c.compute.stop_server(found)
    c.compute.wait_for_server(found, status="SHUTOFF", wait=120, interval=0.2)


def resize(c: Cloud) -> None:
    found = server(c, W2)
    c.compute.resize_server(found, c.compute.find_flavor("m1.large").id)
    c.compute.wait_for_server(found, status="VERIFY_RESIZE", wait=120, interval=0.2)
    c.compute.confirm_server_resize(found)
    c.compute.wait_for_server(found, status="ACTIVE", wait=120, interval=0.2)


def another_key(c: Cloud) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKtG1xK2l9JbQ3uY2yWb8vQw0hQm3c5c6nq0v0i0n9aA"
    c.compute.delete_keypair(NAME)
    c.compute.create_keypair(name=NAME, public_key=key)


def no_port_security(c: Cloud) -> None:
    c.network.update_port(port(c), security_groups=[], allowed_address_pairs=[], port_security_enabled=False)


def drop_interface(c: Cloud) -> None:
    for outside in [f for f in c.network.ips() if TAG in (f.tags or ())]:
        c.network.update_ip(outside, port_id=None)
    c.network.remove_interface_from_router(router(c), subnet_id=subnet(c).id)


def stray_floating_ip(c: Cloud) -> None:
    made = c.network.create_ip(floating_network_id=c.network.find_network("public").id, description=f"{TAG} stray")
    c.network.set_tags(made, [TAG])


def stray(c: Cloud, made: Any) -> None:
    c.network.set_tags(made, [TAG])


def move_floating_ip(c: Cloud) -> None:
    c.network.update_ip(floating(c), port_id=port(c, W1).id)


def set_metadata(c: Cloud, **said: str) -> None:
    c.compute.set_server_metadata(server(c, W1), **said)


_EXTRA = "Terraform knows only what it made"
_UNREAD = "the provider never reads it back"
_RULE = f"security_group_rule {NAME}"

MUTATIONS: tuple[Mutation, ...] = (
    # servers
    Mutation("a worker deleted", lambda c: delete_server(c, W2), (f"server {W2} is drift",)),
    Mutation("a worker switched off", power_off, (f"server {W2} status is drift",)),
    Mutation("a worker resized", resize, (f"server {W2} flavor is drift",)),
    Mutation("a worker renamed", lambda c: c.compute.update_server(server(c, W2), name="other"),
             (f"server {W2} name is drift",)),
    Mutation("metadata changed", lambda c: c.compute.set_server_metadata(server(c, W1), **{"reconciler.group": "x"}),
             (f"server {W1} metadata.reconciler.group is drift",), unseen=_UNREAD),
    Mutation("metadata removed", lambda c: c.compute.delete_server_metadata(server(c, W1), ["kubespray_groups"]),
             (f"server {W1} metadata.kubespray_groups is drift",), unseen=_UNREAD),
    Mutation("the owner's mark removed",
             lambda c: c.compute.delete_server_metadata(server(c, W1), ["reconciler.cluster"]),
             (f"server {W1} metadata.reconciler.cluster is drift",), unseen=_UNREAD),
    Mutation("a server of ours added", add_server, (f"server {NAME}-stray is unmanaged",), unseen=_EXTRA),
    # ports
    Mutation("a port down", lambda c: c.network.update_port(port(c), admin_state_up=False),
             (f"port {W1} admin_state_up is drift",)),
    Mutation("a port in one group less", lambda c: c.network.update_port(port(c), security_groups=[group(c).id]),
             (f"port {W1} security_groups is drift",), unseen=_UNREAD),
    Mutation("a port in one group more",
             lambda c: c.network.update_port(
                 port(c), security_groups=[*port(c).security_group_ids, group(c, "control-plane").id]),
             (f"port {W1} security_groups is drift",), unseen=_UNREAD),
    Mutation("a port that may send from anywhere",
             lambda c: c.network.update_port(
                 port(c), allowed_address_pairs=[{"ip_address": PAIR}, {"ip_address": "0.0.0.0/1"}]),
             (f"port {W1} allowed_address_pairs is drift",)),
    Mutation("a port without its address pairs",
             lambda c: c.network.update_port(port(c), allowed_address_pairs=[]),
             (f"port {W1} allowed_address_pairs is drift",)),
    Mutation("a port without port security", no_port_security,
             (f"port {W1} allowed_address_pairs is drift", f"port {W1} port_security_enabled is drift",
              f"port {W1} security_groups is drift")),
    Mutation("a port renamed", lambda c: c.network.update_port(port(c), name="other"), (f"port {W1} name is drift",)),
    Mutation("a port's description", lambda c: c.network.update_port(port(c), description="mine"),
             (f"port {W1} description is drift",)),
    Mutation("a port's tag", lambda c: untag(c, port(c)), (f"port {W1} tag is drift",)),
    Mutation("a port of ours added",
             lambda c: stray(c, c.network.create_port(network_id=network(c).id, name=f"{NAME}-extra")),
             (f"port {NAME}-extra is unmanaged",), unseen=_EXTRA),
    # network, subnet, router
    Mutation("the network down", lambda c: c.network.update_network(network(c), admin_state_up=False),
             (f"network {NAME} admin_state_up is drift",)),
    Mutation("the network renamed", lambda c: c.network.update_network(network(c), name="other"),
             (f"network {NAME} name is drift",)),
    Mutation("the network's description", lambda c: c.network.update_network(network(c), description="mine"),
             (f"network {NAME} description is drift",)),
    Mutation("the network's tag", lambda c: untag(c, network(c)), (f"network {NAME} tag is drift",)),
    Mutation("other DNS servers", lambda c: c.network.update_subnet(subnet(c), dns_nameservers=["192.0.2.53"]),
             (f"subnet {NAME} dns_servers is drift",)),
    Mutation("no DNS servers", lambda c: c.network.update_subnet(subnet(c), dns_nameservers=[]),
             (f"subnet {NAME} dns_servers is drift",)),
    Mutation("DNS servers in another order",
             lambda c: c.network.update_subnet(subnet(c), dns_nameservers=["9.9.9.9", "1.1.1.1"]),
             (f"subnet {NAME} dns_servers is drift",)),
    Mutation("other DNS servers of IPv6",
             lambda c: c.network.update_subnet(subnet6(c), dns_nameservers=["2001:db8::53"]),
             (f"subnet {NAME}.ipv6 dns_servers is drift",)),
    Mutation("the router's interface of IPv6 removed",
             lambda c: c.network.remove_interface_from_router(router(c), subnet_id=subnet6(c).id),
             (f"router_interface {NAME}/{NAME}.ipv6 is drift",)),
    Mutation("no DHCP", lambda c: c.network.update_subnet(subnet(c), enable_dhcp=False),
             (f"subnet {NAME} enable_dhcp is drift",)),
    Mutation("the subnet renamed", lambda c: c.network.update_subnet(subnet(c), name="other"),
             (f"subnet {NAME} name is drift",)),
    Mutation("the subnet's description", lambda c: c.network.update_subnet(subnet(c), description="mine"),
             (f"subnet {NAME} description is drift",)),
    Mutation("the subnet's tag", lambda c: untag(c, subnet(c)), (f"subnet {NAME} tag is drift",)),
    Mutation("a network of ours added", lambda c: stray(c, c.network.create_network(name=f"{NAME}-extra")),
             (f"network {NAME}-extra is unmanaged",), unseen=_EXTRA),
    Mutation("the router down", lambda c: c.network.update_router(router(c), admin_state_up=False),
             (f"router {NAME} admin_state_up is drift",)),
    Mutation("the router renamed", lambda c: c.network.update_router(router(c), name="other"),
             (f"router {NAME} name is drift",)),
    Mutation("the router's description", lambda c: c.network.update_router(router(c), description="mine"),
             (f"router {NAME} description is drift",)),
    Mutation("the router's tag", lambda c: untag(c, router(c)), (f"router {NAME} tag is drift",)),
    Mutation("the router's interface removed", drop_interface,
             (f"floating_ip {CP} server is drift", f"floating_ip {NAME} load_balancer is drift",
              f"router_interface {NAME} is drift")),
    Mutation("a router of ours added", lambda c: stray(c, c.network.create_router(name=f"{NAME}-extra")),
             (f"router {NAME}-extra is unmanaged",), unseen=_EXTRA),
    # security groups and rules
    Mutation("SSH closed", lambda c: c.network.delete_security_group_rule(rule(c, "cluster", port_range_min=2222)),
             (f"{_RULE}-cluster ingress IPv4 tcp 2222 from 192.0.2.0/24 is drift",)),
    Mutation("the way out closed",
             lambda c: c.network.delete_security_group_rule(rule(c, "cluster", direction="egress", ether_type="IPv6")),
             (f"{_RULE}-cluster egress IPv6 any to anywhere is drift",)),
    Mutation("machines kept apart by IPv6",
             lambda c: c.network.delete_security_group_rule(
                 rule(c, "cluster", direction="ingress", ether_type="IPv6")),
             (f"{_RULE}-cluster ingress IPv6 any from group {NAME}-cluster is drift",)),
    Mutation("a rule of ours closed",
             lambda c: c.network.delete_security_group_rule(rule(c, "node", port_range_min=8080)),
             (f"{_RULE}-node ingress IPv4 tcp 8080-8090 from 198.51.100.0/24 is drift",)),
    Mutation("SSH open to everybody",
             lambda c: add_rule(c, "control-plane", protocol="tcp", port_range_min=22, port_range_max=22,
                                remote_ip_prefix="0.0.0.0/0"),
             (f"{_RULE}-control-plane ingress IPv4 tcp 22 from 0.0.0.0/0 is unmanaged",), unseen=_EXTRA),
    Mutation("everything open to a group", lambda c: add_rule(c, "node", remote_group_id=group(c, "control-plane").id),
             (f"{_RULE}-node ingress IPv4 any from group {NAME}-control-plane is unmanaged",), unseen=_EXTRA),
    Mutation("a group renamed", lambda c: c.network.update_security_group(group(c), name="other"),
             (f"security_group {NAME}-node name is drift",)),
    Mutation("a group's description", lambda c: c.network.update_security_group(group(c), description="mine"),
             (f"security_group {NAME}-node description is drift",)),
    Mutation("a group's tag", lambda c: untag(c, group(c)), (f"security_group {NAME}-node tag is drift",)),
    Mutation("a group of ours added",
             lambda c: stray(c, c.network.create_security_group(name=f"{NAME}-extra", description=TAG)),
             (f"security_group {NAME}-extra is unmanaged", *(
                 f"{_RULE}-extra egress {family} any to anywhere is unmanaged" for family in ("IPv4", "IPv6"))),
             unseen=_EXTRA),
    # floating IPs
    Mutation("a floating IP taken away", lambda c: c.network.update_ip(floating(c), port_id=None),
             (f"floating_ip {CP} server is drift",)),
    Mutation("a floating IP moved", move_floating_ip, (f"floating_ip {CP} server is drift",)),
    Mutation("a floating IP released", lambda c: c.network.delete_ip(floating(c)), (f"floating_ip {CP} is drift",)),
    Mutation("a floating IP's description", lambda c: c.network.update_ip(floating(c), description="mine"),
             (f"floating_ip {CP} description is drift",)),
    Mutation("a floating IP's tag", lambda c: untag(c, floating(c)), (f"floating_ip {CP} tag is drift",)),
    Mutation("a floating IP of ours added", stray_floating_ip, ("floating_ip stray is unmanaged",), unseen=_EXTRA),
    # the load balancer
    Mutation("the load balancer deleted", delete_balancer, (f"load_balancer {NAME} is drift",)),
    Mutation("the load balancer down",
             lambda c: c.load_balancer.update_load_balancer(balancer(c), is_admin_state_up=False),
             (f"load_balancer {NAME} admin_state_up is drift",)),
    Mutation("the load balancer renamed", lambda c: c.load_balancer.update_load_balancer(balancer(c), name="other"),
             (f"load_balancer {NAME} name is drift",)),
    Mutation("the load balancer's description",
             lambda c: c.load_balancer.update_load_balancer(balancer(c), description="mine"),
             (f"load_balancer {NAME} description is drift",)),
    Mutation("the load balancer's tag", lambda c: c.load_balancer.update_load_balancer(balancer(c), tags=[]),
             (f"load_balancer {NAME} tag is drift",)),
    Mutation("the API open to everybody",
             lambda c: c.load_balancer.update_listener(listener(c), allowed_cidrs=["0.0.0.0/0"]),
             (f"listener {NAME} allowed_cidrs is drift",)),
    Mutation("the listener deleted", lambda c: c.load_balancer.delete_listener(listener(c)),
             (f"listener {NAME} is drift",)),
    Mutation("the listener down", lambda c: c.load_balancer.update_listener(listener(c), is_admin_state_up=False),
             (f"listener {NAME} admin_state_up is drift",)),
    Mutation("the listener renamed", lambda c: c.load_balancer.update_listener(listener(c), name="other"),
             (f"listener {NAME} name is drift",)),
    Mutation("the listener's description", lambda c: c.load_balancer.update_listener(listener(c), description="mine"),
             (f"listener {NAME} description is drift",)),
    Mutation("the listener without its pool",
             lambda c: c.load_balancer.update_listener(listener(c), default_pool_id=None),
             (f"listener {NAME} pool is drift",)),
    Mutation("a listener added",
             lambda c: c.load_balancer.create_listener(
                 name="door", load_balancer_id=balancer(c).id, protocol="TCP", protocol_port=22),
             ("listener door is unmanaged",), unseen=_EXTRA),
    Mutation("the pool deleted", lambda c: c.load_balancer.delete_pool(pool(c)), (f"pool {NAME} is drift",)),
    Mutation("the pool balances otherwise",
             lambda c: c.load_balancer.update_pool(pool(c), lb_algorithm="SOURCE_IP"),
             (f"pool {NAME} algorithm is drift",)),
    Mutation("the pool down", lambda c: c.load_balancer.update_pool(pool(c), is_admin_state_up=False),
             (f"pool {NAME} admin_state_up is drift",)),
    Mutation("the pool's description", lambda c: c.load_balancer.update_pool(pool(c), description="mine"),
             (f"pool {NAME} description is drift",)),
    Mutation("the monitor deleted", lambda c: c.load_balancer.delete_health_monitor(monitor(c)),
             (f"monitor {NAME} is drift",)),
    Mutation("the monitor in no hurry", lambda c: c.load_balancer.update_health_monitor(monitor(c), delay=60),
             (f"monitor {NAME} delay is drift",)),
    Mutation("the monitor down",
             lambda c: c.load_balancer.update_health_monitor(monitor(c), is_admin_state_up=False),
             (f"monitor {NAME} admin_state_up is drift",)),
    Mutation("a member deleted", lambda c: c.load_balancer.delete_member(member(c), pool(c)),
             (f"member {CP} is drift",)),
    Mutation("a member with no weight", lambda c: update_member(c, weight=0), (f"member {CP} weight is drift",)),
    Mutation("a member down", lambda c: update_member(c, is_admin_state_up=False),
             (f"member {CP} admin_state_up is drift",)),
    Mutation("a member renamed", lambda c: update_member(c, name="other"), (f"member {CP} name is drift",)),
    Mutation("a member added",
             lambda c: c.load_balancer.create_member(
                 pool(c), name="guest", address="192.0.2.99", protocol_port=6443, subnet_id=subnet(c).id),
             ("member guest is unmanaged",), unseen=_EXTRA),
    # keypair and server groups
    Mutation("the keypair deleted", lambda c: c.compute.delete_keypair(NAME), (f"keypair {NAME} is drift",)),
    Mutation("another key under its name", another_key, (f"keypair {NAME} public_key is drift",)),
)  # fmt: skip
