"""`reconciler import`: a cluster whose repository and state are gone, without its marks too, and one made by hand."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.sandbox import gitops
from reconciler.toolchain import Toolbox

from .world import Said, World

pytestmark = pytest.mark.live


@dataclass
class Anew:
    """A repository on another machine: the same modules, no clusters, no state, no observed branch."""

    world: World
    folder: Path

    def __post_init__(self) -> None:
        self.repo = self.folder / "gitops"
        for name in ("terraform", "manifests"):
            shutil.copytree(self.world.repo / name, self.repo / name)
        gitops.git("init", "--quiet", "--initial-branch=main", self.repo)
        settings = yaml.safe_load(self.world.config.read_text()) | {"state": str(self.folder / "state")}
        (self.folder / "reconciler.yaml").write_text(yaml.safe_dump(settings))

    def reconciler(self, *argv: str) -> Said:
        other = World.__new__(World)
        other.repo, other.config = self.repo, self.folder / "reconciler.yaml"
        return other.reconciler(*argv)

    def commit(self) -> None:
        gitops.git("-C", self.repo, "add", "--all")
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        gitops.git("-C", self.repo, *identity, "commit", "--quiet", "-m", "imported")

    def tofu_plan(self, toolbox: Toolbox) -> tuple[int, str]:
        other = World.__new__(World)
        other.state, other.sandbox = self.folder / "state", self.world.sandbox
        return other.tofu_plan(toolbox, "infrastructure")


@contextmanager
def without_marks(network: Any, name: str) -> Iterator[None]:
    """The cluster's network and subnet say nowhere whose they are, until the block ends."""
    both = [(network.find_network(name), network.update_network), (network.find_subnet(name), network.update_subnet)]
    before = [(found, update, found.description, list(found.tags)) for found, update in both]  # the SDK changes `found`
    try:
        for found, update, *_ in before:
            network.set_tags(found, [])
            update(found, description="")
        yield
    finally:
        for found, update, description, tags in before:
            update(found, description=description)
            network.set_tags(found, tags)


def test_what_our_module_made_is_taken_over_unchanged(world: World, toolbox: Toolbox, tmp_path: Path) -> None:
    anew = Anew(world, tmp_path)
    before = world.openstack("server", "list", "-f", "value")
    said = anew.reconciler("import", "sandbox", world.name)
    assert said.code == 0, said.all
    assert "would change nothing" in said.err
    assert anew.reconciler("validate").code == 0
    anew.commit()
    planned = anew.reconciler("plan", world.name, "-o", "json")
    (report,) = yaml.safe_load(planned.out)
    assert [f for f in report["findings"] if f["component"] == "infrastructure"] == [], planned.out
    assert [s for s in report["steps"] if s["component"] == "infrastructure"] == []
    code, told = anew.tofu_plan(toolbox)
    assert code == 0, told
    assert world.openstack("server", "list", "-f", "value") == before
    again = anew.reconciler("import", "sandbox", world.name)
    assert (again.code, "nothing is overwritten" in again.err) == (2, True)
    shown = anew.reconciler("import", "sandbox", world.name, "--output", "-")
    assert shown.out == (anew.repo / "desired" / world.name / "cluster.yaml").read_text()


def test_what_lost_its_marks_is_known_by_its_state(world: World, tmp_path: Path) -> None:
    anew = Anew(world, tmp_path)
    with without_marks(world.mischief().connection.network, world.name):
        said = anew.reconciler("import", "sandbox", world.name)
        assert said.code == 0, said.all
        anew.commit()
        (report,) = yaml.safe_load(anew.reconciler("plan", world.name, "-o", "json").out)
    assert [f for f in report["findings"] if f["component"] == "infrastructure"] == []
    assert {(f["resource"], f["field"]) for f in report["ignored"]} == {
        (f"{kind} {world.name}", field) for kind in ("network", "subnet") for field in ("tag", "description")
    }


def test_what_was_made_by_hand_is_described_and_left_alone(world: World, tmp_path: Path) -> None:
    anew, connection = Anew(world, tmp_path), world.mischief().connection
    network, compute = connection.network, connection.compute
    lab = network.create_network(name="lab")
    subnet = network.create_subnet(name="lab-sub", network_id=lab.id, ip_version=4, cidr="10.77.0.0/24")
    image, flavor = connection.image.find_image("ubuntu-24.04"), compute.find_flavor("m1.small")
    made = [
        compute.create_server(name=n, image_id=image.id, flavor_id=flavor.id, networks=[{"uuid": lab.id}])
        for n in ("kube-master", "web-1")
    ]
    try:
        for server in made:
            compute.wait_for_server(server, wait=120)
        unclear = anew.reconciler("import", "sandbox", "lab")
        assert unclear.code == 2
        assert "2 on the network lab: --network lab" in unclear.err
        said = anew.reconciler("import", "sandbox", "lab", "--network", "lab")
        assert said.code == 0, said.all
        assert "begins suspended" in said.err
        assert anew.reconciler("validate").code == 0
        anew.commit()
        planned = anew.reconciler("plan", "lab")
        assert (planned.code, planned.out.startswith("lab: suspended\n")) == (0, True), planned.all
    finally:
        for server in made:
            compute.delete_server(server)
        for server in made:
            with suppress(Exception):  # gone already is what we want
                compute.wait_for_delete(server, wait=60)
        network.delete_subnet(subnet)
        network.delete_network(lab)
