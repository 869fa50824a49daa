"""The cluster's network, and who may reach what in it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from .base import Address4, Address6, At, Cidr, Cidr4, Cidr6, CloudName, Model, Name


class ExistingIpv6(Model):
    """The IPv6 subnet of a network somebody else made. `cidr` is its range."""

    subnet: CloudName
    cidr: Cidr6 | None = None


class ExistingNetwork(Model):
    """A network and subnets somebody else made and keeps. They are used, never changed. `subnet` is the IPv4 one and
    `cidr` its range, which an API load balancer's rules have to name; `ipv6` the IPv6 one."""

    network: CloudName
    subnet: CloudName | None = None
    cidr: Cidr4 | None = None
    ipv6: ExistingIpv6 | None = None

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if self.subnet is None and self.ipv6 is None:
            raise At((), "subnet is missing: the one the machines' addresses come from, or ipv6 with another")
        if self.subnet is None and self.cidr is not None:
            raise At(("cidr",), "cidr is the range of a subnet, and none is named")
        return self


class Ipv6(Model):
    """The IPv6 subnet of a network of the cluster's own. `mode` is how machines get their addresses, in Neutron's words
    for both ipv6_address_mode and ipv6_ra_mode."""

    cidr: Cidr6
    mode: Literal["slaac", "dhcpv6-stateless", "dhcpv6-stateful"] = "slaac"
    dns_servers: tuple[Address6, ...] = ()

    @model_validator(mode="after")
    def _length(self) -> Self:
        """A machine makes the last 64 bits of its address by itself (RFC 4862); a subnet has four addresses."""
        if self.mode != "dhcpv6-stateful" and not self.cidr.endswith("/64"):
            raise At(("cidr",), f"{self.cidr} is no /64, which mode {self.mode} needs (dhcpv6-stateful does not)")
        if int(self.cidr.partition("/")[2]) > 126:
            raise At(("cidr",), f"{self.cidr} is too small for a subnet: Neutron takes a /126 or more")
        return self


class Network(Model):
    """A network of the cluster's own (`cidr` for IPv4, `ipv6`, or both) or one that exists (`existing`).

    `externalNetwork` is where floating IPs come from. `router` names a router that exists and is to be used in the
    place of one of the cluster's own. `allowedAddresses` are sources that machines may send from besides their own
    addresses, such as the pods' network where the network plugin routes without a tunnel.
    """

    cidr: Cidr4 | None = None
    ipv6: Ipv6 | None = None
    external_network: CloudName
    dns_servers: tuple[Address4, ...] = ()
    router: CloudName | None = None
    existing: ExistingNetwork | None = None
    allowed_addresses: tuple[Cidr, ...] = ()

    @property
    def subnet_range(self) -> str | None:
        """The IPv4 subnet's addresses, as far as git says."""
        return self.existing.cidr if self.existing else self.cidr

    @property
    def ipv6_range(self) -> str | None:
        """The IPv6 subnet's addresses, as far as git says."""
        ipv6 = self.existing.ipv6 if self.existing else self.ipv6
        return ipv6.cidr if ipv6 else None

    @property
    def families(self) -> tuple[Literal["IPv4", "IPv6"], ...]:
        """The kinds of addresses that machines get, IPv4 first."""
        has4 = self.existing.subnet is not None if self.existing else self.cidr is not None
        has6 = (self.existing.ipv6 if self.existing else self.ipv6) is not None
        return (*(("IPv4",) if has4 else ()), *(("IPv6",) if has6 else ()))

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.existing is None and self.cidr is None and self.ipv6 is None:
            raise At((), "needs either cidr (a network of its own) or existing (one that is there)")
        own = {"cidr": self.cidr, "ipv6": self.ipv6, "router": self.router, "dnsServers": self.dns_servers or None}
        if self.existing is not None:
            for key, value in own.items():
                if value is not None:
                    raise At((key,), f"{key} belongs to a network of the cluster's own, and existing names another's")
        elif self.cidr is None and self.dns_servers:
            raise At(("dnsServers",), "dnsServers are of IPv4, and the network is not; say ipv6.dnsServers")
        return self


class ApiLoadBalancer(Model):
    """One address for the Kubernetes APIs of all control-plane machines: a load balancer of Octavia's. `provider` is
    the driver that Octavia makes it with; `floatingIp` gives it an address that is reached from outside."""

    provider: Literal["amphora", "ovn"] = "amphora"
    floating_ip: bool = True


class Rule(Model):
    """One more way in: `from` these networks, to these ports of these machines."""

    name: Name
    protocol: Literal["tcp", "udp", "icmp"] = "tcp"
    ports: Annotated[str, StringConstraints(pattern=r"^\d{1,5}(-\d{1,5})?$")] | None = None
    from_: tuple[Cidr, ...] = Field(alias="from", min_length=1)
    to: Literal["nodes", "control-plane", "all"] = "nodes"

    @model_validator(mode="after")
    def _ports(self) -> Self:
        if self.protocol == "icmp" and self.ports is not None:
            raise At(("ports",), "icmp has no ports")
        if self.protocol != "icmp" and self.ports is None:
            raise At((), f"ports is missing: {self.protocol} needs one, such as '8080' or '8000-8100'")
        low, high = self.span
        if low is not None and high is not None and not 1 <= low <= high <= 65535:
            raise At(("ports",), f"{self.ports!r} is no range of ports from 1 to 65535")
        return self

    @property
    def span(self) -> tuple[int | None, int | None]:
        """First and last port; None for a protocol without."""
        if self.ports is None:
            return None, None
        low, _, high = self.ports.partition("-")
        return int(low), int(high or low)


class Access(Model):
    """Who may reach what, as source networks. Nothing listed means nobody from outside."""

    ssh: tuple[Cidr, ...] = ()
    api: tuple[Cidr, ...] = ()
    node_ports: tuple[Cidr, ...] = ()
    rules: tuple[Rule, ...] = ()
