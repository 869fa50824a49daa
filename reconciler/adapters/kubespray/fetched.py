"""The kubeconfig that a playbook fetches comes into a folder of its own, and only what is rebuilt from it is kept."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import Permanent

NAME = "admin.conf"  # as Kubespray calls it (roles/kubernetes/client)
_MOST_BYTES = 1 << 20
_API_PORT = 6443  # Kubespray's kube_apiserver_port


def content(folder: Path) -> bytes | None:
    """What was fetched into `folder`; None where nothing was. Raises Permanent for anything but a file of a sane size:
    a link would lead to a file of this machine."""
    try:
        handle = os.open(folder / NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(folder, error.strerror) from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _refused(folder, "it is no file")
        with open(handle, "rb", closefd=False) as file:
            text = file.read(_MOST_BYTES + 1)
    finally:
        os.close(handle)
    if len(text) > _MOST_BYTES:
        raise _refused(folder, f"it has more than {_MOST_BYTES >> 20} MiB")
    return text


def api_of(inventory: Mapping[str, Any]) -> str:
    """Where the inventory has the API: on the first host of the control plane, as Kubespray takes it. Empty without."""
    everything = inventory.get("all") or {}
    masters = ((everything.get("children") or {}).get("kube_control_plane") or {}).get("hosts") or {}
    first = (everything.get("hosts") or {}).get(next(iter(masters), None)) or {}
    address = str(first.get("ansible_host") or "")
    port = (everything.get("vars") or {}).get("kube_apiserver_port", _API_PORT)
    return f"https://[{address}]:{port}" if ":" in address else f"https://{address}:{port}" if address else ""


def _refused(folder: Path, reason: str | None) -> Permanent:
    message = f"the kubeconfig that was fetched to {folder / NAME} is not read: {reason}"
    return Permanent(message, hint="find out what the playbook wrote there")
