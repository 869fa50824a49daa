"""What doctor says of a cluster: here, to be had, or in the way; each line with what to do."""

from __future__ import annotations

import fcntl
import os
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.adapters.age import Age
from reconciler.adapters.backup_folder import BackupFolder
from reconciler.control import host_keys, locks, standing
from reconciler.control.machine_lock import Neighbours, alone_here
from reconciler.errors import Permanent, Transient
from reconciler.model.backup import Backup
from reconciler.model.check import Check
from reconciler.model.desired.state import State
from reconciler.model.naming import NEVER_RAN
from reconciler.model.resource import Unknown, Value
from tests.unit.control.world import FILES, World
from tests.unit.engine.test_host_keys import block, ed25519
from tests.unit.examples import FILE

FIRST = "demo-cp-1"
REFUSED = Transient("demo-worker-1 can't be asked over SSH: Connection refused", hint="is its port open to us?")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    return path


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(host_keys, "_BOOT_SECONDS", 0.0)
    made = World(tmp_path)
    made.settle()
    made.consoles = {r.id: block(ed25519(n)) for n, r in enumerate(made.resources) if r.kind == "server"}
    (tmp_path / "kubeconfig").unlink(missing_ok=True)
    return made


def lines(world: World, key: Path) -> dict[str, Check]:
    return {check.what: check for check in standing.checks(world.desired, world.cycle().tools, key)}


def test_a_machine_that_lost_everything_gets_it_by_itself(world: World, key: Path) -> None:
    told = lines(world, key)
    assert all(check.well for check in told.values()), told
    assert told["kubeconfig"].said == f"not here; would be read over SSH from {FIRST}"
    assert told[f"host key {FIRST}"].said.endswith("by its console log in Nova")
    assert told["facts"].said.startswith("cached of 0 machines; gathered when")
    assert told["terraform state infrastructure"].said == "not here: would be imported from what is live"
    assert told["lease"].said == "there is no remote: none is needed"
    assert told["records"].ok is None


def test_a_machine_that_does_not_answer_is_bad_and_the_others_are_not(world: World, key: Path) -> None:
    world.machines.silent["demo-worker-1"] = REFUSED
    told = lines(world, key)
    line = told["machine demo-worker-1"]
    assert (line.ok, line.hint) == (False, "is its port open to us?")
    assert told[f"machine {FIRST}"].ok
    assert told["kubeconfig"].ok


def test_a_server_that_never_ran_is_not_said_to_answer(world: World, key: Path) -> None:
    ran: dict[str, Value] = {"status": "ERROR", NEVER_RAN: True}
    world.resources = [
        replace(r, fields={**r.fields, **ran}) if (r.kind, r.name) == ("server", "demo-worker-1") else r
        for r in world.resources
    ]
    assert lines(world, key)["machine demo-worker-1"].said == "never ran, the next apply makes it again"


def test_sudo_that_asks_is_bad(world: World, key: Path) -> None:
    sudo = Permanent("demo-cp-1 could not answer: sudo: a password is required", hint="needs sudo without a password")
    world.machines.silent[FIRST] = sudo
    assert lines(world, key)["machine demo-cp-1"].ok is False


def test_a_control_plane_that_is_silent_is_not_one_without_kubernetes(world: World, key: Path) -> None:
    world.machines.silent[FIRST] = REFUSED
    told = lines(world, key)["kubeconfig"]
    assert (told.ok, REFUSED.message in told.said) == (None, True)
    world.machines.silent.clear()
    world.machines.installed.clear()
    told = lines(world, key)["kubeconfig"]
    assert told.said == "not here, and nothing on the machines: Kubernetes is not installed yet"


def test_what_is_left_of_an_installation_is_not_none(world: World, key: Path) -> None:
    """The line says what a plan would go by."""
    world.machines.says[FIRST] = "traces: etcd=yes kubelet=no kubeconfig=no instance= members=\n"
    told = lines(world, key)["kubeconfig"]
    assert (told.ok, "has a part of a Kubernetes and no admin.conf" in told.said) == (None, True)


def test_the_lock_of_the_machine_is_looked_at_and_not_taken(world: World, key: Path, tmp_path: Path) -> None:
    project = f"project of {tmp_path} {os.getpid()}"
    tools = replace(world.cycle().tools, neighbours=Neighbours(lambda _: project, tmp_path))

    def said() -> str:
        (check,) = [c for c in standing.checks(world.desired, tools, key) if c.what == "lock of this machine"]
        return check.said

    assert said() == "free"
    with alone_here(tools.neighbours, "demo", "moc", None):
        assert said().startswith(f"held by process {os.getpid()} of ")
    assert said() == "free"


@pytest.mark.parametrize("refused", [True, False])
def test_a_kubeconfig_that_is_here_is_tried(world: World, key: Path, refused: bool) -> None:
    (world.root / "kubeconfig").touch()
    assert lines(world, key)["kubernetes"].ok
    world.nodes = Unknown("Kubernetes refuses the credentials", "get new ones", refused=refused)
    told = lines(world, key)["kubernetes"]
    assert (told.ok, told.said, told.hint) == (None, "Kubernetes refuses the credentials", "get new ones")


def test_a_cloud_that_does_not_say_is_unknown(world: World, key: Path) -> None:
    world.kinds["server"] = Unknown("Nova is down", "look at it")
    told = lines(world, key)
    assert told["machines"].ok is None
    assert told["kubeconfig"].ok is None
    assert not any(what.startswith("host key") for what in told)


def test_a_missing_key_and_one_that_others_may_read_are_bad(world: World, key: Path) -> None:
    key.chmod(0o644)
    assert lines(world, key)["ssh key"].hint == f"chmod 600 {key}"
    key.unlink()
    assert lines(world, key)["ssh key"].ok is False


def test_a_first_contact_is_told_and_is_no_failure(world: World, key: Path) -> None:
    world.consoles = {}
    told = lines(world, key)[f"host key {FIRST}"]
    assert (told.ok, told.well) == (None, True)


def test_a_ci_job_without_a_place_for_the_state_or_its_key_may_not_apply(world: World, key: Path) -> None:
    desired = replace(world.desired, state=State(encrypted=True))
    tools = replace(world.cycle().tools, ephemeral=True)
    told = {check.what: check for check in standing.checks(desired, tools, key)}
    assert told["terraform state place"].ok is False
    assert told["terraform state key"].ok is False


def test_snapshots_are_counted_where_git_wants_them_and_a_place_that_is_missing_is_said(
    world: World, key: Path, tmp_path: Path
) -> None:
    assert "backups" not in lines(world, key)
    version = '    version: "1.36.3"\n'
    world.take({**FILES, FILE: FILES[FILE].replace(version, f"{version}    backup: {{to: folder}}\n")})
    assert lines(world, key)["backups"].ok is None
    assert "no snapshot of etcd can be taken from here" in lines(world, key)["backups"].said
    store = BackupFolder(tmp_path, "p")
    tools = replace(world.cycle().tools, backup_store=lambda *_: store, cipher=Age(()))

    def said() -> str:
        (check,) = [c for c in standing.checks(world.desired, tools, key) if c.what == "backups"]
        return check.said

    assert said() == "no snapshot of etcd yet"
    for name in ("20261128T130000Z-6.db.age", "20261101T120000Z-5.db.age"):
        backup = Backup.parse(name)
        assert backup is not None
        store.put("demo", backup, key)
    assert said() == "2 snapshots of etcd, the last 20261128T130000Z-6.db.age"


def test_who_holds_a_lock_is_read_and_not_tried(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    assert locks.holder(file) == 0
    with file.open("w") as held:
        assert locks.holder(file) == 0
        fcntl.flock(held, fcntl.LOCK_EX)
        if Path("/proc/locks").read_text():  # some containers show none
            assert locks.holder(file) == os.getpid()
    assert locks.holder(file, tmp_path / "no such list") == 0
