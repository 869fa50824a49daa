"""Both families on the real Neutron: which address is ours, and how a port gets one more."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.openstack import OpenStackCloud
from reconciler.errors import Permanent
from reconciler.model.desired import Cluster
from reconciler.model.resource import Known, Resource
from reconciler.sandbox.openstack import Cloud
from reconciler.spec.render.subnets import addressed
from tests.unit.examples import cluster

pytestmark = pytest.mark.live


class Provider:
    """A network somebody else made: IPv4, and two ways to IPv6 of which the machines use one."""

    def __init__(self, clouds: Path) -> None:
        self.name = f"provider-{secrets.token_hex(3)}"
        self.cloud = OpenStackCloud("sandbox", clouds_file=clouds, timeout=30)
        self.sdk = self.cloud.connection.network
        self.network = self.sdk.create_network(name=self.name)
        self.subnet("v4", 4, "203.0.113.0/25")
        auto = {"ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"}
        self.subnet("auto", 6, "2001:db8:3::/64", **auto)

    def subnet(self, name: str, version: int, cidr: str, **more: Any) -> Any:
        called = f"{self.name}-{name}"
        said = {"network_id": self.network.id, "ip_version": version, "cidr": cidr, **more}
        return self.sdk.create_subnet(name=called, **said)

    def port(self, name: str, *subnets: str) -> Any:
        """As Terraform makes it: an address of each subnet that git names, and whatever the network adds."""
        fixed = [{"subnet_id": self.sdk.find_subnet(f"{self.name}-{s}").id} for s in subnets]
        mark = f"reconciler.cluster={self.name}"
        return self.sdk.create_port(network_id=self.network.id, name=name, fixed_ips=fixed, description=mark)

    def wants(self, ipv6: str = "") -> Cluster:
        other = f", ipv6: {{subnet: {self.name}-{ipv6}}}" if ipv6 else ""
        existing = f"existing: {{network: {self.name}, subnet: {self.name}-v4{other}}}"
        return cluster(("    cidr: 10.20.0.0/24\n", f"    {existing}\n"))

    def seen(self, name: str, wanted: Cluster) -> Resource:
        listing = addressed(wanted, self.cloud.observe([]).kinds)["port"]
        assert isinstance(listing, Known)
        return next(port for port in listing.resources if port.name == name)

    def gone(self) -> None:
        for port in self.sdk.ports(network_id=self.network.id):
            self.sdk.delete_port(port)
        self.sdk.delete_network(self.network)


@pytest.fixture
def provider(sandbox_cloud: Cloud) -> Iterator[Provider]:
    made = Provider(Path(sandbox_cloud.clouds_yaml))
    try:
        yield made
    finally:
        made.gone()


def test_a_port_is_compared_by_the_subnet_that_is_ours(provider: Provider) -> None:
    """203.… sorts behind 2001:…, and Neutron lists addresses in the order of their text."""
    made = provider.port("p", "v4")
    assert [":" in ip["ip_address"] for ip in provider.sdk.get_port(made).fixed_ips].count(True) == 1
    port = provider.seen("p", provider.wants())
    assert port.fields["subnet"] == f"{provider.name}-v4"
    provider.subnet(
        "managed", 6, "2001:db8:2::/64", ipv6_address_mode="dhcpv6-stateful", ipv6_ra_mode="dhcpv6-stateful"
    )
    provider.cloud.join(made.id, f"{provider.name}-managed")
    for ours in ("auto", "managed"):
        assert provider.seen("p", provider.wants(ours)).fields["ipv6_subnet"] == f"{provider.name}-{ours}"


def test_a_port_gets_one_more_address_and_keeps_the_others(provider: Provider) -> None:
    made = provider.port("p", "v4")
    before = {ip["ip_address"] for ip in provider.sdk.get_port(made).fixed_ips}
    subnet = provider.subnet(
        "managed", 6, "2001:db8:2::/64", ipv6_address_mode="dhcpv6-stateful", ipv6_ra_mode="dhcpv6-stateful"
    )
    for _ in range(2):  # already there is success
        provider.cloud.join(made.id, subnet.name)
        now = {ip["ip_address"] for ip in provider.sdk.get_port(made).fixed_ips}
        assert (before < now, len(now - before)) == (True, 1)
    with pytest.raises(Permanent, match="has no subnet 'nowhere'"):
        provider.cloud.join(made.id, "nowhere")
