"""What a cluster makes in its cloud and leaves there when its machines go: load balancers and volumes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ... import interrupt
from ...model.resource import Resource, Value
from .connection import MERGE_PATCH, Connection, NotFound

_VOLUMES = "/api/v1/persistentvolumes"
_DELETE = "Delete"


def listed(connection: Connection) -> tuple[Resource, ...]:
    """Services of type LoadBalancer, claims, and the volumes that somebody claimed: others hold nobody's data."""
    services = (s for s in connection.items("/api/v1/services") if (s.get("spec") or {}).get("type") == "LoadBalancer")
    found = [Resource("Service", _name(s), id=s["metadata"]["uid"]) for s in services]
    claims = connection.items("/api/v1/persistentvolumeclaims")
    found += [Resource("PersistentVolumeClaim", _name(c), id=c["metadata"]["uid"]) for c in claims]
    found += [_volume(v) for v in connection.items(_VOLUMES) if (v.get("spec") or {}).get("claimRef")]
    return tuple(sorted(found, key=lambda r: r.key))


def retain(connection: Connection, volumes: Sequence[str]) -> None:
    """Take from these volumes that they go with their claims."""
    for name in volumes:
        interrupt.check_own()
        patch = {"spec": {"persistentVolumeReclaimPolicy": "Retain"}}
        with contextlib.suppress(NotFound):
            connection.request("PATCH", f"{_VOLUMES}/{name}", body=patch, content_type=MERGE_PATCH)


def goes_with(connection: Connection, claim: str) -> str:
    """The path of the volume that is deleted with the claim at this path; empty where none is."""
    name = str((connection.get(claim).get("spec") or {}).get("volumeName") or "")
    with contextlib.suppress(NotFound):
        if name and connection.get(f"{_VOLUMES}/{name}")["spec"].get("persistentVolumeReclaimPolicy") == _DELETE:
            return f"{_VOLUMES}/{name}"
    return ""


def _volume(volume: Mapping[str, Any]) -> Resource:
    spec = volume.get("spec") or {}
    claim = spec.get("claimRef") or {}
    fields: dict[str, Value] = {
        "claim": f"{claim.get('namespace')}/{claim.get('name')}",
        "handle": next(_handles(spec), ""),
        "size": str((spec.get("capacity") or {}).get("storage", "")),
        "policy": str(spec.get("persistentVolumeReclaimPolicy", "")),
        "local": any(source in spec for source in ("local", "hostPath")),
    }
    return Resource("PersistentVolume", volume["metadata"]["name"], fields, volume["metadata"]["uid"])


def _handles(spec: Mapping[str, Any]) -> Iterator[str]:
    """What the cloud calls it: by a driver of CSI's, or the older one for Cinder."""
    for source, key in (("csi", "volumeHandle"), ("cinder", "volumeID")):
        if value := (spec.get(source) or {}).get(key):
            yield str(value)


def _name(item: Mapping[str, Any]) -> str:
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"
