"""Pods that do not work: how far a broken machine reaches."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ...model.resource import Symptom
from .connection import Connection

_PODS = "/api/v1/pods"


def symptoms(connection: Connection, nodes: Collection[str]) -> tuple[Symptom, ...]:
    """One list for what is pending anywhere, and one for each of `nodes`: only what is broken is asked for."""
    found = {s for pod in connection.items(_PODS, fieldSelector="status.phase=Pending") for s in _pending(pod)}
    for node in sorted(nodes):
        for pod in connection.items(_PODS, fieldSelector=f"spec.nodeName={node}"):
            found |= set(_not_ready(pod, node))
    return tuple(sorted(found))


def _pending(pod: Mapping[str, Any]) -> Iterator[Symptom]:
    yield Symptom("Pod", _name(pod), str((pod.get("spec") or {}).get("nodeName") or ""), "pending")


def _not_ready(pod: Mapping[str, Any], node: str) -> Iterator[Symptom]:
    status = pod.get("status") or {}
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ())
    if status.get("phase") == "Running" and not ready:
        yield Symptom("Pod", _name(pod), node, "not ready")


def _name(pod: Mapping[str, Any]) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
