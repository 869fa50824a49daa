"""What version 0.1.0 wrote is still read: its records, leases, approvals, Terraform state and state folder."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from reconciler.adapters.git import GitLeases, GitRepository
from reconciler.adapters.terraform import known
from reconciler.control import durations, record
from reconciler.control.installed import installed_on
from reconciler.model.lease import Lease
from reconciler.model.resource import Component
from reconciler.spec import desired_state, kubeconfig

FIXTURE = Path(__file__).parents[1] / "fixtures" / "0.1.0"
AUTHOR = ("t", "t@example.org")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    remote, clone = folder / "remote.git", folder / "clone"
    for command in (
        ("clone", "--quiet", "--mirror", FIXTURE / "repository.bundle", remote),
        ("clone", "--quiet", "--branch", "main", remote, clone),
    ):
        subprocess.run(["git", *map(str, command)], check=True, capture_output=True)
    return clone


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    with tarfile.open(FIXTURE / "state.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "state"


def doubt(why: str) -> None:
    raise AssertionError(why)


def test_the_observed_branch(clone: Path) -> None:
    repository = GitRepository(clone, author=AUTHOR)
    there = repository.observed("demo")
    applied = record.read_applied(there["demo/applied.yaml"], doubt)
    servers = [r.name for r in applied.resources(Component.INFRASTRUCTURE) if r.kind == "server"]
    assert servers == ["demo-cp-1", "demo-worker-1"]
    assert {r.kind for r in applied.resources(Component.WORKLOADS)} > {"Deployment", "Service"}
    assert record.versions_applied(applied) == ("1.36.3",)
    assert record.read_failed(there["demo/observed.yaml"], doubt) == record.Failed()
    assert record.read_drift(there["demo/drift.yaml"], doubt) is not None
    assert list(record.History(repository, "demo"))
    assert repository.last_recorded("demo")
    assert repository.observed_at("demo") is None


def test_approvals_by_digest(clone: Path) -> None:
    repository = GitRepository(clone, author=AUTHOR)
    files = repository.snapshot(repository.resolve("main"), ("desired", "kubespray", "manifests", "terraform")).files
    (cluster,) = desired_state.load(files)
    approved = {approval.plan for approval in cluster.cluster.spec.guards.approvals}
    digests = {json.loads((FIXTURE / name).read_text())[0]["digest"] for name in ("refused.json", "approved.json")}
    assert approved == digests


def test_leases(clone: Path) -> None:
    found = GitLeases(clone, author=AUTHOR).read("demo")
    assert found
    lease = found[1]
    assert isinstance(lease, Lease)
    assert lease.released
    assert lease.commit


def test_terraforms_state_and_what_was_installed(state: Path) -> None:
    ids = known(state / "demo" / "infrastructure")
    installed = installed_on(state, "demo")
    assert ids
    assert set(installed) == {"demo-cp-1"}
    assert set(installed.values()) <= set(ids.by_address.values())
    assert known(state / "demo" / "applications-moc")
    assert durations.read(state, "demo")


def test_the_kubeconfig_that_was_fetched(state: Path) -> None:
    (file,) = state.rglob("admin.conf")
    rebuilt = kubeconfig.rebuilt(str(file), file.read_bytes())
    assert kubeconfig.read("again", rebuilt.encode()) == kubeconfig.read(str(file), file.read_bytes())
