"""The sandbox's volumes and load balancers behave as Cinder's and Octavia's do, through the SDK only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox.openstack import EXTRAS

from .test_sandbox_openstack import TAG, free_ports, login, new_cloud, wait_for

pytestmark = pytest.mark.live
_PORTS = 7


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A cloud with everything; the one that other tests share has none of it, and is the lighter for it."""
    cloud = new_cloud(tmp_path_factory.mktemp("extras") / "cloud", free_ports(_PORTS), *EXTRAS)
    cloud.up()
    try:
        yield login(cloud.clouds_yaml)
    finally:
        cloud.down()


@pytest.fixture(scope="module")
def network(api: Any) -> Iterator[Any]:
    """A network with a way out."""
    made = make_network(api, "extras")
    yield made
    router = api.network.find_router("extras")
    api.network.remove_interface_from_router(router, subnet_id=made.subnet_ids[0])
    api.network.delete_router(router)
    api.network.delete_network(made)


def make_network(api: Any, name: str) -> Any:
    made = api.network.create_network(name=name)
    subnet = api.network.create_subnet(name=name, network_id=made.id, ip_version=4, cidr="10.17.0.0/24")
    public = api.network.find_network("public", ignore_missing=False)
    router = api.network.create_router(name=name, external_gateway_info={"network_id": public.id})
    api.network.add_interface_to_router(router, subnet_id=subnet.id)
    return api.network.get_network(made.id)


def settled(api: Any, volume: Any, status: str = "available") -> Any:
    """The volume as it is then: the SDK's own waiting takes the word of an object that may be old."""

    def look() -> Any:
        found = api.block_storage.get_volume(volume.id)
        assert found.status != "error"
        return found if found.status == status else None

    return wait_for(look)


def make_volume(api: Any, name: str, **fields: Any) -> Any:
    return settled(api, api.block_storage.create_volume(name=name, **fields))


def boot(api: Any, network: Any, name: str, **disk: Any) -> Any:
    """A server whose root disk is a volume."""
    mapping = {"boot_index": 0, "destination_type": "volume", "delete_on_termination": True, **disk}
    size = api.compute.find_flavor("m1.small", ignore_missing=False)
    made = api.compute.create_server(
        name=name, flavor_id=size.id, networks=[{"uuid": network.id}], block_device_mapping_v2=[mapping]
    )
    return api.compute.wait_for_server(made, wait=60, interval=0.2)


def delete_servers(api: Any, *servers: Any) -> None:
    for server in servers:
        api.compute.delete_server(server)
    for server in servers:
        api.compute.wait_for_delete(server, interval=0.2, wait=60)


def active(api: Any, balancer: Any) -> Any:
    found = api.load_balancer.get_load_balancer(balancer.id)
    assert found.provisioning_status == "ACTIVE"
    return found


def test_a_volume_from_an_image_is_bootable_grows_and_goes(api: Any) -> None:
    assert {kind.name for kind in api.block_storage.types()} == {"ssd", "hdd", "__DEFAULT__"}
    image = api.image.find_image("ubuntu-24.04", ignore_missing=False)
    volume = make_volume(api, "v-1", size=10, image_id=image.id, volume_type="ssd", metadata={"cluster": "demo"})
    assert (volume.is_bootable, volume.volume_type, volume.metadata) == (True, "ssd", {"cluster": "demo"})
    assert volume.volume_image_metadata["image_id"] == image.id
    api.block_storage.extend_volume(volume, 20)
    assert settled(api, volume).size == 20
    api.block_storage.delete_volume(volume)
    api.block_storage.wait_for_delete(volume, interval=0.1, wait=30)


def test_servers_boot_from_volumes(api: Any, network: Any) -> None:
    image = api.image.find_image("ubuntu-24.04", ignore_missing=False)
    volume = make_volume(api, "root", size=10, image_id=image.id)
    kept = boot(api, network, "b-1", source_type="volume", uuid=volume.id, delete_on_termination=False)
    gone = boot(api, network, "b-2", source_type="image", uuid=image.id, volume_size=7, volume_type="hdd")
    assert [server.status for server in (kept, gone)] == ["ACTIVE", "ACTIVE"]
    assert [found.id for found in kept.attached_volumes] == [volume.id]
    root = api.block_storage.get_volume(gone.attached_volumes[0].id)
    assert (root.status, root.size, root.volume_type, root.is_bootable) == ("in-use", 7, "hdd", True)
    delete_servers(api, kept, gone)
    assert settled(api, volume).attachments == []
    api.block_storage.wait_for_delete(root, interval=0.1, wait=30)
    api.block_storage.delete_volume(volume)
    api.block_storage.wait_for_delete(volume, interval=0.1, wait=30)


def test_a_volume_is_attached_and_detached(api: Any, network: Any) -> None:
    image = api.image.find_image("ubuntu-24.04", ignore_missing=False)
    server = boot(api, network, "a-1", source_type="image", uuid=image.id, volume_size=1)
    data = make_volume(api, "data", size=1)
    api.compute.create_volume_attachment(server, volume_id=data.id)
    attached = settled(api, data, "in-use")
    assert [(entry["server_id"], entry["device"]) for entry in attached.attachments] == [(server.id, "/dev/sdb")]
    api.block_storage.extend_volume(data, 2)
    wait_for(lambda: api.block_storage.get_volume(data.id).size == 2)
    settled(api, data, "in-use")
    api.compute.delete_volume_attachment(server=server, volume=data.id)
    assert settled(api, data).attachments == []
    delete_servers(api, server)
    api.block_storage.delete_volume(data)
    api.block_storage.wait_for_delete(data, interval=0.1, wait=30)


def test_a_load_balancer_and_all_below_it(api: Any, network: Any) -> None:
    lb = api.load_balancer
    subnet = network.subnet_ids[0]
    balancer = lb.create_load_balancer(name="api", vip_subnet_id=subnet, tags=[TAG])
    shown = active(api, balancer)
    assert (shown.operating_status, shown.tags, shown.vip_subnet_id) == ("ONLINE", [TAG], subnet)
    assert [found.id for found in lb.load_balancers(tags=TAG)] == [balancer.id]
    assert list(lb.load_balancers(tags="other")) == []
    listener = lb.create_listener(
        name="api", load_balancer_id=balancer.id, protocol="TCP", protocol_port=6443, allowed_cidrs=["10.0.0.0/8"]
    )
    active(api, balancer)
    pool = lb.create_pool(name="api", listener_id=listener.id, protocol="TCP", lb_algorithm="ROUND_ROBIN")
    active(api, balancer)
    member = lb.create_member(pool, name="cp-1", address="10.17.0.77", protocol_port=6443, subnet_id=subnet)
    active(api, balancer)
    assert lb.get_member(member, pool).operating_status == "NO_MONITOR"
    monitor = lb.create_health_monitor(pool_id=pool.id, type="TCP", delay=5, timeout=3, max_retries=3)
    active(api, balancer)
    everything = (
        lb.get_listener(listener),
        lb.get_pool(pool),
        lb.get_member(member, pool),
        lb.get_health_monitor(monitor),
    )
    assert {(found.provisioning_status, found.operating_status) for found in everything} == {("ACTIVE", "ONLINE")}

    lb.update_listener(listener, allowed_cidrs=["0.0.0.0/0"])
    lb.update_member(member, pool, is_admin_state_up=False)
    assert lb.get_listener(listener).allowed_cidrs == ["0.0.0.0/0"]
    assert lb.get_member(member, pool).operating_status == "OFFLINE"
    lb.delete_member(member, pool)
    lb.delete_health_monitor(monitor)
    active(api, balancer)
    assert list(lb.members(pool)) == []
    lb.delete_load_balancer(balancer, cascade=True)
    for left in (lb.load_balancers, lb.listeners, lb.pools, lb.health_monitors):
        assert list(left()) == []


def test_a_vip_takes_a_floating_ip_and_goes_with_its_balancer(api: Any, network: Any) -> None:
    balancer = api.load_balancer.create_load_balancer(name="vip", vip_subnet_id=network.subnet_ids[0])
    port = api.network.get_port(balancer.vip_port_id)
    assert [entry["ip_address"] for entry in port.fixed_ips] == [balancer.vip_address]
    public = api.network.find_network("public", ignore_missing=False)
    floating = api.network.create_ip(floating_network_id=public.id, port_id=port.id)
    assert (floating.status, floating.fixed_ip_address) == ("ACTIVE", balancer.vip_address)
    api.network.delete_ip(floating)
    api.load_balancer.delete_load_balancer(balancer)
    assert api.network.find_port(port.id) is None


@pytest.mark.long
def test_extras_come_to_a_running_cloud_and_stay(tmp_path: Path) -> None:
    root, first = tmp_path / "cloud", free_ports(_PORTS)
    cloud = new_cloud(root, first)
    try:
        cloud.up()
        types = {entry["type"] for entry in login(cloud.clouds_yaml).service_catalog}
        assert types == {"identity", "image", "placement", "network", "compute"}
        cloud = new_cloud(root, first, "cinder", "octavia")
        cloud.up()
        api = login(cloud.clouds_yaml)
        volume = make_volume(api, "kept", size=1)
        subnet = make_network(api, "kept").subnet_ids[0]
        balancer = api.load_balancer.create_load_balancer(name="kept", vip_subnet_id=subnet)
        active(api, balancer)

        cloud.down()
        cloud = new_cloud(root, first)
        cloud.up()
        api = login(cloud.clouds_yaml)
        assert api.block_storage.get_volume(volume.id).status == "available"
        assert active(api, balancer).vip_port_id == balancer.vip_port_id

        cloud.stop("cinder")
        down = [service.name for service in cloud.status() if not service.responds]
        assert down == ["cinder"]
        cloud.up()
        api.block_storage.delete_volume(volume)
        api.block_storage.wait_for_delete(volume, interval=0.1, wait=30)
        cloud.stop("neutron")
        api.load_balancer.delete_load_balancer(balancer)
        assert api.load_balancer.get_load_balancer(balancer.id).provisioning_status == "PENDING_DELETE"
        cloud.up()
        wait_for(lambda: list(api.load_balancer.load_balancers()) == [])
        assert api.network.find_port(balancer.vip_port_id) is None
    finally:
        cloud.down()
    assert not any(service.alive for service in cloud.status())
