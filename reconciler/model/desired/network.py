"""The cluster's network, and who may reach what in it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from .base import Address, At, Cidr, CloudName, Model, Name


class ExistingNetwork(Model):
    """A network and subnet somebody else made and keeps. They are used, never changed. `cidr` is the subnet's range,
    which an API load balancer's rules have to name."""

    network: CloudName
    subnet: CloudName
    cidr: Cidr | None = None


class Network(Model):
    """A network of the cluster's own (`cidr`) or one that exists (`existing`).

    `externalNetwork` is where floating IPs come from. `router` names a router that exists and is to be used in the
    place of one of the cluster's own. `allowedAddresses` are sources that machines may send from besides their own
    addresses, such as the pods' network where the network plugin routes without a tunnel.
    """

    cidr: Cidr | None = None
    external_network: CloudName
    dns_servers: tuple[Address, ...] = ()
    router: CloudName | None = None
    existing: ExistingNetwork | None = None
    allowed_addresses: tuple[Cidr, ...] = ()

    @property
    def subnet_range(self) -> str | None:
        """The subnet's addresses, as far as git says."""
        return self.existing.cidr if self.existing else self.cidr

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.existing is None and self.cidr is None:
            raise At((), "needs either cidr (a network of its own) or existing (one that is there)")
        if self.existing is not None:
            for key, value in (("cidr", self.cidr), ("router", self.router), ("dnsServers", self.dns_servers or None)):
                if value is not None:
                    raise At((key,), f"{key} belongs to a network of the cluster's own, and existing names another's")
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
