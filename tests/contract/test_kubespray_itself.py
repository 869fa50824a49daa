"""What Kubespray itself makes of our inventories: its entry points, the hosts of its plays, its own validation.

KUBESPRAY_DIR names a checkout of the pinned release; it is copied, never written to. Nothing is installed: plays are
listed, and what is really run only looks at the inventory, on this machine.
"""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler import process
from reconciler.adapters.kubespray import Given, Kubespray
from reconciler.adapters.kubespray.environment import environment
from reconciler.adapters.kubespray.folder import Folder
from reconciler.adapters.kubespray.source import Installed, read_pin
from reconciler.errors import Permanent
from reconciler.model.desired import Cluster
from reconciler.model.resource import Resource
from reconciler.ports import Playbook
from reconciler.progress import QuietProgress
from reconciler.settings import Settings
from reconciler.spec.render.kubernetes import Hosts, inventory
from reconciler.spec.render.machines import machines
from tests.unit.examples import cluster

pytestmark = pytest.mark.live
INSTALLED = ('version: "1.36.3"', 'version: "1.35.4"')  # the newest that the pinned release installs
ENTRY_POINTS = (
    "cluster.yml",
    "scale.yml",
    "remove-node.yml",
    "upgrade-cluster.yml",
    "reset.yml",
    "recover-control-plane.yml",
    "facts.yml",
)
WORKERS_GROUP = """  nodeGroups:
    - name: worker
      count: 2
      flavor: m1.large
      labels: {team: blue}
"""
WITHOUT_WORKERS = (WORKERS_GROUP, "")
MASTER, MASTERS = {"demo-cp-1"}, {"demo-cp-1", "demo-cp-2", "demo-cp-3"}
WORKERS = {"demo-worker-1", "demo-worker-2"}
ETCD = {"demo-etcd-1", "demo-etcd-2", "demo-etcd-3"}
# run behind Kubespray's first plays: what it then knows of the groups, and which Ansible that was
REPORT = """
- import_playbook: boilerplate.yml
- name: Report
  hosts: all
  gather_facts: false
  tasks:
    - copy:
        content: "{{ said | to_json }}"
        dest: "{{ report }}"
        mode: "0600"
      vars:
        said: {groups: "{{ groups }}", python: "{{ ansible_playbook_python }}", ansible: "{{ ansible_version.full }}"}
      delegate_to: localhost
      run_once: true
"""


@dataclass(frozen=True)
class Shape:
    """One cluster as Kubespray sees it, and which hosts have which part in it."""

    inventory: Mapping[str, Any]
    masters: Collection[str]
    workers: Collection[str]
    etcd: Collection[str]
    bastion: Collection[str] = ()

    @property
    def nodes(self) -> set[str]:
        """What Kubespray calls k8s_cluster."""
        return {*self.masters, *self.workers}

    @property
    def everything(self) -> set[str]:
        return {*self.nodes, *self.etcd, *self.bastion}


def live(of: Cluster) -> list[Resource]:
    """Every server of the cluster, with addresses as a cloud gives them."""
    found = []
    for n, machine in enumerate(machines(of), 1):
        fields = {"fixed_ip": f"10.20.0.{n}", "address": f"198.51.100.{n}" if machine.floating_ip else f"10.20.0.{n}"}
        found.append(Resource("server", machine.name, {**fields, "status": "ACTIVE"}, f"id-{n}", "demo"))
    return found


def rendered(*changes: tuple[str, str], **facts: Any) -> Any:
    """The inventory of the example with `changes`, all of its servers live; `facts` are further fields of Hosts."""
    wanted = cluster(INSTALLED, *changes)
    return inventory(wanted, Hosts(live(wanted), **facts))


def small() -> Shape:
    return Shape(rendered(), MASTER, WORKERS, MASTER)


def highly_available() -> Shape:
    return Shape(rendered(("count: 1", "count: 3")), MASTERS, WORKERS, MASTERS)


def balanced() -> Shape:
    found = Resource("load_balancer", "demo", {"vip": "10.20.0.9", "address": "198.51.100.99"}, "lb", "demo")
    changes = ("count: 1", "count: 3"), ("  nodeGroups:\n", "  apiLoadBalancer: {}\n  nodeGroups:\n")
    return Shape(rendered(*changes, balancer=found), MASTERS, WORKERS, MASTERS)


def with_bastion() -> Shape:
    said = rendered(("  nodeGroups:\n", "  bastion: {flavor: m1.small}\n  nodeGroups:\n"))
    return Shape(said, MASTER, WORKERS, MASTER, {"demo-bastion-1"})


def separate_etcd() -> Shape:
    said = rendered(("  nodeGroups:\n", "  etcd: {count: 3, flavor: m1.small}\n  nodeGroups:\n"))
    return Shape(said, MASTER, WORKERS, ETCD)


def one_node() -> Shape:
    return Shape(rendered(WITHOUT_WORKERS), MASTER, MASTER, MASTER)


def without_workers() -> Shape:
    return Shape(rendered(("count: 1", "count: 3"), WITHOUT_WORKERS), MASTERS, MASTERS, MASTERS)


SHAPES: tuple[Callable[[], Shape], ...] = (
    small,
    highly_available,
    balanced,
    with_bastion,
    separate_etcd,
    one_node,
    without_workers,
)
every_shape = pytest.mark.parametrize("shape", [make() for make in SHAPES], ids=[make.__name__ for make in SHAPES])


@pytest.fixture(scope="module")
def kubespray(tmp_path_factory: pytest.TempPathFactory) -> Given:
    """A copy of the checkout: a play of Kubespray writes beside its playbooks."""
    named = os.environ.get("KUBESPRAY_DIR")
    if not named:
        pytest.skip("KUBESPRAY_DIR names no checkout of Kubespray")
    path = tmp_path_factory.mktemp("kubespray") / "checkout"
    shutil.copytree(named, path, ignore=shutil.ignore_patterns(".git"))
    (path / "playbooks/report.yml").write_text(REPORT)  # where facts.yml is
    return Given(path, Settings().cache_folder)


@pytest.fixture(scope="module")
def installed(kubespray: Given) -> Installed:
    return kubespray.ensure(QuietProgress())


@dataclass(frozen=True)
class Ansible:
    """Kubespray's ansible-playbook, with the environment that a run of ours gives it."""

    installed: Installed
    root: Path

    def __call__(self, shape: Mapping[str, Any], names: Collection[str], *arguments: str) -> str:
        """Run playbooks by their names, one after the other, and return what is printed. Raises when it fails."""
        folder = Folder(self.root)
        folder.make()
        folder.take(shape)
        surroundings = environment(self.installed, folder, self.root / "key", self.root, {}, {})
        playbooks = [self.installed.entry_point(name) for name in names]
        argv = ["ansible-playbook", "-i", str(folder.inventory), *arguments, *playbooks]
        program = self.installed.programs / argv[0]
        return process.run([program, *argv[1:]], cwd=self.installed.folder, env=surroundings, timeout=300).stdout

    def hosts(self, shape: Mapping[str, Any], name: str, *arguments: str) -> dict[str, set[str]]:
        """Which hosts each play of a playbook is for, by the play's name."""
        return plays(self(shape, [name], "--list-hosts", *arguments))


def plays(listing: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for part in re.split(r"^  play #\d+ ", listing, flags=re.MULTILINE)[1:]:
        head, *lines = part.splitlines()
        title = re.sub(r"^\(.*?\): ", "", head.split("\tTAGS")[0])
        found.setdefault(title, set()).update(line.strip() for line in lines if line.startswith("      "))
    return found


@pytest.fixture
def ansible(installed: Installed, tmp_path: Path) -> Ansible:
    return Ansible(installed, tmp_path / "state")


def test_the_checkout_is_the_pinned_release() -> None:
    named = os.environ.get("KUBESPRAY_DIR")
    if not named or not (Path(named) / ".git").exists():
        pytest.skip("KUBESPRAY_DIR names no clone of Kubespray")
    head = process.run(["git", "-C", named, "rev-parse", "HEAD"], timeout=60).stdout.strip()
    assert head == read_pin(None).commit


def test_the_pin_knows_what_its_kubespray_installs(installed: Installed) -> None:
    said = yaml.safe_load((Path(__file__).parents[2] / "kubespray/version.yaml").read_text())["kubernetes"]
    checksums = yaml.safe_load(
        (installed.folder / "roles/kubespray_defaults/vars/main/checksums.yml").read_text(encoding="utf-8")
    )
    versions = sorted(checksums["kubelet_checksums"]["amd64"], key=lambda v: [int(part) for part in v.split(".")])
    assert said == {"oldest": versions[0], "newest": versions[-1]}


@every_shape
def test_every_entry_point_is_there_and_parses(shape: Shape, ansible: Ansible) -> None:
    said = ansible(shape.inventory, ENTRY_POINTS, "--syntax-check")
    assert [Path(name).name for name in re.findall(r"^playbook: (.+)$", said, re.MULTILINE)] == list(ENTRY_POINTS)


@every_shape
def test_an_install_is_for_the_hosts_it_is_meant_for(shape: Shape, ansible: Ansible) -> None:
    hosts = ansible.hosts(shape.inventory, "cluster.yml")
    assert hosts["Inventory setup and validation"] == shape.everything
    assert hosts["Install bastion ssh config"] == set(shape.bastion)
    assert hosts["Install etcd"] == {*shape.etcd, *shape.masters}
    assert hosts["Install the control plane"] == hosts["Install Kubernetes apps"] == set(shape.masters)
    assert hosts["Add worker nodes to the etcd play if needed"] == set(shape.workers)
    # before its first play Kubespray knows no k8s_cluster: see the report of what it is afterwards
    assert hosts["Bootstrap hosts for Ansible"] == set(shape.etcd)


@every_shape
def test_growing_touches_nobody_but_the_new_worker(shape: Shape, ansible: Ansible) -> None:
    new = max(shape.workers)
    hosts = ansible.hosts(shape.inventory, "scale.yml", "--limit", new)
    joins = [play for play in hosts if play.startswith("Target only workers")]
    assert len(joins) == 3
    assert all(hosts[play] == {new} for play in joins)
    assert set().union(*hosts.values()) == {new}
    facts = ansible.hosts(shape.inventory, "facts.yml")
    assert facts["Inventory setup and validation"] == shape.everything


def test_a_node_that_is_gone_is_still_found_and_removed_alone(ansible: Ansible) -> None:
    said = rendered(("count: 1", "count: 3"), leaving=("demo-worker-9",))
    hosts = ansible.hosts(said, "remove-node.yml", "-e", "node=demo-worker-2,demo-worker-9")
    leaving = {"demo-worker-2", "demo-worker-9"}
    for play in ("Confirm node removal", "Reset node", "Post node removal"):
        assert hosts[play] == leaving, play


@every_shape
def test_an_upgrade_takes_the_control_plane_first_and_each_node_once(shape: Shape, ansible: Ansible) -> None:
    hosts = ansible.hosts(shape.inventory, "upgrade-cluster.yml")
    names = list(hosts)
    masters = next(n for n in names if n.startswith("Handle upgrades to control plane components first"))
    workers = next(n for n in names if n.startswith("Finally handle worker upgrades"))
    assert names.index(masters) < names.index(workers)
    assert hosts[masters] == set(shape.masters)
    assert hosts[workers] == set(shape.workers) - set(shape.masters)


@every_shape
def test_recovery_and_reset_find_etcd_and_the_control_plane(shape: Shape, ansible: Ansible) -> None:
    hosts = ansible.hosts(shape.inventory, "recover-control-plane.yml", "--limit", "etcd,kube_control_plane")
    assert hosts["Recover etcd"] == {min(shape.etcd)}
    assert hosts["Recover control plane"] == {min(shape.masters)}
    assert hosts["Install etcd"] == {*shape.etcd, *shape.masters}
    assert ansible.hosts(shape.inventory, "reset.yml")["Reset cluster"] == set(shape.etcd)


def test_recovery_starts_from_a_host_that_is_whole(ansible: Ansible) -> None:
    said = rendered(("count: 1", "count: 3"), installed=MASTERS, broken=("demo-cp-1",))
    hosts = ansible.hosts(said, "recover-control-plane.yml", "--limit", "etcd,kube_control_plane")
    assert hosts["Recover etcd"] == hosts["Recover control plane"] == {"demo-cp-2"}
    assert said["all"]["children"]["broken_etcd"] == {"hosts": {"demo-cp-1": {}}}


def test_who_joins_comes_after_who_is_there(ansible: Ansible) -> None:
    said = rendered(("count: 1", "count: 3"), installed=("demo-cp-2", "demo-cp-3"))
    assert ansible.hosts(said, "cluster.yml")["Patch Kubernetes for Windows"] == {"demo-cp-2"}  # kube_control_plane[0]


@pytest.fixture
def look(kubespray: Given, tmp_path: Path) -> Callable[[Mapping[str, Any]], Any]:
    """Runs Kubespray's first plays through the adapter, on this machine, and returns what they report."""
    key = tmp_path / "key"
    key.touch(mode=0o600)
    ours = {"state": tmp_path / "state", "private_key": key, "timeout": 300.0, "environment": {}}

    def run(inventory: Mapping[str, Any]) -> Any:
        said = tmp_path / "report.json"
        here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "report": str(said)}
        playbook = Playbook("report.yml", inventory, variables=here)
        Kubespray(kubespray, **ours).run("demo", playbook, QuietProgress())  # type: ignore[arg-type]
        return json.loads(said.read_text())

    return run


@every_shape
def test_kubespray_accepts_the_inventory(
    shape: Shape, look: Callable[[Mapping[str, Any]], Any], installed: Installed
) -> None:
    said = look(shape.inventory)
    groups = {name: set(hosts) for name, hosts in said["groups"].items()}
    assert groups["k8s_cluster"] == shape.nodes
    assert groups["kube_control_plane"] == set(shape.masters)
    assert groups["kube_node"] == set(shape.workers)
    assert groups["etcd"] == set(shape.etcd)
    assert groups["all"] == shape.everything
    assert Path(said["python"]).parent == installed.programs
    assert said["ansible"].startswith("2.18.")


def _two_etcd_hosts(all_: dict[str, Any]) -> None:
    all_["children"]["etcd"]["hosts"] = {"demo-cp-1": {}, "demo-cp-2": {}}


def _no_control_plane(all_: dict[str, Any]) -> None:
    all_["children"]["kube_control_plane"]["hosts"] = {}


def _unknown_version(all_: dict[str, Any]) -> None:
    all_["vars"]["kube_version"] = "1.35.99"


def _networks_collide(all_: dict[str, Any]) -> None:
    all_["vars"]["kube_service_addresses"] = all_["vars"]["kube_pods_subnet"]


@pytest.mark.parametrize(
    ("damage", "task"),
    [
        (_two_etcd_hosts, "Stop if even number of etcd hosts"),
        (_no_control_plane, "Stop if kube_control_plane group is empty"),
        (_unknown_version, "Check if requested Kubernetes are supported"),
        (_networks_collide, "does not collide with kube_service_addresses"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_kubespray_refuses_a_broken_one(
    damage: Callable[[dict[str, Any]], None], task: str, look: Callable[[Mapping[str, Any]], Any]
) -> None:
    broken = copy.deepcopy(rendered(("count: 1", "count: 3")))
    damage(broken["all"])
    with pytest.raises(Permanent, match=task):
        look(broken)
