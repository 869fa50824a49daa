"""Why a host can't be reached, in ssh's own words: Ansible loses them when ssh ends before a module is sent to it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ... import process
from ...confine import MIB, Limits
from ...errors import ReconcilerError
from .environment import ssh_arguments
from .events import Failure

_ASKED = 3
_SECONDS = 5
_MOST = Limits(output=MIB, network=True)
_LOST = "Data could not be sent to remote host"


def explained(
    failures: Sequence[Failure], inventory: Mapping[str, Any], private_key: Path, known_hosts: Path
) -> tuple[Failure, ...]:
    """The same failures, the first three that lost ssh's words with them put back."""
    silent = [f for f in failures if f.unreachable and f.message.startswith(_LOST)][:_ASKED]
    hosts = (inventory.get("all") or {}).get("hosts") or {}
    words = {f.host: _ask(f.host, hosts.get(f.host) or {}, private_key, known_hosts) for f in silent}
    return tuple(replace(f, message=words.get(f.host) or f.message) for f in failures)


def _ask(host: str, variables: Mapping[str, Any], private_key: Path, known_hosts: Path) -> str | None:
    options = f"-o ConnectionAttempts=1 -o ConnectTimeout={_SECONDS} -o ControlPath=none {ssh_arguments(known_hosts)}"
    login = ["-p", str(variables.get("ansible_port", 22))]
    if user := variables.get("ansible_user"):
        login += ["-l", str(user)]
    address = str(variables.get("ansible_host", host))
    try:
        argv = ["ssh", *shlex.split(options), "-i", str(private_key), *login, "--", address, "true"]
        said = process.run(argv, timeout=3 * _SECONDS, check=False, limits=_MOST).stderr.strip()
    except ReconcilerError:
        return None
    return said.splitlines()[-1] if said else None
