"""The command line by which a person logs in: as the playbooks do, and nothing of a machine's name is an option."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from reconciler.adapters.kubespray.login import command_line

KEY, KNOWN = Path("/keys/id"), Path("/state/demo/kubespray/known_hosts")


def inventory(*, bastion: bool = False) -> dict[str, Any]:
    host = {"ansible_host": "10.0.0.7", "ansible_port": 2222, "ansible_user": "ubuntu", "ip": "10.0.0.7"}
    way = {"ansible_host": "203.0.113.9", "ansible_port": 22, "ansible_user": "jump"}
    children = {"bastion": {"hosts": {"demo-bastion-1": way}}} if bastion else {}
    return {"all": {"hosts": {"demo-worker-1": host}, "vars": {}, "children": children}}


def options(argv: list[str]) -> dict[str, str]:
    """The first value of each option counts, as ssh has it."""
    told: dict[str, str] = {}
    for name, value in (part.split("=", 1) for at, part in enumerate(argv) if argv[at - 1] == "-o"):
        told.setdefault(name, value)
    return told


def test_key_user_port_and_the_pinned_host_keys() -> None:
    argv = command_line(inventory(), "demo-worker-1", KEY, KNOWN)
    assert argv is not None
    assert argv[0] == "ssh"
    assert argv[-9:] == ["-i", "/keys/id", "-p", "2222", "-l", "ubuntu", "-t", "--", "10.0.0.7"]
    told = options(argv)
    assert told["UserKnownHostsFile"] == f'"{KNOWN}"'
    assert told["GlobalKnownHostsFile"] == "/dev/null"
    assert told["StrictHostKeyChecking"] == "accept-new"
    assert told["BatchMode"] == "no", "a person may be asked for a passphrase"
    assert "ProxyCommand" not in told


def test_a_command_comes_last_and_gets_no_terminal() -> None:
    argv = command_line(inventory(), "demo-worker-1", KEY, KNOWN, ["uptime", "-p"])
    assert argv is not None
    assert argv[-4:] == ["--", "10.0.0.7", "uptime", "-p"]
    assert "-t" not in argv


def test_through_the_bastion_whose_key_is_pinned_too() -> None:
    argv = command_line(inventory(bastion=True), "demo-worker-1", KEY, KNOWN)
    assert argv is not None
    proxy = shlex.split(options(argv)["ProxyCommand"])
    assert proxy[-4:] == ["-W", "%h:%p", "--", "203.0.113.9"]
    assert options(proxy)["UserKnownHostsFile"] == f'"{KNOWN}"'


def test_the_bastion_itself_is_reached_straight() -> None:
    argv = command_line(inventory(bastion=True), "demo-bastion-1", KEY, KNOWN)
    assert argv is not None
    assert argv[-1] == "203.0.113.9"
    assert "ProxyCommand" not in options(argv)


def test_a_machine_that_is_not_there() -> None:
    assert command_line(inventory(), "demo-worker-2", KEY, KNOWN) is None
