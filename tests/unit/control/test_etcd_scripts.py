"""What runs on the machines, with programs that fail in the ways real ones do."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reconciler.control import etcd_scripts

ENVIRONMENT = """# Environment file for etcd
ETCD_DATA_DIR={data}
ETCD_NAME=etcd1
ETCD_INITIAL_ADVERTISE_PEER_URLS=https://10.20.0.5:2380
ETCDCTL_ENDPOINTS=https://127.0.0.1:2379"""
SAVES = """case "$*" in
"endpoint "*) exit ${ANSWERS:-0} ;;
"snapshot save "*) echo saved >>"$LOG"; cp "$DB" "$3" ;;
esac"""


@dataclass
class Machine:
    """A machine's root folder below `root`, and its programs."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in ("bin", "etc/kubernetes/manifests", "data/member/snap", "tmp", "home"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "etc/etcd.env").write_text(ENVIRONMENT.format(data=self.root / "data"))
        self.db.write_bytes(b"database" * 512)
        self.program("etcdctl", SAVES)
        self.program("etcdutl", "echo '{\"revision\": 7}'")
        for name in ("systemctl", "crictl", "kubectl"):
            self.program(name, "exit 0")

    @property
    def db(self) -> Path:
        return self.root / "data/member/snap/db"

    @property
    def log(self) -> str:
        log = self.root / "log"
        return log.read_text() if log.exists() else ""

    def program(self, name: str, text: str) -> None:
        file = self.root / "bin" / name
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)

    def run(self, script: str) -> subprocess.CompletedProcess[bytes]:
        there = {
            "PATH": f"{self.root}/bin:{os.environ['PATH']}", "HOME": f"{self.root}/home", "TMPDIR": f"{self.root}/tmp",
            "LOG": f"{self.root}/log", "DB": str(self.db),
        }  # fmt: skip
        own = script.replace("/etc/", f"{self.root}/etc/").encode()
        environment = there | self.variables
        return subprocess.run(["sh", "-s"], input=own, env=environment, capture_output=True, timeout=60, check=False)

    def says(self, script: str) -> str:
        done = self.run(script)
        assert done.returncode, done.stdout
        return done.stderr.decode().splitlines()[-1]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine")


def test_a_snapshot_is_sent_and_nothing_of_it_stays(machine: Machine) -> None:
    done = machine.run(etcd_scripts.save(healthy=True))
    assert done.returncode == 0, done.stderr
    head, _, snapshot = done.stdout.partition(b"\n")
    assert head.startswith(b"reconciler-snapshot 4096 ")
    assert head.endswith(b' {"revision": 7}')
    assert snapshot == machine.db.read_bytes()
    assert list((machine.root / "tmp").iterdir()) == []


@pytest.mark.parametrize("healthy", [True, False])
def test_an_etcd_that_does_not_answer_is_not_waited_for(machine: Machine, healthy: bool) -> None:
    machine.variables["ANSWERS"] = "1"
    assert machine.run(etcd_scripts.save(healthy=healthy)).returncode
    assert machine.log == ""


def test_a_snapshot_leaves_etcd_its_room(machine: Machine) -> None:
    machine.program("df", "echo head; echo '/dev/vda1 100 96 7 93% /'")
    assert machine.says(etcd_scripts.save(healthy=True)).endswith(
        "no room for a snapshot beside what etcd itself needs"
    )
    assert machine.log == ""


def test_a_member_without_a_service_or_with_a_program_too_few_is_found_first(machine: Machine) -> None:
    assert machine.run(etcd_scripts.member()).stdout.startswith(b"etcd1 https://10.20.0.5:2380 etcd-cluster ")
    machine.program("systemctl", "exit 1")
    assert machine.says(etcd_scripts.member()) == "etcd is no service of systemd here"
    (machine.root / "etc/etcd.env").unlink()
    for script in (etcd_scripts.member(), etcd_scripts.save(healthy=False)):
        assert machine.says(script).endswith("etcd is not installed here as a service")


@pytest.mark.parametrize(
    ("program", "words"),
    [("systemctl", "its kubelet does not run"), ("crictl", "its container runtime does not answer crictl")],
)
def test_a_control_plane_that_could_not_be_stopped_is_found_first(machine: Machine, program: str, words: str) -> None:
    assert machine.run(etcd_scripts.control_plane()).returncode == 0
    machine.program(program, "exit 1")
    assert machine.says(etcd_scripts.control_plane()).startswith(words)


def test_what_the_runtime_does_not_say_is_not_taken_for_stopped(machine: Machine) -> None:
    manifest = machine.root / "etc/kubernetes/manifests/kube-apiserver.yaml"
    manifest.write_text("apiVersion: v1\n")
    assert machine.run(etcd_scripts.stop_control_plane()).returncode == 0
    assert not manifest.exists()
    machine.program("crictl", "exit 1")
    machine.program("sleep", "exit 0")
    machine.program("date", 'echo x >>"$LOG"; echo $(($(wc -l <"$LOG") * 100))')
    assert machine.says(etcd_scripts.stop_control_plane()) == "kube-apiserver does not stop"


def test_a_swap_that_was_killed_keeps_what_was_there_before(machine: Machine) -> None:
    data = machine.root / "data"
    for half in ("first", "second"):
        (data / "restoring/member").mkdir(parents=True)
        (data / "restoring/member/from").write_text(half)
        assert machine.run(etcd_scripts.swap()).returncode == 0
        assert (data / "member/from").read_text() == half
        assert (data / "before-restore/snap/db").exists()
    assert machine.run(etcd_scripts.finish()).returncode == 0
    assert sorted(entry.name for entry in data.iterdir()) == ["before-restore", "member"]
