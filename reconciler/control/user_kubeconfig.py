"""A cluster's kubeconfig on its way to a person: read where the reconciler has it, written into their own file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from .. import files
from ..errors import Blocked, Invalid, Permanent, Transient
from ..ports import Gate
from ..spec import user_kubeconfig as spec
from ..spec.user_kubeconfig import Login
from ..yaml_text import dump
from .toolkit import Access


def login(cluster: str, access: Access, gate: Gate) -> Login:
    """The cluster's login, called as the cluster. Raises Permanent where this machine has none, Invalid for a file
    without it."""
    try:
        content = access.kubeconfig.read_bytes()
    except FileNotFoundError:
        hint = (
            f"reconciler plan {cluster} reads it from a control-plane machine; or put one into the folder "
            "`kubeconfigs` of the settings"
        )
        raise Permanent(f"this machine has no kubeconfig of {cluster!r} ({access.kubeconfig})", hint=hint) from None
    except OSError as error:
        raise Permanent(f"cannot read the kubeconfig {access.kubeconfig}: {error.strerror}") from None
    rebuilt = gate(access.kubeconfig, content)
    counts = content if rebuilt is None else rebuilt.encode()
    return spec.login(cluster, access.kubeconfig, counts, access.context)


def users_file(environment: Mapping[str, str], home: Path) -> Path:
    """Where kubectl writes: the last file of KUBECONFIG that is there, else the last one, else ~/.kube/config
    (clientcmd's GetDefaultFilename)."""
    named = [Path(part) for part in environment.get("KUBECONFIG", "").split(os.pathsep) if part]
    there = [path for path in named if path.exists()]
    return (there or named or [home / ".kube" / "config"])[-1]


def merge(added: Login, place: Path, *, use: bool, overwrite: bool) -> None:
    """Put the login into a person's kubeconfig, for its owner alone to read, whole or not at all. Raises Invalid for a
    file that is none, Blocked where something of the name would be lost and `overwrite` is not said, Transient
    when it can't be written."""
    try:
        place = place.resolve()  # a link stays one
        content = place.read_bytes() if place.exists() else b""
    except RuntimeError:  # Python's word for links that lead to each other
        raise Invalid(f"cannot read {place}: its links lead in a circle") from None
    except OSError as error:
        raise Invalid(f"cannot read {place}: {error.strerror}") from None
    document = spec.parsed(place, content)
    lost = spec.in_the_way(document, added)
    if lost and not overwrite:
        hint = "--overwrite replaces it; or --name gives this one another name"
        raise Blocked(f"in {place}, {lost}", hint=hint)
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Transient(f"cannot make {place.parent}: {error.strerror}") from None
    result = {"apiVersion": "v1", "kind": "Config", **spec.merged(document, added, use=use)}
    files.write(place, dump(result, sort_keys=False))
