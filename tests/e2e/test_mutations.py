"""Agreement with the truth: after each of these changes, our verdict beside OpenTofu's own.

No change that OpenTofu sees is missed, nothing is reported that neither OpenTofu nor the desired state can explain, and
one cycle repairs each.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from reconciler import settings
from reconciler.app import App
from reconciler.model.change import Class, Difference
from reconciler.model.plan import Plan
from reconciler.model.resource import Component
from reconciler.progress import QuietProgress
from reconciler.sandbox.sandbox import Sandbox
from reconciler.spec.render.terraform import address
from reconciler.toolchain import Toolbox
from tests.contract.fleet import wait_until

from .mutations import (
    CIDR6,
    CP,
    MUTATIONS,
    NAME,
    PAIR,
    W1,
    W2,
    Mutation,
    add_rule,
    delete_server,
    port,
    root_volume,
    server,
    subnet,
)
from .world import World

pytestmark = pytest.mark.live


class Cluster:
    """One live cluster, looked at by both."""

    def __init__(self, world: World, toolbox: Toolbox) -> None:
        self.world = world
        self.app = App(settings.load(world.config), world.repo, QuietProgress())
        self.cloud = world.mischief().connection
        self._tofu = str(toolbox.ensure("tofu")["tofu"].path)
        self._cli_config = str(toolbox.cli_config())

    def check(self) -> Plan:
        state = self.app.at("HEAD")
        return self.app.cycle(state, state.clusters[0]).check()[0]

    def repair(self) -> str:
        """One cycle; what is left, in words, empty when all is well."""
        state = self.app.at("HEAD")
        outcome, _ = self.app.cycle(state, state.clusters[0]).reconcile()
        left = [f"{d.key} {d.field}" for d in outcome.after.open]
        refused = [r.message for r in outcome.after.refusals]
        return "" if outcome.status == "in sync" else f"{outcome.status}: {outcome.error} {left} {refused}"

    def tofu(self) -> set[str]:
        """The addresses OpenTofu would change."""
        (folder,) = self.world.state.rglob("infrastructure")
        env = {
            **os.environ,
            "OS_CLIENT_CONFIG_FILE": str(self.world.sandbox.clouds_yaml),
            "TF_CLI_CONFIG_FILE": self._cli_config,
        }
        argv = [self._tofu, "plan", "-detailed-exitcode", "-input=false", "-json"]
        done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode in (0, 2), done.stdout[-2000:]
        said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        changed = {m["change"]["resource"]["addr"] for m in said if m["type"] == "planned_change"}
        assert bool(changed) == (done.returncode == 2)
        return changed


@pytest.fixture(scope="module")
def cluster(sandbox: Sandbox, toolbox: Toolbox, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return applied(World(sandbox, tmp_path_factory.mktemp("mutations"), NAME, cidr="10.29.0.0/24"), toolbox)


def applied(world: World, toolbox: Toolbox) -> Cluster:
    """A cluster with one of everything, in sync."""
    world.edit("flavor: m1.large", "flavor: m1.medium")
    world.edit("dnsServers:", f"allowedAddresses: [{PAIR}]\n    ipv6: {{cidr: '{CIDR6}'}}\n    dnsServers:")
    world.edit("      count: 2\n", "      count: 2\n      bootVolume: {size: 20, type: ssd}\n")
    world.edit("  nodeGroups:\n", "  apiLoadBalancer: {}\n  nodeGroups:\n")
    world.edit("  access:\n", "  access:\n    rules: [{name: web, ports: 8080-8090, from: [198.51.100.0/24]}]\n")
    world.commit("more to get wrong")
    said = world.reconciler("apply", NAME)
    assert said.code == 0, said.all
    made = Cluster(world, toolbox)
    assert (made.check().open, made.tofu()) == ((), set())
    return made


def test_there_are_enough_of_them() -> None:
    assert len({m.name for m in MUTATIONS}) == len(MUTATIONS) >= 40
    kinds = {said.split()[0] for m in MUTATIONS for said in m.ours}
    assert kinds >= {"server", "port", "network", "subnet", "router", "router_interface", "security_group",
                     "security_group_rule", "floating_ip", "keypair", "load_balancer", "listener", "pool", "monitor",
                     "member"}  # fmt: skip


def cases() -> Iterator[Any]:
    """The first of each kind of resource and the first of each class of difference is for every run, the others are for
    `make test-long`: one takes about twenty seconds."""
    tried: set[str] = set()
    for mutation in MUTATIONS:
        what = {word for words in mutation.ours for word in (words.split()[0], words.split()[-1])}
        yield pytest.param(mutation, id=mutation.name, marks=[pytest.mark.long] if what <= tried else [])
        tried |= what


@pytest.mark.parametrize("mutation", list(cases()))
def test_both_see_it_and_one_cycle_repairs_it(cluster: Cluster, mutation: Mutation) -> None:
    assert cluster.repair() == "", "left by the one before"
    mutation.change(cluster.cloud)
    plan, theirs = cluster.check(), cluster.tofu()
    left = cluster.repair()
    found = [d for d in plan.open if d.component is Component.INFRASTRUCTURE]
    assert sorted(said(d) for d in found if not d.cause) == sorted(mutation.ours)
    ours = {place for d in found for place in places(d)}
    assert theirs <= ours, f"OpenTofu sees what we don't: {theirs - ours}"
    assert bool(theirs) != bool(mutation.unseen), f"OpenTofu would change {theirs}"
    assert left == ""  # and OpenTofu, asked after the next change, sees nothing but that


def test_after_all_of_them_opentofu_has_nothing_to_change(cluster: Cluster) -> None:
    assert cluster.repair() == ""
    assert (cluster.check().open, cluster.tofu()) == ((), set())


def said(d: Difference) -> str:
    return " ".join(part for part in (str(d.key), d.field, "is", d.cls.value) if part)


def places(d: Difference) -> set[str]:
    """Where OpenTofu says the same. What hangs on a resource is planned with it: an address is an attribute there."""
    if d.cls is Class.UNMANAGED:
        return set()
    found = {address(d.key.kind, d.key.name)}
    if d.key.kind in ("floating_ip", "router_interface"):
        found.add(f'openstack_networking_floatingip_associate_v2.server["{d.key.name if d.field else CP}"]')
    return found


def test_drift_that_is_adopted_is_drift_no_more(cluster: Cluster) -> None:
    assert cluster.repair() == ""
    cloud = cluster.cloud
    add_rule(cloud, "control-plane", protocol="tcp", port_range_min=6443, port_range_max=6443,
             remote_ip_prefix="203.0.113.0/24")  # fmt: skip
    cloud.network.update_subnet(subnet(cloud), dns_nameservers=["192.0.2.53"])
    cloud.network.update_port(port(cloud), description="mine")
    refused = cluster.world.reconciler("adopt", NAME)
    assert (refused.code, "--all" in refused.err) == (2, True)
    said = cluster.world.reconciler("adopt", NAME, "--all", "--branch", "adopted")
    assert said.code == 0, said.all
    assert f"port {W1} description: nothing in git decides it" in said.out
    text = cluster.world.git("show", f"adopted:desired/{NAME}/cluster.yaml")
    assert "203.0.113.0/24" in text
    assert "# Who may reach what from outside" in text
    state = cluster.app.at("adopted")
    left = {(d.key.kind, d.field) for d in cluster.app.cycle(state, state.clusters[0]).check()[0].open}
    # what was adopted is as desired; that Terraform's state has to learn of the rule is said until it did, and who may
    # reach the API may do so through its load balancer too
    assert left == {("port", "description"), ("security_group_rule", "in_state"), ("listener", "allowed_cidrs")}
    assert cluster.world.reconciler("adopt", NAME, "--all", "--branch", "adopted").code == 2
    assert cluster.repair() == ""


def test_a_server_that_went_and_all_that_fell_with_it_is_one_finding(cluster: Cluster) -> None:
    assert cluster.repair() == ""
    kubectl = cluster.world.kubectl
    # where the scheduler would put it, many repairs later, nobody knows
    kubectl("run", "guest", "--image=example.org/guest", "--overrides", json.dumps({"spec": {"nodeName": W2}}))
    wait_until(lambda: is_ready(cluster, "pod", "guest"), 120, "the pod to run")
    delete_server(cluster.cloud, W2)
    wait_until(lambda: not is_ready(cluster, "pod", "guest"), 180, "Kubernetes to notice")
    (found,) = (d for d in cluster.check().open if not d.cause)
    assert str(found.key) == f"server {W2}"
    assert f"node {W2} is not Ready" in found.effects
    assert any(effect.endswith("not ready") for effect in found.effects), found.effects
    assert cluster.repair() == ""


def test_another_disk_is_held_by_a_guard_until_a_line_in_git_says_yes(cluster: Cluster) -> None:
    assert cluster.repair() == ""
    volumes, old, before = cluster.cloud.block_storage, root_volume(cluster.cloud, W1), server(cluster.cloud, W1).id
    volumes.extend_volume(old, 30)
    wait_until(lambda: root_volume(cluster.cloud, W1).size == 30, 60, "the volume to grow")
    plan = cluster.check()
    (found,) = plan.open
    assert said(found) == f"server {W1} boot_volume.size is drift"
    assert (found.desired, found.live, cluster.tofu()) == (20, 30, set())
    guards = [r.guard for r in plan.refusals]
    # a researcher's volume may lie on that very machine: where it was scheduled, nobody knows
    assert guards in (["rebuild"], ["rebuild", "stateful-volumes"])
    assert cluster.repair().startswith("blocked")
    assert server(cluster.cloud, W1).id == before
    world = cluster.world
    yes = f"{{plan: '{plan.digest}', guards: [{', '.join(guards)}], expires: '2099-01-01'}}"
    world.edit("  kubernetes:\n", f"  guards: {{approvals: [{yes}]}}\n  kubernetes:\n")
    world.commit("its data is on another disk")
    assert cluster.repair() == ""
    assert server(cluster.cloud, W1).id != before
    assert (root_volume(cluster.cloud, W1).size, root_volume(cluster.cloud, W1).volume_type) == (20, "ssd")
    assert volumes.find_volume(old.id) is None  # it went with its server


def test_a_server_is_rebooted_and_says_when(cluster: Cluster) -> None:
    before = server(cluster.cloud, W1)
    cluster.app.toolkit.cloud("sandbox").reboot(before.id)
    after = server(cluster.cloud, W1)
    assert (after.id, after.status) == (before.id, "ACTIVE")
    assert after.metadata.items() > before.metadata.items()
    assert after.metadata["reconciler.rebooted"].startswith("20")
    assert (cluster.check().open, cluster.tofu()) == ((), set())


@pytest.mark.parametrize(("service", "kinds"), [("cinder", {"server"}), ("octavia", {"load_balancer", "listener"})])
def test_what_a_silent_service_keeps_is_unknown_and_nothing_is_done(
    cluster: Cluster, service: str, kinds: set[str]
) -> None:
    assert cluster.repair() == ""
    cluster.world.sandbox.cloud.stop(service)
    try:
        cluster.cloud.network.update_port(port(cluster.cloud), description="mine")
        plan = cluster.check()
        assert {d.key.kind for d in plan.unknown} >= kinds
        assert plan.steps == ()
    finally:
        cluster.world.sandbox.cloud.up()
    assert cluster.repair() == ""


def is_ready(cluster: Cluster, kind: str, name: str) -> bool:
    """Whether Kubernetes takes it for Ready; whatever else it says, or that it is gone, is no."""
    path = "{.status.conditions[?(@.type=='Ready')].status}"
    return cluster.world.kubectl("get", kind, name, "--ignore-not-found", "-o", f"jsonpath={path}") == "True"
