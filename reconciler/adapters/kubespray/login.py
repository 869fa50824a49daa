"""The command line by which a person logs in to a machine, the same way as the playbooks do."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .bastion import through_bastion
from .environment import ssh_arguments

# ssh takes the first of two values: a person may be asked for a passphrase, and shares no connection with a playbook.
_A_PERSONS = ("BatchMode=no", "ControlMaster=no", "ControlPath=none", "ConnectTimeout=15")
_A_QUESTIONS = ("ConnectionAttempts=1", "ControlMaster=no", "ControlPath=none", "ConnectTimeout=5")


def command_line(
    inventory: Mapping[str, Any], machine: str, private_key: Path, known_hosts: Path, command: Sequence[str] = ()
) -> list[str] | None:
    """ssh to a machine of the inventory, through its bastion where there is one, with the host keys that were pinned;
    None for a machine that is not in it. `command` runs there in the place of a shell."""
    login = _to(inventory, machine, private_key, known_hosts, _A_PERSONS)
    return None if login is None else [*login[:-2], *(["-t"] if not command else []), *login[-2:], *command]


def question(inventory: Mapping[str, Any], machine: str, private_key: Path, known_hosts: Path) -> list[str] | None:
    """The same for a program that asks one thing and waits for nobody: up to and including the host."""
    return _to(inventory, machine, private_key, known_hosts, _A_QUESTIONS)


def _to(
    inventory: Mapping[str, Any], machine: str, private_key: Path, known_hosts: Path, first: Sequence[str]
) -> list[str] | None:
    everything = through_bastion(inventory, private_key, known_hosts)["all"]
    bastions = ((everything.get("children") or {}).get("bastion") or {}).get("hosts") or {}
    variables = {**(everything.get("hosts") or {}), **bastions}.get(machine)
    if variables is None:
        return None
    way = variables.get("ansible_ssh_common_args", (everything.get("vars") or {}).get("ansible_ssh_common_args", ""))
    options = [part for option in first for part in ("-o", option)]
    options += [*shlex.split(ssh_arguments(known_hosts)), *shlex.split(way)]
    options += ["-i", str(private_key), "-p", str(variables["ansible_port"]), "-l", str(variables["ansible_user"])]
    return ["ssh", *options, "--", str(variables["ansible_host"])]
