"""The parts of the Kubespray adapter that need no Ansible: what events, results and files mean."""

from __future__ import annotations

import fcntl
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.adapters.kubespray import failure, fetched, hangup
from reconciler.adapters.kubespray.bastion import through_bastion
from reconciler.adapters.kubespray.environment import environment, ssh_arguments
from reconciler.adapters.kubespray.events import Events, Failure, message
from reconciler.adapters.kubespray.folder import Folder
from reconciler.adapters.kubespray.offered import offered
from reconciler.adapters.kubespray.source import Installed
from reconciler.adapters.kubespray.turn import end_leftover, turn
from reconciler.adapters.kubespray.unsafe import inventory_text, loaded, variables_text
from reconciler.errors import Permanent, ReconcilerError, Transient
from tests.unit.spec.test_kubeconfig import kubeadms, text


class Silent:
    def total(self, units: float) -> None: ...

    def advance(self, units: float = 1) -> None:
        raise RuntimeError("a bar that can't be drawn")

    def status(self, text: str) -> None: ...


@pytest.mark.parametrize(
    ("result", "line"),
    [
        ({"msg": "No such\n  package"}, "No such package"),
        ({"msg": "non-zero return code", "stderr": "a\nb", "stdout": "c"}, "b"),
        ({"msg": "MODULE FAILURE\nSee stdout", "module_stderr": "Traceback\nValueError: x"}, "ValueError: x"),
        ({"msg": "non-zero return code", "stdout": "c\n"}, "c"),
        ({"msg": "non-zero return code"}, "non-zero return code"),
        ({"msg": "One or more items failed", "results": [{"msg": "fine"}, {"failed": True, "msg": "this"}]}, "this"),
        ({"censored": "the output has been hidden", "changed": True}, "its output is hidden (no_log)"),
        ({}, "failed without a message"),
        ({"results": 5, "msg": ["a", {"b": 1}]}, "['a', {'b': 1}]"),
        ({"results": [{"failed": True, "results": [{"failed": True, "msg": "deep"}]}, 7, None]}, "deep"),
        ({"results": {"failed": True}, "stderr": 5}, "5"),
        ({"msg": "\x1b]0;title\x07red\u202egnp.exe"}, "]0;title red gnp.exe"),
        ({"stdout": "\r\n\x1b"}, "failed without a message"),
    ],
)
def test_the_line_that_says_what_went_wrong(result: Mapping[str, Any], line: str) -> None:
    assert message(result) == line


def result(kind: str, host: str, task: str = "t", **data: object) -> dict[str, object]:
    return {"event": f"runner_on_{kind}", "event_data": {"host": host, "task": task, "res": {"msg": task}, **data}}


def test_results_of_any_depth_and_length_are_one_line() -> None:
    nested: dict[str, Any] = {"failed": True, "msg": "x" * 1_000_000}
    for _ in range(900):
        nested = {"failed": True, "results": [nested]}
    assert message(nested) == "failed without a message"
    assert len(message({"msg": "x" * 1_000_000})) == 2000


@pytest.mark.parametrize(
    "data", [None, 5, [], "x", {"res": 5}, {"res": None}, {"host": [], "task": {}, "res": {"msg": {}}}]
)
def test_an_event_of_any_shape_is_taken(data: object) -> None:
    events = Events(Silent())
    kinds = ("playbook_on_play_start", "playbook_on_task_start", "runner_on_failed", "runner_on_unreachable")
    for kind in (*kinds, "playbook_on_stats", None):
        assert events({"event": kind, "event_data": data}) is False
    assert events.recap().startswith("0 hosts")
    assert events.failures() == ()


def test_only_hosts_ansible_gave_up_on_are_failures() -> None:
    events = Events(Silent())
    stats = {"ok": {"a": 3, "b": 1}, "failures": {"b": 1}, "dark": {"c": 1}, "changed": {"a": 2}, "rescued": {"a": 1}}
    for event in (
        result("failed", "a", "rescued"),
        result("failed", "b", "ignored", ignore_errors=True),
        result("failed", "b", "first"),
        result("failed", "b", "last"),
        result("unreachable", "c", "gone"),
        {"event": "verbose"},
        {"event": "playbook_on_stats", "event_data": stats},
    ):
        assert events(event) is False
    assert events.failures() == (Failure("b", "last", "last"), Failure("c", "gone", "gone", unreachable=True))
    assert events.results == 5
    assert events.recap() == "3 hosts, 4 ok, 2 changed, 1 failed, 1 unreachable"


def test_progress_says_how_many_hosts_are_through() -> None:
    said: list[str] = []

    class Shown(Silent):
        def status(self, text: str) -> None:
            said.append(text)

    events = Events(Shown(), hosts=2)
    events({"event": "playbook_on_play_start", "event_data": {"play": "Add worker nodes"}})
    for task in ("one", "two"):
        events({"event": "playbook_on_task_start", "event_data": {"task": task}})
        for host in ("a", "b"):
            events({"event": "runner_on_ok", "event_data": {"host": host, "task": task, "res": {}}})
    first = "Add worker nodes: one"
    assert said[:4] == [first, f"{first} (1 of 2 hosts)", f"{first} (2 of 2 hosts)", "Add worker nodes: two"]


def test_without_a_recap_every_failure_counts() -> None:
    events = Events(Silent())
    events(result("failed", "a", "x"))
    assert [str(f) for f in events.failures()] == ["a, x: x"]


@pytest.mark.parametrize(
    ("text", "unreachable", "kind", "hint"),
    [
        ("Connection refused", True, Transient, "security group"),
        ("WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!", True, Permanent, "another machine"),
        ("sudo: a password is required", False, Permanent, "sudo without a password"),
        ("Request failed: <urlopen error timed out>", False, Permanent, "mirrors"),
        ("write error: No space left on device", False, Permanent, "make room"),
        ("something else", False, Permanent, "whole log"),
    ],
)
def test_what_a_failure_means(
    tmp_path: Path, text: str, unreachable: bool, kind: type[ReconcilerError], hint: str
) -> None:
    (tmp_path / "stdout").write_text("\x1b[0;31mfatal\x1b[0m\n")
    made = failure.error("cluster.yml", "failed", 1, [Failure("h", "t", text, unreachable)], tmp_path / "stdout")
    assert type(made) is kind
    assert hint in str(made.hint)
    assert f"the whole log is {tmp_path}" in str(made.hint), "reports have no evidence"
    assert made.message == f"cluster.yml failed on h, t: {text}"
    assert made.evidence
    assert made.evidence.last_lines == ("fatal",)


def test_many_failures_are_counted_and_none_are_explained_by_the_log(tmp_path: Path) -> None:
    made = failure.error("x", "failed", 1, [Failure(f"h{n}", "t", "m") for n in range(9)], tmp_path / "none")
    assert made.message.endswith("h2, t: m; and on 6 more")
    (tmp_path / "stdout").write_text("ERROR! couldn't resolve module/action 'nonsense'\n\nmore\n")
    assert "couldn't resolve" in failure.error("x", "failed", 1, [], tmp_path / "stdout").message
    assert failure.error("x", "failed", 1, [], tmp_path / "none").message


INVENTORY = {"all": {"hosts": {"b": {"ansible_host": "10.0.0.2"}, "a": {"ansible_host": "10.0.0.1", "ip": "10.9.9.9"}}}}


def test_the_inventory_is_stable_and_written_only_when_it_changed(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "x")
    folder.make()
    folder.take(INVENTORY)
    text, written = folder.inventory.read_text(), folder.inventory.stat().st_mtime_ns
    assert loaded(text) == INVENTORY
    folder.take({"all": {"hosts": dict(INVENTORY["all"]["hosts"])}})
    assert (folder.inventory.read_text(), folder.inventory.stat().st_mtime_ns) == (text, written)
    folder.take({"all": {"hosts": {"a": {"taints": ("t=1:NoSchedule",)}}}})
    assert loaded(folder.inventory.read_text())["all"]["hosts"]["a"]["taints"] == ["t=1:NoSchedule"]


def test_the_kubeconfig_names_where_we_reach_the_api(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "demo" / "kubespray")
    folder.make()
    with folder.fetching() as drop:
        folder.admit(drop, "https://198.51.100.7:6443")
        assert not folder.kubeconfig.exists()
        (drop / "admin.conf").write_bytes(text(kubeadms()))
        folder.admit(drop, "https://198.51.100.7:6443")
    assert yaml.safe_load(folder.kubeconfig.read_text())["clusters"][0]["cluster"]["server"].endswith(".7:6443")
    assert folder.kubeconfig.stat().st_mode & 0o077 == 0
    assert not drop.exists()


def test_a_fetched_kubeconfig_that_is_refused_leaves_the_one_before(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "demo" / "kubespray")
    folder.make()
    folder.kubeconfig.write_text("before")
    content = kubeadms()
    content["users"][0]["user"] = {"exec": {"command": "sh"}}
    with folder.fetching() as drop:
        (drop / "admin.conf").write_bytes(text(content))
        with pytest.raises(Permanent, match=r"admin\.conf of demo:\d+:\d+: users\.0\.user\.exec: would run a program"):
            folder.admit(drop, "https://198.51.100.7:6443")
    assert folder.kubeconfig.read_text() == "before"
    assert not drop.exists()


def test_only_a_plain_file_of_a_sane_size_is_read(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "demo" / "kubespray")
    folder.make()
    (tmp_path / "ours").write_bytes(text(kubeadms()))
    for put in (
        lambda place: place.symlink_to(tmp_path / "ours"),
        lambda place: place.mkdir(),
        os.mkfifo,
        lambda place: place.write_bytes(b"#" * (2 << 20)),
    ):
        with folder.fetching() as drop:
            put(drop / "admin.conf")
            with pytest.raises(Permanent, match="is not read"):
                folder.admit(drop, "https://198.51.100.7:6443")
    assert not folder.kubeconfig.exists()


@pytest.mark.parametrize(
    ("host", "variables", "api"),
    [
        ({"ansible_host": "10.0.0.1"}, {}, "https://10.0.0.1:6443"),
        ({"ansible_host": "2001:db8::1"}, {"kube_apiserver_port": 8443}, "https://[2001:db8::1]:8443"),
        ({}, {}, ""),
    ],
)
def test_the_api_is_where_our_own_inventory_has_it(host: object, variables: object, api: str) -> None:
    hosts = {"b": {"ansible_host": "192.0.2.9"}, "a": host}
    masters: dict[str, Any] = {"kube_control_plane": {"hosts": {"a": {}, "b": {}}}}
    assert fetched.api_of({"all": {"hosts": hosts, "vars": variables, "children": masters}}) == api
    assert fetched.api_of({}) == ""


HOSTILE = "{{ lookup('pipe', 'touch /tmp/canary') }}"


def test_every_text_reaches_ansible_as_text(tmp_path: Path) -> None:
    variables = {"a": HOSTILE, "b": [{"c": (HOSTILE,)}], "d": {HOSTILE: 1}, "e": True, "f": None, "g": 1.5}
    inventory = {"all": {"hosts": {"h": variables}, "vars": variables, "children": {"k": {"vars": variables}}}}
    written = (inventory_text(inventory), variables_text(variables))
    for told in written:
        assert told.count("lookup") == told.count("!unsafe '{{ lookup") > 0
    assert loaded(written[1]) == {**variables, "b": [{"c": [HOSTILE]}]}
    named = inventory_text(inventory, {"a"})
    assert named.count("!unsafe") == written[0].count("!unsafe") - 2  # of groups: what the settings let be a template
    folder = Folder(tmp_path / "x")
    folder.make()
    folder.take(inventory)
    with folder.variables(variables):
        assert (folder.inventory.read_text(), (tmp_path / "x/env/extravars").read_text()) == written


def test_the_way_through_a_bastion_is_checked_like_any_other(tmp_path: Path) -> None:
    hosts = {"b": {"ansible_host": "192.0.2.9", "ansible_user": "cloud", "ansible_port": 2222}}
    given = {"all": {"hosts": {"a": {}}, "vars": {"x": 1}, "children": {"bastion": {"hosts": hosts}}}}
    known = tmp_path / "a folder" / "known"
    said = through_bastion(given, tmp_path / "key", known)["all"]
    assert said["children"]["bastion"]["hosts"]["b"]["ansible_ssh_common_args"] == ""
    option, proxy = shlex.split(said["vars"]["ansible_ssh_common_args"])
    command = shlex.split(proxy.removeprefix("ProxyCommand="))
    assert (option, command[0], command[-4:]) == ("-o", "ssh", ["-W", "%h:%p", "--", "192.0.2.9"])
    assert f'UserKnownHostsFile="{known}"' in command
    assert "StrictHostKeyChecking=accept-new" in command
    assert through_bastion({"all": {"hosts": {}}}, known, known) == {"all": {"hosts": {}}}


def test_variables_are_there_only_while_they_are_needed(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "x")
    folder.make()
    folder.take(INVENTORY)
    path = tmp_path / "x/env/extravars"
    with folder.variables({"password": "hunter2"}):
        assert loaded(path.read_text()) == {"password": "hunter2"}
        assert path.stat().st_mode & 0o077 == 0
    assert not path.exists()
    with pytest.raises(ZeroDivisionError), folder.variables({"password": "hunter2"}):
        1 / 0  # noqa: B018
    assert not path.exists()


def test_forget_drops_keys_and_facts_of_just_these_machines(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "x")
    folder.forget(["10.0.0.1"])
    folder.make()
    folder.take(INVENTORY)
    for host in ("a", "b"):
        (folder.facts / host).write_text("{}")
    kept = "10.0.0.2 ssh-ed25519 AAA\n[10.0.0.11]:2222 ssh-ed25519 AAA\n"
    folder.known_hosts.write_text(f"10.0.0.1 ssh-ed25519 AAA\n[10.0.0.1]:2222,alias ssh-rsa AAA\n{kept}")
    folder.forget(["10.0.0.1"])
    assert folder.known_hosts.read_text() == kept
    assert [f.name for f in folder.facts.iterdir()] == ["b"]


def test_counts_survive_and_a_damaged_file_is_no_obstacle(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.expected("cluster.yml") is None
    folder.remember("cluster.yml", 7)
    folder.remember("scale.yml", 3)
    assert (folder.expected("cluster.yml"), folder.expected("scale.yml")) == (7, 3)
    (tmp_path / "results.json").write_text("[")
    assert folder.expected("cluster.yml") is None


def test_the_environment_has_nothing_somebody_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_PASSWORD", "hunter2")
    monkeypatch.setenv("PATH", "/usr/bin")
    (tmp_path / "ansible.cfg").touch()
    runner = {"OS_PASSWORD": "hunter2", "AWX_ISOLATED_DATA_DIR": "/a", "ANSIBLE_CACHE_PLUGIN_CONNECTION": "/wrong"}
    installed = Installed(tmp_path, tmp_path / "venv/bin")
    made = environment(
        installed, Folder(tmp_path / "f"), tmp_path / "key", tmp_path / "s", runner, {"OS_CLOUD": "demo"}
    )
    assert "OS_PASSWORD" not in made
    assert made["OS_CLOUD"] == "demo"
    assert made["PATH"] == f"{tmp_path}/venv/bin:/usr/bin"
    assert made["AWX_ISOLATED_DATA_DIR"] == "/a"
    assert made["ANSIBLE_CACHE_PLUGIN_CONNECTION"] == str(tmp_path / "f/facts")
    assert made["ANSIBLE_CONFIG"] == str(tmp_path / "ansible.cfg")


def test_ssh_takes_the_options_as_they_are_meant(tmp_path: Path) -> None:
    known = tmp_path / "a 100% odd folder" / "known_hosts"
    argv = ["ssh", "-G", *shlex.split(ssh_arguments(known)), "host"]
    seen = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    assert f"userknownhostsfile {known}" in seen
    assert {"batchmode yes", "stricthostkeychecking accept-new", "hashknownhosts no"} <= set(seen)
    assert {"forwardagent no", "forwardx11 no"} <= set(seen), "a machine is a stranger"


def test_a_second_reconciler_is_turned_away(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    with turn("demo", ours, theirs), pytest.raises(Transient, match="another reconciler"), turn("demo", ours, theirs):
        pytest.fail("two at once")
    with turn("demo", ours, theirs):
        pass


def test_a_leftover_playbook_is_ended_with_its_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.adapters.kubespray.turn._PATIENCE_SECONDS", 1.0)
    lock = tmp_path / "lock"
    argv = [sys.executable, hangup.__file__, str(lock), "sh", "-c", "sleep 300 & echo started; exec sleep 300"]
    child = subprocess.Popen(argv, start_new_session=True, stdout=subprocess.PIPE)
    assert child.stdout
    child.stdout.readline()
    end_leftover(lock)
    assert child.wait(5) == -9
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_versions_kubespray_installs_are_those_it_has_a_kubelet_of(tmp_path: Path) -> None:
    file = tmp_path / "roles/kubespray_defaults/vars/main/checksums.yml"
    assert offered(tmp_path) == frozenset()
    file.parent.mkdir(parents=True)
    file.write_text(
        "---\ncrictl_checksums:\n  amd64:\n    1.30.0: sha256:00\n"
        "kubelet_checksums:\n  arm64:\n    1.34.10: sha256:00\n\n# newest first\n  amd64:\n    '1.34.9': sha256:00\n"
        "kubectl_checksums:\n  amd64:\n    1.99.0: sha256:00\n"
    )
    assert offered(tmp_path) == {"1.34.9", "1.34.10"}
    file.write_bytes(b"kubelet_checksums:\n\xff\xfe")
    assert offered(tmp_path) == frozenset()
