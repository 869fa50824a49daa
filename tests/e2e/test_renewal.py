"""Certificates that end soon are renewed on a real control plane, and the kubeconfig with them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
