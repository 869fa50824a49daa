"""Certificates that end soon are renewed on a real control plane, and the kubeconfig with them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.contract.fleet import wait_until
from tests.e2e.world import World

pytestmark = pytest.mark.live
SCRIPT = "usr/local/bin/k8s-certs-renew.sh"
ALWAYS = '  maintenance: {windows: [{start: "00:00", hours: 24}]}\n  kubernetes:\n'


@pytest.fixture
def ending(world: World) -> Iterator[World]:
    """The world, whose certificates end in ten days."""
    before = world.head()
    renewed = world.reconciler("ssh", world.name, "cp-1", "--", "env", "PKI_DAYS=10", SCRIPT)
    assert renewed.code == 0, renewed.all
    yield world
    world.reconciler("ssh", world.name, "cp-1", "--", SCRIPT)
    world.back_to(before)


def test_what_ends_soon_is_reported_and_in_a_window_renewed_where_git_says_so(ending: World) -> None:
    world = ending
    reported = world.reconciler("plan", world.name)
    assert (reported.code, "certificate api-server" in reported.all) == (3, True), reported.all

    world.edit('version: "1.36.3"', 'version: "1.36.3"\n    certificates: {renew: true}')
    world.edit("  kubernetes:\n", ALWAYS)
    world.commit("renew certificates")
    old = world.kubeconfig.read_text()
    applied = world.reconciler("apply", world.name)
    assert applied.code == 0, applied.all
    assert f"the certificates of {world.name}-cp-1 were renewed" in applied.all
    assert world.kubeconfig.read_text() != old
    assert world.kubectl("get", "nodes", "-o", "name")
    assert world.reconciler("plan", world.name).code == 0


def test_pods_of_a_node_that_is_back_are_ready_again(world: World) -> None:
    """While an API server is away, nodes say nothing: the controller manager then marks their pods as not ready. Where
    the sandbox's nodes leave them so, the next rollout of an application never ends."""
    where = ("-n", "sid-web", "-l", "app.kubernetes.io/name=sid-frontend")
    pods = world.kubectl("get", "pods", *where, "-o", "name").split()
    assert len(pods) == 2
    marked = json.dumps({"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
    for pod in pods:
        world.kubectl("-n", "sid-web", "patch", pod, "--subresource=status", "-p", marked)
    ready = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"
    wait_until(lambda: world.kubectl("get", "pods", *where, "-o", ready) == "True True", 30, "two ready pods")
