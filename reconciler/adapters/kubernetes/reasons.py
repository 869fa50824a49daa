"""Why an object is not healthy, in one sentence: its pod, the container, and what the kubelet or scheduler says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import Permanent, Transient
from .connection import Connection

_JUST_STARTING = frozenset({"ContainerCreating", "PodInitializing"})


def reason(connection: Connection, obj: Mapping[str, Any]) -> str:
    """Empty when nothing tells. Never raises: it is asked for while an error is being made."""
    try:
        found = [*_pods(connection, obj), *_conditions(obj), *_events(connection, obj)]
    except (Transient, Permanent):
        return ""
    return next((text for text in found if text), "")


def of_pod(pod: Mapping[str, Any]) -> str:
    """What keeps one pod from being ready; empty when it is ready."""
    status = pod.get("status") or {}
    name = f"pod {pod['metadata']['name']}"
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"{name}: {condition.get('reason', 'not scheduled')}: {condition.get('message', '')}"
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    states = (_of_container(c) for c in containers)
    text = next((s for s in states if s), "")
    return f"{name}, {text}" if text else ""


def _of_container(container: Mapping[str, Any]) -> str:
    state = container.get("state") or {}
    name = f"container {container['name']}"
    if waiting := state.get("waiting"):
        last = (container.get("lastState") or {}).get("terminated") or {}
        code = f" (last exit code {last['exitCode']})" if "exitCode" in last else ""
        starting = waiting.get("reason") in _JUST_STARTING and not code
        return "" if starting else f"{name}: {_sentence(waiting)}{code}"
    if ended := state.get("terminated"):
        return f"{name}: {_sentence(ended)} (exit code {ended['exitCode']})" if ended["exitCode"] else ""
    return "" if container.get("ready") else f"{name}: runs, but its readiness probe does not pass"


def _sentence(state: Mapping[str, Any]) -> str:
    return ": ".join(str(state[k]) for k in ("reason", "message") if state.get(k)) or "not running"


def _pods(connection: Connection, obj: Mapping[str, Any]) -> Iterator[str]:
    labels = ((obj.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    if not labels or "template" not in obj["spec"]:
        return
    selector = ",".join(f"{k}={v}" for k, v in sorted(labels.items()))
    pods = connection.items(f"/api/v1/namespaces/{obj['metadata']['namespace']}/pods", labelSelector=selector)
    newest = sorted(pods, key=lambda p: str(p["metadata"].get("creationTimestamp")), reverse=True)
    yield from (of_pod(pod) for pod in newest)


def _conditions(obj: Mapping[str, Any]) -> Iterator[str]:
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition["type"] in ("ReplicaFailure", "Failed") and condition["status"] == "True":
            yield str(condition.get("message", ""))


def _events(connection: Connection, obj: Mapping[str, Any]) -> Iterator[str]:
    namespace = obj["metadata"].get("namespace")
    if not namespace:
        return
    about = f"involvedObject.uid={obj['metadata']['uid']},type=Warning"
    events = connection.items(f"/api/v1/namespaces/{namespace}/events", fieldSelector=about)
    for event in sorted(events, key=lambda e: str(e.get("lastTimestamp") or ""), reverse=True):
        yield f"{event.get('reason', '')}: {event.get('message', '')}"
