"""A tenant's folder that git gives and nobody can read: validate says so before, and other clusters' cycles go on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .world import World

pytestmark = pytest.mark.live
LARGE = 11 << 20


@pytest.fixture
def spoilt(world: World) -> Iterator[World]:
    """A second folder beside the demo's, with a link out of the repository and a file of 11 MiB."""
    before = world.head()
    tenant = world.repo / "desired" / "tenant"
    (tenant / "environments").mkdir(parents=True)
    (tenant / "cluster.yaml").symlink_to("/etc/hostname")
    (tenant / "environments" / "large.yaml").write_bytes(b"#" * LARGE)
    world.commit("a tenant's folder")
    yield world
    world.back_to(before)


def test_it_stops_its_own_cluster_and_no_other(spoilt: World) -> None:
    said = spoilt.reconciler("validate")
    assert said.code == 2, said.all
    assert "desired/tenant/cluster.yaml is a symbolic link" in " ".join(said.all.split())
    assert "desired/tenant/environments/large.yaml has more than 10 MiB" in " ".join(said.all.split())

    said = spoilt.reconciler("drift", "demo")
    assert said.code == 0, said.all
    said = spoilt.reconciler("run", "--once")
    assert said.code == 2, said.all
    assert "demo is in sync" in said.out
    assert "desired/tenant/cluster.yaml is a symbolic link" in " ".join(said.err.split())
    said = spoilt.reconciler("plan", "tenant")
    assert said.code == 2, said.all
