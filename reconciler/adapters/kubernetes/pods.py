"""Pods that do not work: how far a broken machine reaches; and pods that somebody is at work in."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ...errors import Permanent
from ...model.naming import IDLE_AFTER, LAST_ACTIVITY, OWNER, SAFE_TO_EVICT
from ...model.resource import Symptom
from ...model.session import Session
from .connection import MERGE_PATCH, Connection, NotFound

_PODS = "/api/v1/pods"
_INSTANCE = "app.kubernetes.io/instance"
_ENDED = ("Succeeded", "Failed")


def symptoms(connection: Connection, nodes: Collection[str]) -> tuple[Symptom, ...]:
    """One list for what is pending anywhere, and one for each of `nodes`: only what is broken is asked for."""
    found = {s for pod in connection.items(_PODS, fieldSelector="status.phase=Pending") for s in _pending(pod)}
    for node in sorted(nodes):
        for pod in connection.items(_PODS, fieldSelector=f"spec.nodeName={node}"):
            found |= set(_not_ready(pod, node))
    return tuple(sorted(found))


def sessions(connection: Connection) -> tuple[Session, ...]:
    """Every pod of an environment that runs on a machine and is not about to go. Raises what the connection raises, and
    Permanent for an answer that is none of Kubernetes'."""
    try:
        found = [_session(pod) for pod in connection.items(_PODS, labelSelector=OWNER)]
    except (AttributeError, KeyError, TypeError, ValueError):  # whose words would repeat what stands there
        hint = "sessions count as in use; look at the API server"
        raise Permanent("the server says of its pods what Kubernetes does not", hint=hint) from None
    return tuple(sorted((s for s in found if s), key=lambda s: s.pod))


def _session(pod: Mapping[str, Any]) -> Session | None:
    metadata, node = pod["metadata"], str((pod.get("spec") or {}).get("nodeName") or "")
    labels, notes = metadata.get("labels") or {}, metadata.get("annotations") or {}
    ended = (pod.get("status") or {}).get("phase") in _ENDED or metadata.get("deletionTimestamp")
    if ended or not node or _INSTANCE not in labels:
        return None
    idle = str(notes.get(IDLE_AFTER, ""))
    return Session(
        pod=_name(pod),
        title=f"{labels.get(OWNER)}/{labels[_INSTANCE]}",
        node=node,
        active=_moment(str(notes.get(LAST_ACTIVITY, ""))),
        idle_after=int(idle) if idle.isascii() and idle.isdigit() and len(idle) < 10 else None,
        movable=notes[SAFE_TO_EVICT] == "true" if SAFE_TO_EVICT in notes else None,
    )


def _moment(text: str) -> datetime.datetime | None:
    """What is no time with its offset says nothing."""
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def mark(connection: Connection, movable: Mapping[str, bool]) -> None:
    """Set the mark that Cluster Autoscaler reads. One that may not be moved says so, too: it has an emptyDir at most,
    and nothing else would keep it. Those that must stay come first. What is refused of one stops no other: Permanent is
    raised of the first when all were tried, and Transient at once."""
    refused: list[Permanent] = []
    for pod, may in sorted(movable.items(), key=lambda item: (item[1], item[0])):
        space, _, name = pod.partition("/")
        path = f"/api/v1/namespaces/{space}/pods/{name}"
        patch = {"metadata": {"annotations": {SAFE_TO_EVICT: "true" if may else "false"}}}
        try:
            connection.request("PATCH", path, body=patch, content_type=MERGE_PATCH)
        except NotFound:  # it ended meanwhile
            continue
        except Permanent as error:
            refused.append(error)
    if refused:
        raise refused[0]


def _pending(pod: Mapping[str, Any]) -> Iterator[Symptom]:
    yield Symptom("Pod", _name(pod), str((pod.get("spec") or {}).get("nodeName") or ""), "pending")


def _not_ready(pod: Mapping[str, Any], node: str) -> Iterator[Symptom]:
    status = pod.get("status") or {}
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ())
    if status.get("phase") == "Running" and not ready:
        yield Symptom("Pod", _name(pod), node, "not ready")


def _name(pod: Mapping[str, Any]) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
