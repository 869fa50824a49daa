"""The pods that a drain of some nodes would evict, their volumes, and the budgets that would hold it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ...errors import Permanent
from ...model.guest import Guest
from .connection import Connection

_OVER = ("Succeeded", "Failed")
_MIRROR = "kubernetes.io/config.mirror"
_HOSTNAME = "kubernetes.io/hostname"


def guests(connection: Connection, nodes: Collection[str]) -> tuple[Guest, ...]:
    """One list of pods for each of `nodes`; of volumes and budgets one list each, and only where there is a pod. Raises
    what the connection raises, and Permanent for an answer that is none of Kubernetes'."""
    try:
        return _guests(connection, nodes)
    except (AttributeError, KeyError, TypeError, ValueError):  # whose words would repeat what stands there
        hint = "the plan does not say who moves; look at the API server"
        raise Permanent("the server says of its pods what Kubernetes does not", hint=hint) from None


def _guests(connection: Connection, nodes: Collection[str]) -> tuple[Guest, ...]:
    found = [(node, pod) for node in sorted(nodes) for pod in _pods(connection, node)]
    if not found:
        return ()
    cordoned = {node for node in {node for node, _ in found} if _cordoned(connection, node)}
    budgets = [b for b in connection.items("/apis/policy/v1/poddisruptionbudgets") if _allows_none(b)]
    volumes = _volumes(connection) if any(_claims(pod) for _, pod in found) else {}
    made = (_guest(node, pod, budgets, volumes, cordoned) for node, pod in found)
    return tuple(sorted(made))


def _pods(connection: Connection, node: str) -> Iterator[Mapping[str, Any]]:
    """Those that kubectl drain would evict: none of a DaemonSet's, of the kubelet's own, or that are over."""
    for pod in connection.items("/api/v1/pods", fieldSelector=f"spec.nodeName={node}"):
        metadata, status = pod.get("metadata") or {}, pod.get("status") or {}
        of_every_node = any(o.get("kind") == "DaemonSet" for o in metadata.get("ownerReferences") or ())
        if (
            not of_every_node
            and _MIRROR not in (metadata.get("annotations") or {})
            and status.get("phase") not in _OVER
        ):
            yield pod


def _guest(
    node: str,
    pod: Mapping[str, Any],
    budgets: Sequence[Mapping[str, Any]],
    volumes: Mapping[str, Mapping[str, Any]],
    cordoned: Collection[str],
) -> Guest:
    metadata = pod["metadata"]
    space, labels = str(metadata.get("namespace") or ""), metadata.get("labels") or {}
    claims = tuple(f"{space}/{claim}" for claim in _claims(pod))
    held = (b["metadata"] for b in budgets if _selects(b, space, labels))
    return Guest(
        name=f"{space}/{metadata['name']}",
        node=node,
        alone=not any(o.get("controller") for o in metadata.get("ownerReferences") or ()),
        volumes=claims,
        pinned=tuple(claim for claim in claims if claim in volumes and _lies_on(volumes[claim], node)),
        budgets=tuple(sorted(f"{space}/{b['name']}" for b in held)),
        draining=node in cordoned,
    )


def _claims(pod: Mapping[str, Any]) -> list[str]:
    volumes = (pod.get("spec") or {}).get("volumes") or ()
    return [str(v["persistentVolumeClaim"].get("claimName")) for v in volumes if v.get("persistentVolumeClaim")]


def _cordoned(connection: Connection, node: str) -> bool:
    return any((n.get("spec") or {}).get("unschedulable")
               for n in connection.items("/api/v1/nodes", fieldSelector=f"metadata.name={node}"))  # fmt: skip


def _volumes(connection: Connection) -> dict[str, Mapping[str, Any]]:
    """Persistent volumes by the claim they are bound to."""
    found: dict[str, Mapping[str, Any]] = {}
    for volume in connection.items("/api/v1/persistentvolumes"):
        claim = (volume.get("spec") or {}).get("claimRef") or {}
        found[f"{claim.get('namespace')}/{claim.get('name')}"] = volume
    return found


def _lies_on(volume: Mapping[str, Any], node: str) -> bool:
    """Is its data on this node's own disk: a local volume, a path of the host, or one that no other node may have?"""
    spec = volume.get("spec") or {}
    if spec.get("local") or spec.get("hostPath"):
        return True
    terms = ((spec.get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or ()
    wants = [e for t in terms for e in t.get("matchExpressions") or () if e.get("key") == _HOSTNAME]
    return bool(wants) and all(e.get("operator") == "In" and e.get("values") == [node] for e in wants)


def _allows_none(budget: Mapping[str, Any]) -> bool:
    return int((budget.get("status") or {}).get("disruptionsAllowed") or 0) < 1


def _selects(budget: Mapping[str, Any], space: str, labels: Mapping[str, str]) -> bool:
    """Whether a budget is about a pod. An empty selector is about all of its namespace, none at all about nothing."""
    selector = (budget.get("spec") or {}).get("selector")
    if (budget.get("metadata") or {}).get("namespace") != space or selector is None:
        return False
    equal = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return equal and all(_meets(rule, labels) for rule in selector.get("matchExpressions") or ())


def _meets(rule: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, values = labels.get(str(rule.get("key"))), rule.get("values") or ()
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }.get(str(rule.get("operator")), False)
