"""The Kubespray port with a real Ansible that logs in to real SSH hosts: what it does, and what a crash leaves."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

import reconciler.sandbox.kubespray
from reconciler.adapters.kubespray import Given, Kubespray
from reconciler.errors import Invalid, Permanent, Transient
from reconciler.ports import Playbook
from reconciler.sandbox.machines import Machines
from tests.unit.spec.test_kubeconfig import kubeadms, text

pytestmark = pytest.mark.live
STATE = "100% state"  # odd on purpose: paths go through several programs' command lines
STAND_IN = Path(reconciler.sandbox.kubespray.__file__).parent

PLAYBOOKS = {
    "ok.yml": """
- name: Look around
  hosts: all
  gather_facts: false
  tasks:
    - name: Who is it
      command: "echo {{ inventory_hostname }} {{ secret | default('') }}"
    - name: Fetch the kubeconfig
      copy: {content: "{{ admin_conf | default('') }}", dest: "{{ artifacts_dir }}/admin.conf", mode: "0644"}
      delegate_to: localhost
      run_once: true
      when: kubeconfig_localhost and kubeconfig_localhost_ansible_host and admin_conf is defined
""",
    "fail.yml": """
- name: Go wrong
  hosts: all
  gather_facts: false
  tasks:
    - {name: Shrug, command: "false", ignore_errors: true}
    - block: [{name: Stumble, command: "false"}]
      rescue: [{name: Recover, command: "true"}]
    - name: Fill the disk
      shell: "echo 'tar: No space left on device' >&2; exit 3"
      when: inventory_hostname == 'demo-cp-1'
    - {name: Hide, shell: "echo hunter2; exit 1", no_log: true}
""",
    "slow.yml": """
- name: Take long
  hosts: all
  gather_facts: false
  tasks: [{name: Sleep, command: "sleep 300"}]
""",
    "env.yml": """
- hosts: demo-cp-1
  gather_facts: false
  tasks:
    - {name: Ours, delegate_to: localhost, copy: {content: "{{ lookup('pipe', 'env') }}", dest: "{{ target }}"}}
""",
    "broken.yml": "- hosts: all\n  tasks:\n    - nonsense: {}\n",
}


@dataclass
class Shown:
    """A Progress, and a Task, that remember what they were told."""

    lines: list[str] = field(default_factory=list)
    totals: list[float] = field(default_factory=list)
    advanced: float = 0

    def log(self, text: str) -> None:
        self.lines.append(text)

    @contextmanager
    def task(self, title: str) -> Iterator[Shown]:
        self.lines.append(title)
        yield self

    def total(self, units: float) -> None:
        self.totals.append(units)

    def advance(self, units: float = 1) -> None:
        self.advanced += units

    def status(self, text: str) -> None:
        self.lines.append(text)


@dataclass
class Hosts:
    """Two machines, each at an address of its own, and the key they take."""

    root: Path
    key: Path
    ports: Mapping[str, int]

    def inventory(self, **elsewhere: str) -> dict[str, object]:
        hosts = {
            name: {
                "ansible_host": elsewhere.get(name.replace("-", "_"), f"127.10.77.{n}"),
                "ansible_port": port,
                "ansible_user": "ubuntu",
                "ansible_python_interpreter": sys.executable,
            }
            for n, (name, port) in enumerate(self.ports.items(), 1)
        }
        masters, nodes = ({"hosts": {name: dict[str, str]()}} for name in hosts)
        groups = {"kube_control_plane": masters, "etcd": masters, "kube_node": nodes}
        return {"all": {"hosts": hosts, "children": groups}}


def _free_port(address: str) -> int:
    with socket.socket() as s:
        s.bind((address, 0))
        return int(s.getsockname()[1])


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    root = tmp_path_factory.mktemp("machines")
    key = root / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (root / "bin").mkdir()
    (root / "machines").mkdir()
    ports = {name: _free_port(f"127.10.77.{n}") for n, name in enumerate(("demo-cp-1", "demo-worker-1"), 1)}
    for n, (name, port) in enumerate(ports.items(), 1):
        machine = {
            "id": f"id-{n}", "name": name, "address": f"127.10.77.{n}", "port": port, "user": "ubuntu",
            "authorized_keys": [key.with_suffix(".pub").read_text().strip()], "power": "on",
        }  # fmt: skip
        (root / "machines" / f"id-{n}.json").write_text(json.dumps(machine))
    machines = Machines(root, bin=root / "bin", progress=Shown())
    machines.up()
    try:
        until(lambda: all(m.answers for m in machines.status()))
        yield Hosts(root, key, ports)
    finally:
        machines.down()


@pytest.fixture
def playbooks(tmp_path: Path) -> Path:
    folder = tmp_path / "kube spray"
    folder.mkdir()
    for name, content in PLAYBOOKS.items():
        (folder / name).write_text(content)
    return folder


@pytest.fixture
def make(hosts: Hosts, playbooks: Path, tmp_path: Path) -> Callable[..., Kubespray]:
    def make(path: Path = playbooks, **options: object) -> Kubespray:
        given = {"state": tmp_path / STATE, "private_key": hosts.key, "timeout": 120.0, "environment": {}, **options}
        return Kubespray(Given(path, tmp_path / "cache"), **given)  # type: ignore[arg-type]

    return make


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def processes_with(text: str) -> list[int]:
    """The processes that have `text` in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and text.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_a_run_shows_progress_and_fetches_the_kubeconfig(
    make: Callable[..., Kubespray], hosts: Hosts, tmp_path: Path
) -> None:
    kubespray, first, second = make(), Shown(), Shown()
    variables = {"secret": "hunter2", "admin_conf": text(kubeadms()).decode()}
    kubespray.run("demo", Playbook("ok.yml", hosts.inventory(), variables=variables), first)
    assert first.lines[0] == "ok.yml"
    assert "Look around: Who is it" in first.lines
    assert "ok.yml: 2 hosts, 3 ok, 3 changed in" in first.lines[-1]
    assert first.totals == []
    assert first.advanced == 3
    inventory = tmp_path / STATE / "demo/kubespray/inventory/hosts.yaml"
    written = inventory.stat().st_mtime_ns
    kubespray.run("demo", Playbook("ok.yml", hosts.inventory(), limit=("demo-cp-1",)), second)
    assert second.totals == [3]
    assert second.advanced == 2
    assert inventory.stat().st_mtime_ns == written
    kubeconfig = kubespray.kubeconfig("demo")
    assert yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"] == "https://127.10.77.1:6443"
    assert [path.name for path in kubeconfig.parent.parent.rglob("admin.conf*")] == ["admin.conf"]
    assert stat.S_IMODE(kubeconfig.stat().st_mode) == 0o600


def test_nothing_of_a_run_is_left_but_the_log_and_nobody_else_may_read_it(
    make: Callable[..., Kubespray], hosts: Hosts, tmp_path: Path
) -> None:
    kubespray = make(environment={"OS_PASSWORD": "hunter2"})
    folder = tmp_path / STATE / "demo/kubespray"
    for n in range(7):
        (folder / f"artifacts/earlier-{n}").mkdir(parents=True)
    kubespray.run("demo", Playbook("ok.yml", hosts.inventory(), variables={"unused": "hunter2"}), Shown())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(list((folder / "artifacts").iterdir())) == 5
    assert not [f for f in folder.rglob("*") if f.is_file() and b"hunter2" in f.read_bytes()]
    assert processes_with(str(folder)) == []


def test_facts_are_kept_for_limited_runs(make: Callable[..., Kubespray], hosts: Hosts, tmp_path: Path) -> None:
    make(STAND_IN).run("demo", Playbook("facts.yml", hosts.inventory()), Shown())
    facts = tmp_path / STATE / "demo/kubespray/facts"
    assert {f.name for f in facts.iterdir()} == {"demo-cp-1", "demo-worker-1"}
    assert "ansible_system" in (facts / "demo-cp-1").read_text()
    make().forget("demo", ["127.10.77.2"])
    assert {f.name for f in facts.iterdir()} == {"demo-cp-1"}


def test_the_environment_is_ours(
    make: Callable[..., Kubespray], hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_PASSWORD", "hunter2")
    monkeypatch.setenv("ANSIBLE_REMOTE_USER", "somebody")
    variables = {"target": str(tmp_path / "env")}
    make(environment={"OS_CLOUD": "demo"}).run(
        "demo", Playbook("env.yml", hosts.inventory(), variables=variables), Shown()
    )
    seen = (tmp_path / "env").read_text()
    assert "OS_CLOUD=demo" in seen
    assert "hunter2" not in seen
    assert "ANSIBLE_REMOTE_USER" not in seen


def test_a_failed_task_is_named_with_its_host_and_a_hint(make: Callable[..., Kubespray], hosts: Hosts) -> None:
    with pytest.raises(Permanent) as caught:
        make().run("demo", Playbook("fail.yml", hosts.inventory()), Shown())
    error = caught.value
    assert "demo-cp-1, Fill the disk: tar: No space left on device" in error.message
    assert "demo-worker-1, Hide: its output is hidden (no_log)" in error.message
    assert "Shrug" not in error.message
    assert "Stumble" not in error.message
    assert "make room" in str(error.hint)
    assert error.evidence
    assert "hunter2" not in str(error.evidence)
    log = Path(error.evidence.command.split("whole log: ")[1].rstrip(")"))
    assert "Fill the disk" in log.read_text()


def test_an_unreachable_host_is_transient(make: Callable[..., Kubespray], hosts: Hosts) -> None:
    with pytest.raises(Transient) as caught:
        make().run("demo", Playbook("ok.yml", hosts.inventory(demo_worker_1="127.10.77.9")), Shown())
    assert "demo-worker-1" in caught.value.message
    assert "demo-cp-1" not in caught.value.message
    assert "security group" in str(caught.value.hint)


def test_a_limited_run_that_lost_a_host_goes_on_with_the_others(make: Callable[..., Kubespray], hosts: Hosts) -> None:
    shown = Shown()
    playbook = Playbook("ok.yml", hosts.inventory(demo_worker_1="127.10.77.9"), limit=("demo-cp-1", "demo-worker-1"))
    with pytest.raises(Transient) as caught:
        make().run("demo", playbook, shown)
    assert "demo-worker-1" in caught.value.message
    assert any("going on with demo-cp-1" in line for line in shown.lines), shown.lines


def test_a_machine_with_another_key_is_refused_until_it_is_forgotten(
    make: Callable[..., Kubespray], hosts: Hosts, tmp_path: Path
) -> None:
    kubespray, playbook = make(), Playbook("ok.yml", hosts.inventory())
    kubespray.run("demo", playbook, Shown())
    known = tmp_path / STATE / "demo/kubespray/known_hosts"
    lines = known.read_text().splitlines()
    assert len(lines) == 2
    other = hosts.root / "other"
    if not other.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    key = other.with_suffix(".pub").read_text().split()[:2]
    known.write_text("".join(" ".join([line.split()[0], *key]) + "\n" for line in lines if "77.1]" in line))
    with pytest.raises(Permanent) as caught:
        kubespray.run("demo", playbook, Shown())
    assert "demo-cp-1" in caught.value.message
    assert "another machine" in str(caught.value.hint)
    kubespray.forget("demo", ["127.10.77.1"])
    kubespray.run("demo", playbook, Shown())


def test_what_ansible_cannot_start_is_explained(make: Callable[..., Kubespray], hosts: Hosts, tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="nonsense"):
        make().run("demo", Playbook("broken.yml", hosts.inventory()), Shown())
    with pytest.raises(Invalid, match=r"no absent\.yml"):
        make().run("demo", Playbook("absent.yml", hosts.inventory()), Shown())
    with pytest.raises(Invalid, match="no private key"):
        make(private_key=tmp_path / "none").run("demo", Playbook("ok.yml", hosts.inventory()), Shown())
    (tmp_path / "open").write_text("key")
    (tmp_path / "open").chmod(0o644)
    with pytest.raises(Invalid, match="others may read"):
        make(private_key=tmp_path / "open").run("demo", Playbook("ok.yml", hosts.inventory()), Shown())


def test_cancel_and_timeout_end_the_playbook(make: Callable[..., Kubespray], hosts: Hosts, tmp_path: Path) -> None:
    shown = Shown()
    with pytest.raises(Transient, match="interrupted"):
        make(cancel=lambda: "Take long: Sleep" in shown.lines).run(
            "demo", Playbook("slow.yml", hosts.inventory()), shown
        )
    assert processes_with(str(tmp_path / STATE)) == []
    with pytest.raises(Transient, match="did not finish within 3 s"):
        make(timeout=3.0).run("demo", Playbook("slow.yml", hosts.inventory()), Shown())
    assert processes_with(str(tmp_path / STATE)) == []


def test_killed_in_mid_playbook_nothing_is_left_and_the_next_run_works(
    make: Callable[..., Kubespray], hosts: Hosts, playbooks: Path, tmp_path: Path
) -> None:
    script = f"""
from pathlib import Path
from contextlib import contextmanager
from reconciler.adapters.kubespray import Given, Kubespray
from reconciler.ports import Playbook
class Shown:
    def log(self, text): print(text, flush=True)
    total = advance = lambda self, units=1: None
    status = log
    @contextmanager
    def task(self, title): yield self
source = Given(Path({str(playbooks)!r}), Path({str(tmp_path / "cache")!r}))
one = Kubespray(source, state=Path({str(tmp_path / STATE)!r}), private_key=Path({str(hosts.key)!r}),
                timeout=100, environment={{}})
one.run("demo", Playbook("slow.yml", {hosts.inventory()!r}), Shown())
"""
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    until(lambda: child.stdout is not None and "Sleep" in child.stdout.readline())
    with pytest.raises(Transient, match="another reconciler"):
        make().run("demo", Playbook("ok.yml", hosts.inventory()), Shown())
    inventory = str(tmp_path / STATE / "demo/kubespray/inventory/hosts.yaml")
    until(lambda: len(processes_with(inventory)) > 1)  # the playbook and its workers
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    until(lambda: processes_with(inventory) == [], seconds=5)
    make().run("demo", Playbook("ok.yml", hosts.inventory()), Shown())
