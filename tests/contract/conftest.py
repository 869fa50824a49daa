"""What the contract tests share: machines of their own, a small cluster, and the sandbox's cloud."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.adapters.kubespray import Given, Kubespray
from reconciler.ports import Playbook
from reconciler.progress import QuietProgress
from reconciler.sandbox.kubespray import PLAYBOOKS
from reconciler.sandbox.openstack import Cloud
from reconciler.sandbox.sandbox import Sandbox

from .fleet import PORT, Fleet
from .objects import kubectl


@pytest.fixture
def fleet(tmp_path: Path, sandbox_bin: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, sandbox_bin)
    fleet.machines.up()
    try:
        yield fleet
    finally:
        fleet.machines.down()
    assert fleet.running() == []


@pytest.fixture(scope="session")
def sandbox_cloud(sandbox: Sandbox) -> Cloud:
    """A real OpenStack, shared: every test uses names of its own."""
    return sandbox.cloud


@pytest.fixture(scope="session")
def kube(tmp_path_factory: pytest.TempPathFactory, sandbox_bin: Path) -> Iterator[Path]:
    """The kubeconfig of a cluster of one machine, made by the sandbox's own playbooks."""
    fleet = Fleet(tmp_path_factory.mktemp("kube"), sandbox_bin)
    fleet.machines.up()
    try:
        fleet.put("kube-1")
        source = Given(PLAYBOOKS, fleet.root / "cache")
        kubespray = Kubespray(source, state=fleet.root / "state", private_key=fleet.key, timeout=300.0, environment={})
        kubespray.run("kube", Playbook("cluster.yml", _one_host(fleet)), QuietProgress())
        yield kubespray.kubeconfig("kube")
    finally:
        fleet.machines.down()


def _one_host(fleet: Fleet) -> dict[str, object]:
    address = fleet.address("kube-1")
    host = {
        "ansible_host": address,
        "ansible_port": PORT,
        "ansible_user": "cloud",
        "ip": address,
        "access_ip": address,
        "etcd_member_name": "etcd-1",
    }
    everything: dict[str, object] = {"hosts": {"kube-1": {}}}
    groups = dict.fromkeys(("kube_control_plane", "etcd", "kube_node"), everything)
    return {"all": {"hosts": {"kube-1": host}, "vars": {"kube_version": "1.36.3"}, "children": groups}}


@pytest.fixture
def api(kube: Path) -> KubernetesApi:
    return KubernetesApi(kube, wait=60)


@pytest.fixture
def part_of() -> str:
    return f"test-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def namespace(kube: Path, part_of: str) -> Iterator[str]:
    """The namespace's name, and the ApplySet's: each test has one of its own, made by the manifests."""
    yield part_of
    kubectl(kube, "delete", "namespace", part_of, "--ignore-not-found", "--wait=false")
