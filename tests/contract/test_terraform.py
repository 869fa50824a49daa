"""The Terraform port with the real binary, providers and OpenStack services: what it makes, mends and refuses."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.adapters.openstack import OpenStackCloud
from reconciler.adapters.terraform import Terraform
from reconciler.errors import Blocked, Permanent, Transient
from reconciler.model.desired import Cluster
from reconciler.model.resource import Known
from reconciler.ports import Task, Workspace
from reconciler.process import Redactor
from reconciler.spec.render.terraform import KINDS, address, variables

pytestmark = pytest.mark.live

MODULE = Path(__file__).parents[2] / "terraform/openstack-cluster"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG0h5sVZ0l5o1VbqXZ2pQqQ8r0n6cT8hN4v5Zqf7yJ8b"


class Spoken:
    """Progress that remembers, and can do something when a resource is begun."""

    def __init__(self) -> None:
        self.logged: list[str] = []
        self.titles: list[str] = []
        self.units = self.done = 0.0
        self.begun = threading.Event()

    def log(self, text: str) -> None:
        self.logged.append(text)

    @contextlib.contextmanager
    def task(self, title: str) -> Iterator[Task]:
        self.titles.append(title)
        yield self

    def total(self, units: float) -> None:
        self.units = units

    def advance(self, units: float = 1) -> None:
        self.done += units

    def status(self, text: str) -> None:
        if text.startswith("creating server"):
            self.begun.set()


class Site:
    """One cluster of its own on the sandbox's cloud, and everything needed to run Terraform on it."""

    def __init__(self, clouds: Path, binary: Path, cli_config: Path | None, folder: Path) -> None:
        self.clouds, self.binary, self.cli_config = clouds, binary, cli_config
        self.name = f"tf{secrets.token_hex(3)}"
        self.directory = folder / "workspace"
        self.cloud_name = next(iter(yaml.safe_load(clouds.read_text())["clouds"]))
        self.cloud = OpenStackCloud(self.cloud_name, clouds_file=clouds, timeout=30)
        sdk = self.cloud.connection
        self.flavor = min(sdk.compute.flavors(), key=lambda f: f.ram).name
        self.image = min(image.name for image in sdk.image.images())
        self.external = min(network.name for network in sdk.network.networks(is_router_external=True))

    def cluster(self, workers: int) -> Cluster:
        spec = {
            "cloud": self.cloud_name,
            "image": self.image,
            "ssh": {"user": "cloud", "publicKey": KEY},
            "network": {
                "cidr": "10.61.0.0/24",
                "ipv6": {"cidr": "2001:db8:61::/64"},
                "externalNetwork": self.external,
            },
            "controlPlane": {"count": 1, "flavor": self.flavor, "floatingIps": True},
            "nodeGroups": [{"name": "worker", "count": workers, "flavor": self.flavor}],
            "access": {"ssh": ["192.0.2.0/24"], "api": ["192.0.2.0/24"]},
            "kubernetes": {"version": "1.36.3"},
        }
        meta = {"name": self.name}
        whole = {"apiVersion": "research.moc/v1alpha1", "kind": "Cluster", "metadata": meta, "spec": spec}
        return Cluster.model_validate_json(json.dumps(whole))

    def live(self) -> dict[str, str]:
        kinds = self.cloud.observe([self.name]).kinds
        listings = {kind: kinds[kind] for kind in KINDS}
        assert all(isinstance(listing, Known) for listing in listings.values())
        return {
            address(kind, r.name): r.id
            for kind, listing in listings.items()
            for r in getattr(listing, "resources", ())
            if r.owner == self.name
        }

    def workspace(self, workers: int = 2, **rest: Any) -> Workspace:
        module = {path.name: path.read_bytes() for path in MODULE.glob("*.tf")}
        environment = {"OS_CLIENT_CONFIG_FILE": str(self.clouds)}
        wanted = variables(self.cluster(workers))
        place = Workspace(self.directory, module, wanted, environment, self.live(), frozenset())
        return dataclasses.replace(place, **rest)

    def apply(self, workspace: Workspace) -> Spoken:
        spoken = Spoken()
        Terraform(self.binary, self.cli_config, 300, Redactor()).apply(workspace, spoken)
        return spoken

    def run(self, *arguments: str) -> int:
        """Run the binary by hand, as somebody who mistrusts the adapter would."""
        env = {**os.environ, "OS_CLIENT_CONFIG_FILE": str(self.clouds), "TF_CLI_CONFIG_FILE": str(self.cli_config)}
        done = subprocess.run([self.binary, *arguments], cwd=self.directory, env=env, capture_output=True, check=False)
        return done.returncode

    @property
    def planned(self) -> int:
        return self.run("plan", "-detailed-exitcode", "-input=false")

    def servers(self) -> dict[str, str]:
        return {s.name: s.id for s in self.cloud.connection.compute.servers() if s.name.startswith(self.name)}

    def server(self, name: str) -> str:
        return address("server", f"{self.name}-{name}")

    def delete_server(self, name: str) -> None:
        compute = self.cloud.connection.compute
        server = compute.get_server(self.servers()[f"{self.name}-{name}"])
        compute.delete_server(server)
        compute.wait_for_delete(server, interval=1, wait=60)


@pytest.fixture(scope="module")
def site(sandbox_cloud: Any, toolbox: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    binary = toolbox.ensure("tofu")["tofu"].path
    made = Site(Path(sandbox_cloud.clouds_yaml), binary, toolbox.cli_config(), tmp_path_factory.mktemp("terraform"))
    made.apply(made.workspace())
    yield made
    assert made.run("destroy", "-auto-approve", "-input=false") == 0
    assert made.live() == {}


def test_a_cluster_is_made_and_a_second_run_finds_nothing_to_do(site: Site) -> None:
    assert sorted(site.servers()) == [f"{site.name}-{n}" for n in ("cp-1", "worker-1", "worker-2")]
    assert site.planned == 0
    again = site.apply(site.workspace())
    assert (again.logged, again.done) == ([], 0)
    assert not any("apply" in title or "init" in title for title in again.titles)


def test_every_resource_has_the_address_the_model_gives_it(site: Site) -> None:
    before = site.live()
    (site.directory / "terraform.tfstate").unlink()
    (site.directory / "terraform.tfstate.backup").unlink(missing_ok=True)
    again = site.apply(site.workspace())
    assert f"importing {len(before)} live resources that the state does not know" in again.logged
    assert not any(line.startswith("deleted") for line in again.logged)
    assert site.live() == before
    assert site.planned == 0


def test_only_the_server_that_is_gone_is_made_again(site: Site) -> None:
    before = site.live()
    site.delete_server("worker-1")
    again = site.apply(site.workspace())
    assert [line.split(" (")[0] for line in again.logged] == [f"created server {site.name}-worker-1"]
    assert again.done == again.units == 1
    changed = {a for a, id in site.live().items() if before[a] != id}
    assert changed == {site.server("worker-1")}
    assert site.planned == 0


def test_nothing_is_destroyed_without_leave(site: Site) -> None:
    before = site.live()
    with pytest.raises(Blocked) as caught:
        site.apply(site.workspace(workers=1))
    assert site.server("worker-2") in caught.value.message
    with pytest.raises(Blocked):
        site.apply(site.workspace(replace=frozenset({site.server("worker-2")})))
    assert site.live() == before
    assert not (site.directory / "plan.bin").exists()


def test_a_server_is_made_anew_on_request_and_keeps_its_port(site: Site) -> None:
    before, target = site.live(), frozenset({site.server("worker-2")})
    site.apply(site.workspace(replace=target, may_destroy=target))
    assert {a for a, id in site.live().items() if before[a] != id} == target
    assert site.planned == 0


def test_what_the_provider_never_reads_is_put_right_on_request(site: Site) -> None:
    port_address = address("port", f"{site.name}-worker-1")
    before, network = site.live(), site.cloud.connection.network
    port = network.get_port(before[port_address])
    groups = sorted(port.security_group_ids)
    assert groups
    network.update_port(port, security_group_ids=[])
    assert site.planned == 0  # why `reread` is needed at all
    site.apply(site.workspace(reread=frozenset({port_address})))
    assert sorted(network.get_port(port.id).security_group_ids) == groups
    assert site.live() == before
    assert site.planned == 0


def test_a_killed_run_makes_nothing_twice(site: Site) -> None:
    site.delete_server("worker-1")
    workspace, spoken = site.workspace(), Spoken()

    def kill_once_the_server_exists() -> None:
        assert spoken.begun.wait(60)
        while f"{site.name}-worker-1" not in site.servers():
            time.sleep(0.1)
        for pid in _running_in(site.directory):
            os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_once_the_server_exists)
    killer.start()
    with pytest.raises(Transient, match="signal 9"):
        Terraform(site.binary, site.cli_config, 300, Redactor()).apply(workspace, spoken)
    killer.join()
    _settled(site)
    made = site.servers()
    again = site.apply(site.workspace())
    assert "importing 1 live resources that the state does not know" in again.logged
    assert site.servers() == made
    listed = Counter(s.name for s in site.cloud.connection.compute.servers())
    assert listed[f"{site.name}-worker-1"] == 1
    assert site.planned == 0


def test_a_name_the_cloud_does_not_know_says_so(site: Site) -> None:
    workspace = site.workspace()
    servers = {name: {**server, "flavor": "no-such"} for name, server in workspace.variables["servers"].items()}  # type: ignore[attr-defined]
    with pytest.raises(Permanent) as caught:
        site.apply(dataclasses.replace(workspace, variables={**workspace.variables, "servers": servers}))
    assert "no-such" in caught.value.message
    assert "flavor" in (caught.value.hint or "")


def test_a_cloud_that_does_not_answer_may_be_tried_again(site: Site, tmp_path: Path) -> None:
    dead = yaml.safe_load(site.clouds.read_text())
    dead["clouds"][site.cloud_name]["auth"]["auth_url"] = "http://127.0.0.1:1/v3"
    elsewhere = tmp_path / "clouds.yaml"
    elsewhere.write_text(yaml.safe_dump(dead))
    with pytest.raises(Transient) as caught:
        site.apply(site.workspace(environment={"OS_CLIENT_CONFIG_FILE": str(elsewhere)}))
    assert "refused" in caught.value.message


def test_removing_a_worker_touches_only_it(site: Site) -> None:
    before, name = site.live(), f"{site.name}-worker-2"
    gone = frozenset({address("server", name), address("port", name)})
    site.apply(site.workspace(workers=1, may_destroy=gone))
    assert site.live() == {a: id for a, id in before.items() if a not in gone}
    assert site.planned == 0


def test_the_folder_is_ours_alone(site: Site) -> None:
    assert site.directory.stat().st_mode & 0o077 == 0
    secret = yaml.safe_load(site.clouds.read_text())["clouds"][site.cloud_name]["auth"]["application_credential_secret"]
    files = [p for p in site.directory.rglob("*") if p.is_file() and "providers" not in p.parts]
    assert files
    assert not [p for p in files if secret.encode() in p.read_bytes()]


def _running_in(directory: Path) -> list[int]:
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and Path(os.readlink(process / "cwd")) == directory:
                found.append(int(process.name))
    return found


def _settled(site: Site) -> None:
    compute = site.cloud.connection.compute
    while any(s.status == "BUILD" for s in compute.servers() if s.name.startswith(site.name)):
        time.sleep(0.2)
