"""The sandbox's cloud behaves as OpenStack does, through the SDK and a clouds.yaml only."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import Permanent
from reconciler.progress import QuietProgress
from reconciler.sandbox.openstack import Cloud, make_expired_credential
from reconciler.settings import Settings

pytestmark = pytest.mark.live

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG0h5sVZ0l5o1VbqXZ2pQqQ8r0n6cT8hN4v5Zqf7yJ8b ada@example.org"
TAG = "reconciler.cluster=demo"
NETWORK = "127.77.7.0/24"


def free_ports(count: int) -> int:
    """The first of `count` neighbouring ports that are free."""
    for first in range(31000, 39000, count):
        if all(_is_free(first + offset) for offset in range(count)):
            return first
    raise AssertionError("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def wait_for(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Return the condition's first true value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.1)
    return value


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    made = new_cloud(tmp_path_factory.mktemp("cloud"), free_ports(5))
    try:
        made.up()
        yield made
    finally:
        made.down()


def new_cloud(root: Path, port: int, *extras: str) -> Cloud:
    cache = Settings().cache_folder
    return Cloud(root, cache=cache, base_port=port, progress=QuietProgress(), machine_network=NETWORK, extras=extras)


def login(clouds_yaml: Path, name: str = "sandbox") -> Any:
    from openstack.config.loader import OpenStackConfig
    from openstack.connection import Connection

    loader = OpenStackConfig(config_files=[str(clouds_yaml)], load_envvars=False)
    return Connection(config=loader.get_one(cloud=name))


@pytest.fixture(scope="module")
def api(cloud: Cloud) -> Any:
    return login(cloud.clouds_yaml)


@pytest.fixture(scope="module")
def network(api: Any) -> Iterator[Any]:
    """A network with a router, as a cluster has."""
    public = api.network.find_network("public", ignore_missing=False)
    made = api.network.create_network(name="demo")
    subnet = api.network.create_subnet(name="demo", network_id=made.id, ip_version=4, cidr="10.7.0.0/16")
    router = api.network.create_router(name="demo", external_gateway_info={"network_id": public.id})
    api.network.add_interface_to_router(router, subnet_id=subnet.id)
    yield made
    api.network.remove_interface_from_router(router, subnet_id=subnet.id)
    api.network.delete_router(router)
    api.network.delete_network(made)


Boot = Callable[..., Any]


@pytest.fixture
def boot(api: Any, network: Any) -> Iterator[Boot]:
    """Makes servers and takes them away again."""
    made: list[Any] = []
    key = api.compute.create_keypair(name="demo", public_key=PUBLIC_KEY)
    image = api.image.find_image("ubuntu-24.04", ignore_missing=False)

    def start(*names: str, flavor: str = "m1.medium", **fields: Any) -> list[Any]:
        size = api.compute.find_flavor(flavor, ignore_missing=False)
        common = {"image_id": image.id, "flavor_id": size.id, "networks": [{"uuid": network.id}], "key_name": key.name}
        new = [api.compute.create_server(name=name, **common, **fields) for name in names]
        made.extend(new)
        return [api.compute.wait_for_server(server, wait=120, interval=0.2) for server in new]

    yield start
    for server in made:
        api.compute.delete_server(server)
    for server in made:
        api.compute.wait_for_delete(server, interval=0.2, wait=60)
    api.compute.delete_keypair(key)


def machine(cloud: Cloud, server: Any) -> dict[str, Any]:
    return dict(json.loads((cloud.root / "machines" / f"{server.id}.json").read_text()))


def _has_booted(cloud: Cloud, server: Any, times: int) -> bool:
    return bool(machine(cloud, server)["boots"] == times)


def test_only_the_owner_can_read_credentials(cloud: Cloud) -> None:
    files = [cloud.clouds_yaml, cloud.admin_clouds_yaml, *(cloud.root / "etc").glob("*.conf")]
    assert len(files) == 7
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(cloud.root.stat().st_mode) == 0o700
    assert "sandbox-admin" not in cloud.clouds_yaml.read_text()


def test_no_secret_is_on_a_command_line_or_in_a_log(cloud: Cloud) -> None:
    import yaml

    admin = yaml.safe_load(cloud.admin_clouds_yaml.read_text())["clouds"]["sandbox-admin"]["auth"]["password"]
    secret = yaml.safe_load(cloud.clouds_yaml.read_text())["clouds"]["sandbox"]["auth"]["application_credential_secret"]
    seen = [Path(f"/proc/{service.pid}/cmdline").read_text() for service in cloud.status()]
    seen += [path.read_text(errors="replace") for path in (cloud.root / "log").iterdir()]
    assert len(seen) >= 10
    assert not any(admin in text or secret in text for text in seen)


def test_it_offers_what_a_project_expects(api: Any) -> None:
    flavors = {flavor.name: (flavor.vcpus, flavor.ram, flavor.disk) for flavor in api.compute.flavors()}
    assert flavors == {
        "m1.small": (1, 2048, 20),
        "m1.medium": (2, 4096, 40),
        "m1.large": (4, 8192, 80),
        "gpu.small": (2, 4096, 40),
    }
    assert {image.name for image in api.image.images()} == {"debian-12", "ubuntu-24.04"}
    assert [network.name for network in api.network.networks(is_router_external=True)] == ["public"]


def test_the_project_is_no_administrator(api: Any) -> None:
    from openstack.exceptions import ForbiddenException

    with pytest.raises(ForbiddenException):
        api.compute.create_flavor(name="mine", ram=64, vcpus=1, disk=1)


def test_tags_on_every_kind_that_carries_them(api: Any, network: Any) -> None:
    public = api.network.find_network("public")
    group = api.network.create_security_group(name="tagged")
    port = api.network.create_port(network_id=network.id, name="tagged")
    floating = api.network.create_ip(floating_network_id=public.id)
    subnet = api.network.get_subnet(api.network.get_network(network.id).subnet_ids[0])
    router = next(api.network.routers(name="demo"))
    kinds = {"networks": network, "subnets": subnet, "routers": router, "ports": port}
    kinds |= {"security_groups": group, "ips": floating}
    try:
        for kind, resource in kinds.items():
            api.network.set_tags(resource, [TAG])
            assert [found.id for found in getattr(api.network, kind)(tags=TAG)] == [resource.id], kind
            assert list(getattr(api.network, kind)(tags="other")) == [], kind
    finally:
        api.network.delete_ip(floating)
        api.network.delete_port(port)
        api.network.delete_security_group(group)


def test_servers_of_a_group_are_spread_and_have_machines(cloud: Cloud, api: Any, boot: Boot) -> None:
    group = api.compute.create_server_group(name="demo-worker", policy="anti-affinity")
    servers = boot("w-1", "w-2", "w-3", scheduler_hints={"group": group.id}, metadata={"reconciler.group": "worker"})
    assert {server.status for server in servers} == {"ACTIVE"}
    assert len({server.host_id for server in servers}) == 3
    addresses = {server.access_ipv4 for server in servers}
    assert addresses == {"127.77.7.2", "127.77.7.3", "127.77.7.4"}
    assert {found.access_ipv4 for found in api.compute.servers(details=True)} == addresses
    for server in servers:
        assert machine(cloud, server) == {
            "id": server.id,
            "name": server.name,
            "address": server.access_ipv4,
            "port": 2222,
            "user": "cloud",
            "authorized_keys": [PUBLIC_KEY],
            "power": "on",
            "boots": 0,
            "metadata": {"reconciler.group": "worker"},
        }
    api.compute.delete_server_group(group)


def test_power_reaches_the_machine(cloud: Cloud, api: Any, boot: Boot) -> None:
    (server,) = boot("p-1")
    api.compute.stop_server(server)
    api.compute.wait_for_server(server, status="SHUTOFF", wait=30, interval=0.2)
    assert machine(cloud, server)["power"] == "off"
    api.compute.start_server(server)
    api.compute.wait_for_server(server, wait=30, interval=0.2)
    assert (machine(cloud, server)["power"], machine(cloud, server)["boots"]) == ("on", 0)
    for boots, kind in ((1, "SOFT"), (2, "HARD")):
        api.compute.reboot_server(server, kind)
        wait_for(partial(_has_booted, cloud, server, boots))
        api.compute.wait_for_server(server, wait=30, interval=0.2)
        assert machine(cloud, server)["power"] == "on"


def test_a_rebuilt_server_keeps_its_address(cloud: Cloud, api: Any, boot: Boot) -> None:
    first, second = boot("r-1", "r-2")
    api.compute.rebuild_server(first, image=api.image.find_image("debian-12").id, name="r-1")
    wait_for(lambda: api.compute.get_server(first.id).task_state is None)
    rebuilt = api.compute.wait_for_server(first, wait=30, interval=0.2)
    assert rebuilt.access_ipv4 == first.access_ipv4 == machine(cloud, first)["address"]
    assert machine(cloud, second)["address"] != rebuilt.access_ipv4


def test_a_floating_ip_reaches_the_servers_addresses(api: Any, network: Any, boot: Boot) -> None:
    (server,) = boot("f-1")
    port = next(api.network.ports(device_id=server.id))
    assert port.status == "ACTIVE"
    floating = api.network.create_ip(floating_network_id=api.network.find_network("public").id)
    assert floating.status == "DOWN"
    floating = api.network.update_ip(floating, port_id=port.id)
    assert (floating.status, floating.floating_ip_address[:10]) == ("ACTIVE", "203.0.113.")

    def shown() -> bool:
        entries = api.compute.get_server(server.id).addresses["demo"]
        return floating.floating_ip_address in [entry["addr"] for entry in entries]

    wait_for(shown)
    api.network.delete_ip(floating)


def test_a_deleted_server_takes_its_machine_along(cloud: Cloud, api: Any, boot: Boot) -> None:
    (server,) = boot("d-1")
    path = cloud.root / "machines" / f"{server.id}.json"
    assert path.exists()
    api.compute.delete_server(server)
    api.compute.wait_for_delete(server, interval=0.2, wait=30)
    assert not path.exists()


def test_gpus_are_counted(cloud: Cloud, boot: Boot) -> None:
    (server,) = boot("g-1", flavor="gpu.small")
    admin = login(cloud.admin_clouds_yaml, "sandbox-admin")
    used = admin.placement.get(f"/allocations/{server.id}").json()["allocations"]
    assert [a["resources"]["CUSTOM_GPU"] for a in used.values()] == [1]


def test_many_servers_at_once_get_different_addresses(cloud: Cloud, boot: Boot) -> None:
    servers = boot(*(f"m-{number}" for number in range(20)))
    assert len({server.access_ipv4 for server in servers}) == 20
    assert {machine(cloud, server)["address"] for server in servers} == {server.access_ipv4 for server in servers}


def test_an_expired_credential_is_refused(cloud: Cloud, api: Any) -> None:
    from keystoneauth1.exceptions import Unauthorized

    expired = make_expired_credential(cloud.root)
    with pytest.raises(Unauthorized):
        login(expired).session.get_token()
    assert api.session.get_token()


def test_credentials_can_be_rotated(api: Any) -> None:
    user = api.current_user_id
    for _ in range(2):
        made = api.identity.create_application_credential(user, name="rotated")
        api.identity.delete_application_credential(user, made)


def test_everything_survives_a_restart(cloud: Cloud, api: Any, boot: Boot) -> None:
    on, off = boot("s-1", "s-2")
    api.compute.stop_server(off)
    api.compute.wait_for_server(off, status="SHUTOFF", wait=30, interval=0.2)
    before = [machine(cloud, server) for server in (on, off)]
    cloud.down()
    assert not any(service.alive or service.responds for service in cloud.status())
    stray = cloud.root / "machines" / "of-a-deleted-server.json"
    stray.write_text("{}")
    (cloud.root / "machines" / f"{on.id}.json").unlink()
    cloud.up()
    assert [machine(cloud, server) for server in (on, off)] == before
    assert not stray.exists()
    again = login(cloud.clouds_yaml)
    status = {server.name: (server.status, server.access_ipv4) for server in again.compute.servers()}
    assert status == {"s-1": ("ACTIVE", before[0]["address"]), "s-2": ("SHUTOFF", before[1]["address"])}
    again.compute.start_server(off)
    again.compute.wait_for_server(off, wait=30, interval=0.2)


def test_up_is_idempotent_and_brings_back_what_died(cloud: Cloud) -> None:
    before = {service.name: service.pid for service in cloud.status()}
    cloud.up()
    assert {service.name: service.pid for service in cloud.status()} == before
    victim = before["glance"]
    assert victim is not None
    os.kill(victim, 9)
    wait_for(lambda: not next(s for s in cloud.status() if s.name == "glance").alive)
    cloud.up()
    after = {service.name: service.pid for service in cloud.status()}
    assert [name for name in before if before[name] != after[name]] == ["glance"]
    assert all(service.responds for service in cloud.status())


def test_a_taken_port_is_named_and_nothing_is_left_running(tmp_path: Path, cloud: Cloud) -> None:
    port = free_ports(5)
    with socket.create_server(("127.0.0.1", port + 3)):
        other = new_cloud(tmp_path / "other", port)
        with pytest.raises(Permanent, match=f"neutron can't listen on 127.0.0.1:{port + 3}") as caught:
            other.up()
    assert caught.value.hint is not None
    assert not any(service.alive for service in other.status())


def test_a_service_that_ends_says_why(tmp_path: Path, cloud: Cloud) -> None:
    other = new_cloud(tmp_path / "other", free_ports(5))
    shutil.copytree(cloud.root / "db", other.root / "db")
    for path in (other.root / "db").glob("nova_cell1.*"):
        path.unlink()
    (other.root / "db" / "nova_cell1.sqlite").write_text("not a database " * 99)
    try:
        with pytest.raises(Permanent, match="nova ended while it was starting") as caught:
            other.up()
        assert str(other.root / "log" / "nova.log") in str(caught.value.hint)
        assert caught.value.evidence is not None
        assert "not a database" in "\n".join(caught.value.evidence.last_lines)
    finally:
        other.down()
    assert not any(service.alive or service.responds for service in other.status())


def test_a_lost_credential_is_made_anew(cloud: Cloud) -> None:
    lost = cloud.clouds_yaml.read_text()
    cloud.clouds_yaml.unlink()
    cloud.up()
    assert cloud.clouds_yaml.read_text() != lost
    assert login(cloud.clouds_yaml).session.get_token()
