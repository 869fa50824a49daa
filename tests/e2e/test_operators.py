"""What a cloud's operators and a colleague with the client do to a cluster in sync: nothing of it stops the rest.

Images that are renamed, hidden or replaced by a new build; the same rule in other words; servers in states that people
end; a project without room.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from reconciler.sandbox.mischief import Mischief
from reconciler.sandbox.openstack.seed import ADMIN_CLOUD
from reconciler.toolchain import Toolbox

from .world import Said, World

pytestmark = pytest.mark.live

IMAGE = "ubuntu-24.04"
SERVER = "demo-worker-2"


@pytest.fixture
def settled(world: World) -> Iterator[World]:
    """The shared cluster, put back as it was."""
    before = world.head()
    yield world
    if not world.back_to(before):
        applied(world.reconciler("apply", "demo"))


@pytest.fixture(scope="module")
def operators(world: World) -> Any:
    """The cloud as those see it who run it."""
    return Mischief(world.sandbox.cloud.admin_clouds_yaml, ADMIN_CLOUD).connection


def cloud(world: World) -> Any:
    return world.mischief().connection


def open_port(world: World, port: int) -> None:
    """Git asks for one more way in."""
    world.edit("  access:\n", f"  access:\n    rules: [{{name: p{port}, ports: '{port}', from: [198.51.100.0/24]}}]\n")
    world.commit(f"port {port}")


def is_open(world: World, port: int) -> bool:
    rules = cloud(world).network.security_group_rules(port_range_min=port, port_range_max=port)
    return any(rule.remote_ip_prefix == "198.51.100.0/24" for rule in rules)


def report(world: World, verb: str = "drift") -> dict[str, Any]:
    said = world.reconciler(verb, "demo", "-o", "json")
    assert said.code in (0, 3, 4), said.all
    (found,) = json.loads(said.out)
    return dict(found)


def told(world: World) -> str:
    """Status, and every reason and refusal of a look, as scripts read them."""
    found = report(world)
    lines = [f["why"] for f in found["findings"]] + [r["message"] for r in found["refusals"]]
    return "\n".join([found["status"], *lines])


@contextmanager
def another_build(world: World, operators: Any) -> Iterator[tuple[Any, Any]]:
    """The image is renamed and a new build uploaded under its name, as publishers do."""
    old = operators.image.find_image(IMAGE)
    operators.image.update_image(old.id, name=f"{IMAGE}-old")
    new = operators.image.create_image(
        IMAGE, data=b"a new build\n", disk_format="raw", container_format="bare", visibility="public"
    )
    try:
        yield old, new
    finally:
        operators.image.delete_image(new.id, ignore_missing=True)
        operators.image.update_image(old.id, name=IMAGE, visibility="public")


def test_images_that_are_renamed_hidden_and_gone(settled: World, operators: Any, toolbox: Toolbox) -> None:
    world, before = settled, settled.servers()
    with another_build(world, operators) as (old, new):
        seen = told(world)
        assert seen.startswith("in sync"), seen
        assert f"new build available: '{IMAGE}' is {new.id} now; the one it has is called '{IMAGE}-old' now" in seen
        assert world.tofu_plan(toolbox, "infrastructure")[0] == 0
        open_port(world, 8081)
        applied(world.reconciler("apply", "demo"))
        assert is_open(world, 8081)

        operators.image.update_image(old.id, visibility="private")  # to the project it is deleted
        world.edit("name: p8081, ports: '8081'", "name: p8082, ports: '8082'")
        world.commit("another port")
        applied(world.reconciler("apply", "demo"))
        assert (is_open(world, 8081), is_open(world, 8082)) == (False, True)

        operators.image.delete_image(new.id)  # none of that name is left
        seen = told(world)
        assert (seen.startswith("in sync"), f"has no image '{IMAGE}'" in seen) == (True, True), seen
        world.edit("count: 2", "count: 3")
        world.edit("name: p8082, ports: '8082'", "name: p8083, ports: '8083'")
        world.commit("another machine, and a port")
        held = world.reconciler("apply", "demo")
        assert held.code == 3, held.all
        assert f"waits: cloud 'sandbox' has no image '{IMAGE}' (desired/demo/cluster.yaml:" in told(world)
        assert is_open(world, 8083)
        assert world.servers() == before
        world.edit("count: 3", "count: 2")
        world.commit("no other machine")
    applied(world.reconciler("apply", "demo"))
    assert world.servers() == before


def applied(said: Said) -> None:
    assert said.code == 0, said.all


def test_the_same_rule_written_otherwise(settled: World, toolbox: Toolbox) -> None:
    """Neutron takes them for one rule, and refuses a second."""
    world, network = settled, cloud(settled).network
    world.edit(
        "  access:\n", "  access:\n    rules: [{name: all, ports: '8090', from: [0.0.0.0/0, '2001:db8::/32']}]\n"
    )
    world.commit("open to all")
    applied(world.reconciler("apply", "demo"))
    ours = {g.name: g for g in network.security_groups() if g.name.startswith("demo-")}
    everywhere = next(r for r in rules(world, ours["demo-cluster"].id, direction="egress", ether_type="IPv4"))
    network.delete_security_group_rule(everywhere)
    world.openstack("security", "group", "rule", "create", "--egress", "--ethertype", "IPv4", "demo-cluster")
    for known in list(rules(world, ours["demo-node"].id, port_range_min=8090)):
        network.delete_security_group_rule(known)
        network.create_security_group_rule(
            security_group_id=known.security_group_id, direction="ingress", ether_type=known.ether_type, protocol="6",
            port_range_min=8090, port_range_max=8090,
            remote_ip_prefix=None if known.ether_type == "IPv4" else "2001:0DB8:0::/32",
        )  # fmt: skip
    found = report(world)
    assert {f["field"] for f in found["findings"]} <= {"in_state"}, found["findings"]
    applied(world.reconciler("apply", "demo"))
    assert world.reconciler("drift", "demo").code == 0
    assert world.tofu_plan(toolbox, "infrastructure")[0] == 0
    assert [r.protocol for r in rules(world, ours["demo-node"].id, port_range_min=8090)] == ["6", "6"]
    for written in list(rules(world, ours["demo-cluster"].id, direction="egress", ether_type="IPv4")):
        network.delete_security_group_rule(written)  # what other tests import is as our module makes it
    applied(world.reconciler("apply", "demo"))


def rules(world: World, group: str, **fields: Any) -> Iterator[Any]:
    found = cloud(world).network.security_group_rules(security_group_id=group)
    return (r for r in found if all(getattr(r, name) == value for name, value in fields.items()))


@pytest.mark.parametrize(
    ("verb", "status", "back"),
    [("suspend", "SUSPENDED", "resume"), ("pause", "PAUSED", "unpause"), ("lock", "ACTIVE", "unlock")],
)
def test_a_server_in_a_state_that_people_end(settled: World, verb: str, status: str, back: str) -> None:
    world, compute = settled, cloud(settled).compute
    server = compute.find_server(SERVER)
    act: dict[str, Callable[[Any], object]] = {
        "suspend": compute.suspend_server, "resume": compute.resume_server, "pause": compute.pause_server,
        "unpause": compute.unpause_server, "lock": compute.lock_server, "unlock": compute.unlock_server,
    }  # fmt: skip
    act[verb](server)
    try:
        compute.wait_for_server(server, status=status, wait=60, interval=0.2)
        if verb == "lock":
            world.edit("count: 2", "count: 1")
        open_port(world, 8084)
        said = world.reconciler("apply", "demo")
        assert said.code == 3, said.all
        assert f"openstack server {back} {SERVER}" in told(world)
        assert is_open(world, 8084)
        assert SERVER in world.servers()
    finally:
        act[back](server)
        compute.wait_for_server(server, status="ACTIVE", wait=60, interval=0.2)


def test_too_little_room_is_told_in_the_plan_and_holds_that_alone(settled: World, operators: Any) -> None:
    world, project = settled, cloud(settled).current_project_id
    used = cloud(world).compute.get_limits().absolute.instances_used
    before = operators.compute.get_quota_set(project).instances
    operators.compute.update_quota_set(project, instances=used)
    try:
        world.edit("count: 2", "count: 3")
        open_port(world, 8085)
        assert f"instances: 1 asked, {used} used, limit {used}" in told(world)
        held = world.reconciler("apply", "demo")
        assert (held.code, is_open(world, 8085)) == (4, True), held.all
        assert "demo-worker-3" not in world.servers()
    finally:
        operators.compute.update_quota_set(project, instances=before)


def test_a_machine_that_found_no_host_is_told_by_novas_words_and_made_anew(settled: World, operators: Any) -> None:
    world = settled
    huge = operators.compute.create_flavor(name="huge", vcpus=4096, ram=4096, disk=10)
    try:
        group = "  nodeGroups:\n    - {name: big, count: 1, flavor: huge}\n"
        world.edit("  nodeGroups:\n", group)
        world.commit("a machine that fits nowhere")
        failed = world.reconciler("apply", "demo")
        assert failed.code == 1, failed.all
        assert "Nova says of demo-big-1: No valid host" in " ".join(failed.all.split())
        assert "<nil>" not in failed.all
        seen = told(world)
        assert (seen.startswith("drifted"), "it never ran" in seen) == (True, True), seen
    finally:
        operators.compute.delete_flavor(huge)
