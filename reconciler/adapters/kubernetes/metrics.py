"""Whether anybody measures what a horizontal pod autoscaler scales by. These APIs are aggregated: they may be missing,
or registered and without a backend, and neither is the autoscaler's fault."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import Permanent, Transient
from .connection import Connection, Silent
from .kinds import root

_RESOURCES, _CUSTOM, _EXTERNAL = "metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io"
_GROUPS = {"Resource": _RESOURCES, "ContainerResource": _RESOURCES, "Pods": _CUSTOM, "Object": _CUSTOM}


def measured(connection: Connection, scaler: Mapping[str, Any]) -> bool:
    """Does each API that the autoscaler's metrics come from answer? Raises Silent when nobody answers at all."""
    types = [str(metric.get("type")) for metric in (scaler.get("spec") or {}).get("metrics") or ()]
    groups = {_GROUPS.get(type_, _EXTERNAL) for type_ in types} or {_RESOURCES}
    return all(_answers(connection, group) for group in sorted(groups))


def _answers(connection: Connection, group: str) -> bool:
    try:
        version = connection.get(f"/apis/{group}")["preferredVersion"]["groupVersion"]
        connection.get(root(str(version)))
    except Silent:
        raise
    except (Permanent, Transient, KeyError, TypeError):
        return False
    return True
