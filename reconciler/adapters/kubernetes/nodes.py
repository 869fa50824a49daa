"""Nodes as resources: what Kubespray and we decide about them, without what controllers do."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ... import interrupt
from ...errors import Permanent, Transient
from ...model.resource import Known, Resource, Value
from .connection import MERGE_PATCH, Conflict, Connection, NotFound

_NODES = "/api/v1/nodes"
_LABEL = "labels."
# Put on and taken off by controllers, as conditions come and go.
_CONTROLLERS_OWN = (
    "node.kubernetes.io/",
    "node.cloudprovider.kubernetes.io/",
    "ToBeDeletedByClusterAutoscaler",
    "DeletionCandidateOfClusterAutoscaler",
    "startup-taint.cluster-autoscaler.kubernetes.io/",
    "status-taint.cluster-autoscaler.kubernetes.io/",
    "ignore-taint.cluster-autoscaler.kubernetes.io/",
)
_ATTEMPTS = 5
# On nodes that we cordoned: what somebody else cordoned, nobody of ours gives free again.
_OURS = "research.moc/cordoned"


def listed(connection: Connection) -> Known:
    return Known(tuple(sorted((_resource(n) for n in connection.items(_NODES)), key=lambda r: r.name)))


def mark(connection: Connection, nodes: Sequence[Resource]) -> None:
    """Make labels (None: take off), taints and provider id as in `nodes`; what they don't carry stays."""
    live = {n["metadata"]["name"]: n for n in connection.items(_NODES)} if nodes else {}
    for node in nodes:
        if node.name not in live:
            raise Transient(f"node {node.name} has not joined", hint="the next cycle observes the nodes again")
        interrupt.check_own()
        _mark(connection, node, live[node.name])


def cordon(connection: Connection, leaving: Collection[str]) -> None:
    """Cordon the nodes called `leaving`, and give those free that were cordoned here before and stay."""
    for node in connection.items(_NODES):
        held = bool((node.get("spec") or {}).get("unschedulable"))
        ours = _OURS in (node["metadata"].get("annotations") or {})
        goes = node["metadata"]["name"] in leaving
        if (goes and not held) or (ours and not goes):
            _hold(connection, node["metadata"]["name"], goes)


def _hold(connection: Connection, name: str, goes: bool) -> None:
    marked = {"annotations": {_OURS: "leaving" if goes else None}}
    patch = {"metadata": marked, "spec": {"unschedulable": True if goes else None}}
    with contextlib.suppress(NotFound):  # gone meanwhile, as it should
        connection.request("PATCH", f"{_NODES}/{name}", body=patch, content_type=MERGE_PATCH)


def _mark(connection: Connection, node: Resource, live: Mapping[str, Any]) -> None:
    path = f"{_NODES}/{node.name}"
    for _ in range(_ATTEMPTS):
        patch = _patch(node, live)
        if not patch:
            return
        # With the version we saw: a list is replaced whole, and a controller may put a taint on at any time.
        patch.setdefault("metadata", {})["resourceVersion"] = live["metadata"]["resourceVersion"]
        try:
            connection.request("PATCH", path, body=patch, content_type=MERGE_PATCH)
        except Conflict:
            live = connection.get(path)
        else:
            return
    raise Transient(f"node {node.name} changes too fast to be labelled", hint="the next cycle tries again")


def _patch(node: Resource, live: Mapping[str, Any]) -> dict[str, Any]:
    spec, patch = live.get("spec") or {}, {}
    has = live["metadata"].get("labels") or {}
    labels = {k.removeprefix(_LABEL): v for k, v in node.fields.items() if k.startswith(_LABEL)}
    if changed := {k: v for k, v in labels.items() if has.get(k) != v}:
        patch["metadata"] = {"labels": changed}
    new: dict[str, Any] = {}
    if "taints" in node.fields and set(_strings(node.fields["taints"])) != set(_taints(spec)):
        new["taints"] = _retainted(spec, _strings(node.fields["taints"]))
    if node.fields.get("provider_id") and not spec.get("providerID"):
        new["providerID"] = node.fields["provider_id"]
    return patch | ({"spec": new} if new else {})


def _resource(node: Mapping[str, Any]) -> Resource:
    metadata, spec, status = node["metadata"], node.get("spec") or {}, node.get("status") or {}
    condition: Mapping[str, str] = next((c for c in status.get("conditions") or () if c["type"] == "Ready"), {})
    ready = condition.get("status") == "True"
    fields: dict[str, Value] = {
        "ready": ready,
        "version": str((status.get("nodeInfo") or {}).get("kubeletVersion", "")).removeprefix("v"),
        "taints": tuple(sorted(_taints(spec))),
        "provider_id": spec.get("providerID") or "",
        "unschedulable": bool(spec.get("unschedulable")),
    }
    if not ready and condition.get("lastTransitionTime"):
        fields["not_ready_since"] = condition["lastTransitionTime"]
    fields |= {f"{_LABEL}{k}": v for k, v in sorted((metadata.get("labels") or {}).items())}
    return Resource("node", metadata["name"], fields, id=metadata["uid"])


def _taints(spec: Mapping[str, Any]) -> list[str]:
    return [
        f"{t['key']}={t.get('value') or ''}:{t['effect']}"
        for t in spec.get("taints") or ()
        if not t["key"].startswith(_CONTROLLERS_OWN)
    ]


def _retainted(spec: Mapping[str, Any], wanted: Sequence[str]) -> list[Mapping[str, Any]]:
    kept = [t for t in spec.get("taints") or () if t["key"].startswith(_CONTROLLERS_OWN)]
    return [*kept, *(_taint(text) for text in wanted)]


def _taint(text: str) -> Mapping[str, str]:
    pair, _, effect = text.rpartition(":")
    key, _, value = pair.partition("=")
    return {"key": key, "effect": effect} | ({"value": value} if value else {})


def _strings(value: Value) -> tuple[str, ...]:
    if not isinstance(value, tuple):
        raise Permanent("taints must be a tuple of `key=value:Effect`")
    return tuple(str(v) for v in value)
