"""The way through a bastion: every other host is reached by way of it, and its key is checked like any other's.

Kubespray makes such a way only for a host that is called `bastion`, and then checks no key
(roles/kubespray_defaults, ansible_ssh_common_args).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .environment import ssh_arguments


def through_bastion(inventory: Mapping[str, Any], private_key: Path, known_hosts: Path) -> Mapping[str, Any]:
    """The inventory with the way in it, as it is where it has no bastion."""
    everything = inventory.get("all") or {}
    group = ((everything.get("children") or {}).get("bastion") or {}).get("hosts") or {}
    if not group:
        return inventory
    way = {"ansible_ssh_common_args": _common(next(iter(group.values())), private_key, known_hosts)}
    direct = {name: {**variables, "ansible_ssh_common_args": ""} for name, variables in group.items()}
    children = {**everything["children"], "bastion": {"hosts": direct}}
    return {**inventory, "all": {**everything, "vars": {**(everything.get("vars") or {}), **way}, "children": children}}


def _common(bastion: Mapping[str, Any], private_key: Path, known_hosts: Path) -> str:
    """Options for ssh; the proxy is a command line of its own, since `-J` would take none of our options along."""
    login = ["-p", str(bastion.get("ansible_port", 22)), "-l", str(bastion["ansible_user"])]
    options = [*shlex.split(ssh_arguments(known_hosts)), "-i", str(private_key), *login]
    proxy = shlex.join(["ssh", *options, "-W", "%h:%p", "--", str(bastion["ansible_host"])])
    return shlex.join(["-o", f"ProxyCommand={proxy}"])
