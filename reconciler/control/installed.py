"""Which machines a cluster's Kubernetes was installed on: what tells a dead control plane from a silent one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path


def installed_on(state: Path, cluster: str) -> frozenset[str]:
    """The server ids of the control plane at the last installation; empty when that was never written down."""
    try:
        return frozenset(json.loads(_file(state, cluster).read_text()))
    except (OSError, ValueError, TypeError):
        return frozenset()


def remember(state: Path, cluster: str, servers: Iterable[str]) -> None:
    """Write it down in one step, so that a kill leaves the old answer or the new one."""
    target = _file(state, cluster)
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_suffix(".new")
    fresh.write_text(json.dumps(sorted(servers)))
    fresh.replace(target)


def _file(state: Path, cluster: str) -> Path:
    return state / cluster / "installed.json"
