"""The environment Ansible gets: a short list of ours, so that a run depends on nothing somebody happened to export."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from .folder import Folder
from .source import Installed

_PASSED_ON = ("HOME", "LANG", "LC_ALL", "LOGNAME", "SSH_AUTH_SOCK", "TERM", "TZ", "USER")
_RUNNERS_OWN = (
    "ANSIBLE_CALLBACK_PLUGINS",
    "ANSIBLE_RETRY_FILES_ENABLED",
    "ANSIBLE_STDOUT_CALLBACK",
    "AWX_ISOLATED_DATA_DIR",
    "RUNNER_OMIT_EVENTS",
    "RUNNER_ONLY_FAILED_EVENTS",
)


def environment(
    kubespray: Installed,
    folder: Folder,
    private_key: Path,
    sockets: Path,
    runner: Mapping[str, str],
    given: Mapping[str, str],
) -> dict[str, str]:
    """Return the whole environment. `sockets` is where ssh keeps its control sockets, `runner` what ansible-runner set
    up to be told of events; `given` comes last and wins."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    config = kubespray.folder / "ansible.cfg"
    return {
        **passed_on,
        "PATH": os.pathsep.join([str(kubespray.programs), os.environ.get("PATH", os.defpath)]),
        **{name: runner[name] for name in _RUNNERS_OWN if name in runner},
        **({"ANSIBLE_CONFIG": str(config)} if config.is_file() else {}),
        "ANSIBLE_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(folder.facts),
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_LOCAL_TEMP": str(folder.temporary),
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_PRIVATE_KEY_FILE": str(private_key),
        "ANSIBLE_SSH_ARGS": ssh_arguments(folder.known_hosts),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(sockets),
        "ANSIBLE_SSH_RETRIES": "2",
        **given,
    }


def ssh_arguments(known_hosts: Path) -> str:
    """Options for ssh: never ask, learn a host's key at first contact and insist on it from then on, notice a dead
    connection within a minute, and lend the machine neither our agent nor our screen, whatever ~/.ssh/config says."""
    file = str(known_hosts).replace("%", "%%")
    options = (
        "BatchMode=yes",
        "ConnectionAttempts=3",
        "ControlMaster=auto",
        "ControlPersist=60s",
        "ForwardAgent=no",
        "ForwardX11=no",
        "GlobalKnownHostsFile=/dev/null",
        "HashKnownHosts=no",
        "ServerAliveCountMax=4",
        "ServerAliveInterval=15",
        "StrictHostKeyChecking=accept-new",
        f'UserKnownHostsFile="{file}"',
    )
    return shlex.join(part for option in options for part in ("-o", option))
