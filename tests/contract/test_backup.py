"""A snapshot is taken off the machines, the cluster's etcd is lost, and restored: its objects are back."""

from __future__ import annotations

import datetime
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyrage
import pytest

from reconciler.adapters.age import Age
from reconciler.adapters.backup_folder import BackupFolder
from reconciler.adapters.kubespray import Given, Kubespray
from reconciler.control import etcd_scripts
from reconciler.control.backups import Backups
from reconciler.control.restore import Restore
from reconciler.control.toolkit import Toolkit
from reconciler.errors import Permanent, Transient
from reconciler.model.resource import Resource
from reconciler.ports import Playbook
from reconciler.progress import QuietProgress
from reconciler.sandbox.kubespray import PLAYBOOKS
from reconciler.spec.load import DesiredCluster
from reconciler.spec.render.kubernetes import Hosts, inventory
from tests.unit.control.world import FILES, World
from tests.unit.examples import FILE

from .fleet import PORT, Fleet
from .objects import kubectl

pytestmark = pytest.mark.live
MASTER = "demo-cp-1"
MEMBERS = ("demo-etcd-1", "demo-etcd-2", "demo-etcd-3")
MARK = "found-only-inside-a-clear-snapshot"


@dataclass
class Place:
    """A cluster with three members of etcd, and a folder for its snapshots."""

    fleet: Fleet
    desired: DesiredCluster
    tools: Toolkit
    servers: Sequence[Resource]
    kubeconfig: Path
    folder: Path

    def backups(self) -> Backups:
        return Backups(self.desired, self.tools, lambda: datetime.datetime.now(datetime.UTC))

    def objects(self) -> set[str]:
        names = kubectl(self.kubeconfig, "get", "configmaps", "-o", "jsonpath={.items[*].metadata.name}")
        return set(names.split()) - {"kube-root-ca.crt"}


class Killed(Kubespray):
    """Goes away when the `fatal` script is to run, as a killed process would."""

    fatal = ""

    def ask(
        self, cluster: str, inventory: Mapping[str, object], machine: str, script: str, *, seconds: float = 20
    ) -> str:
        if script == self.fatal and machine == MEMBERS[1]:
            self.fatal = ""
            raise Transient("killed")
        return super().ask(cluster, inventory, machine, script, seconds=seconds)


@pytest.fixture
def place(fleet: Fleet, tmp_path: Path) -> Place:
    text = FILES[FILE].replace("user: cloud", f"user: cloud\n    port: {PORT}")
    text += "  etcd: {count: 3, flavor: m1.medium}\n"
    text = text.replace('version: "1.36.3"', 'version: "1.36.3"\n    backup: {to: folder, keep: 2}', 1)
    (tmp_path / "world").mkdir()
    world = World(tmp_path / "world", {**FILES, FILE: text})
    fleet.addresses = {name: f"{fleet.network}.{number}" for number, name in enumerate((MASTER, *MEMBERS), 1)}
    for name in fleet.addresses:
        fleet.put(name)
    servers = [Resource("server", n, {"address": a, "fixed_ip": a}, f"id-{n}") for n, a in fleet.addresses.items()]
    given = Given(PLAYBOOKS, tmp_path / "cache")
    kubespray = Killed(given, state=tmp_path / "state", private_key=fleet.key, timeout=300.0, environment={})
    kubespray.run("demo", Playbook("cluster.yml", inventory(world.desired.cluster, Hosts(servers))), QuietProgress())
    key = pyrage.x25519.Identity.generate()
    identity = tmp_path / "age.txt"
    identity.touch(mode=0o600)
    identity.write_text(f"# a comment\n{key}\n")
    folder = tmp_path / "backups"
    folder.mkdir()
    tools = replace(
        world.cycle().tools,
        machines=kubespray,
        backup_store=lambda *_: BackupFolder(folder, "p"),
        cipher=Age([str(key.to_public())], identity),
    )
    return Place(fleet, world.desired, tools, servers, kubespray.kubeconfig("demo"), folder)


def test_what_was_lost_with_etcd_is_back(place: Place) -> None:
    kubectl(place.kubeconfig, "create", "configmap", "before", f"--from-literal=mark={MARK}")
    backup = place.backups().take(place.servers)
    (kept,) = (place.folder / "p" / "demo").iterdir()
    assert kept.name == backup.name
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert kept.read_bytes().startswith(b"age-encryption.org/v1")
    assert MARK.encode() not in kept.read_bytes()
    assert left_behind(place) == []

    kubectl(place.kubeconfig, "create", "configmap", "after")
    kubectl(place.kubeconfig, "delete", "configmap", "before")
    restore = Restore(place.desired, place.tools, place.servers)
    later = replace(backup, taken=backup.taken - datetime.timedelta(seconds=1))  # an API server's seconds are whole
    assert "ConfigMap default after" in restore.lost(later).objects

    content = kept.read_bytes()
    kept.write_bytes(content + b"x")
    with pytest.raises(Permanent, match="is not the file that was kept"):
        restore.run(backup)
    kept.write_bytes(content)

    for name in MEMBERS:
        place.fleet.ssh(name, "kill -9 $(cat run/etcd.pid); rm -rf var/lib/etcd")
    assert restore.lost(backup).unseen
    assert isinstance(place.tools.machines, Killed)
    place.tools.machines.fatal = etcd_scripts.swap()
    with pytest.raises(Transient, match="stopped half-way: killed"):
        restore.run(backup)
    restore.run(backup)
    assert place.objects() == {"before"}
    kubectl(place.kubeconfig, "create", "configmap", "again")
    assert left_behind(place) == []

    # the next one is taken from what was restored, and `keep` holds
    newer = [place.backups().take(place.servers) for _ in range(2)]
    assert all(each.revision > backup.revision for each in newer)
    assert len(place.backups().kept().backups) <= 2


def left_behind(place: Place) -> list[Path]:
    """Snapshots in the clear, on a machine or here."""
    homes = place.fleet.root / "machines.d"
    ours = place.tools.state
    return [p for root in (homes, ours) for p in root.rglob("*") if p.name in ("etcd.db", "backup.part")]
