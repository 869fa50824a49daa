"""A cluster on a network, subnet and router that somebody else made, with a bastion and a group of theirs."""

from __future__ import annotations

import pytest

from reconciler.adapters.kubespray.unsafe import loaded
from reconciler.sandbox.sandbox import Sandbox
from reconciler.toolchain import Toolbox

from .world import World

pytestmark = pytest.mark.live


def test_what_is_there_is_used_and_stays(
    sandbox: Sandbox, toolbox: Toolbox, tmp_path_factory: pytest.TempPathFactory
) -> None:
    world = World(sandbox, tmp_path_factory.mktemp("foreign"), "guest", cidr="10.31.0.0/24", workers=1)
    network = world.mischief().connection.network
    theirs = network.create_network(name="theirs")
    subnet = network.create_subnet(name="theirs", network_id=theirs.id, ip_version=4, cidr="10.30.0.0/24")
    public = network.find_network("public").id
    router = network.create_router(name="theirs", external_gateway_info={"network_id": public})
    network.add_interface_to_router(router, subnet_id=subnet.id)
    network.create_security_group(name="monitoring")
    world.edit("    cidr: 10.31.0.0/24\n", "    existing: {network: theirs, subnet: theirs}\n")
    world.edit("    dnsServers: [1.1.1.1, 9.9.9.9]\n", "")
    world.edit("  nodeGroups:\n", "  bastion: {flavor: m1.small, securityGroups: [monitoring]}\n  nodeGroups:\n")
    world.commit("on a network of theirs")
    applied = world.reconciler("apply", "guest")
    assert applied.code == 0, applied.all
    assert world.tofu_plan(toolbox, "infrastructure")[0] == 0
    ports = {p.name: {ip["subnet_id"] for ip in p.fixed_ips} for p in network.ports(network_id=theirs.id) if p.name}
    assert {name: {subnet.id} for name in ("guest-bastion-1", "guest-cp-1", "guest-worker-1")}.items() <= ports.items()
    assert list(network.networks(name="guest")) == []
    (known,) = world.state.rglob("known_hosts")
    (written,) = world.state.rglob("hosts.yaml")
    said = loaded(written.read_text())["all"]
    bastion = said["children"]["bastion"]["hosts"]["guest-bastion-1"]
    assert str(bastion["ansible_host"]) in said["vars"]["ansible_ssh_common_args"]
    assert f"[{bastion['ansible_host']}]:2222 " in known.read_text()  # Ansible never logs in there: ssh went through it
    nodes = world.kubectl("get", "nodes", "-o", "name").split()
    assert nodes == ["node/guest-cp-1", "node/guest-worker-1"]
    misspelt = "existing: {network: theirs, subnet: thiers}"
    world.edit("existing: {network: theirs, subnet: theirs}", misspelt)
    world.commit("a mistake")
    held = world.reconciler("plan", "guest")
    assert (held.code, "did you mean 'theirs'" in held.out) == (3, True), held.all
