"""Why an object is not healthy, in one sentence: its pod, the container, and what the kubelet or scheduler says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ...errors import Evidence, Permanent, Transient
from ...text import visible_line
from .connection import Connection
from .health import conditions, mapping

_LINES, _WIDTH = 10, 300
_BAD = ("ReplicaFailure", "Failed", "Stalled")
_GOOD = ("Ready", "Available", "AbleToScale", "ScalingActive", "Established")
_JUST_STARTING = frozenset({"ContainerCreating", "PodInitializing"})


@dataclass(frozen=True, slots=True)
class Trouble:
    """`text` is empty where nothing tells. `container` names the one that ran and has something to say, in a pod of
    `namespace`; `previous` says that it was started again since."""

    text: str = ""
    namespace: str = ""
    pod: str = ""
    container: str = ""
    previous: bool = False

    @property
    def command(self) -> str:
        """How one reads more of it."""
        again = " --previous" if self.previous else ""
        return f"kubectl -n {self.namespace} logs {self.pod} -c {self.container}{again}"


def trouble(connection: Connection, obj: Mapping[str, Any]) -> Trouble:
    """Never raises: it is asked for while an error is being made. Of a Secret nobody's words are repeated."""
    if obj["kind"] == "Secret":
        return Trouble()
    try:
        told = (Trouble(text) for text in (*_conditions(obj), *_events(connection, obj)))
        return next((one for one in (*_pods(connection, obj), *told) if one.text), Trouble())
    except (Transient, Permanent):
        return Trouble()


def last_lines(connection: Connection, why: Trouble) -> Evidence | None:
    """What the container said last. It may say anything, secrets included: for whoever sits at the terminal, and for
    nothing that is kept."""
    if not why.container:
        return None
    path = f"/api/v1/namespaces/{quote(why.namespace)}/pods/{quote(why.pod)}/log"
    query = {"container": why.container, "tailLines": str(_LINES), "previous": str(why.previous).lower()}
    try:
        text = connection.text(path, **query)
    except (Transient, Permanent):
        return None
    lines = tuple(_printable(line) for line in text.splitlines()[-_LINES:])
    return Evidence(why.command, None, lines, private=True) if lines else None


def of_pod(pod: Mapping[str, Any]) -> Trouble:
    """What keeps one pod from being ready; empty when it is ready."""
    status, metadata = pod.get("status") or {}, pod["metadata"]
    name = f"pod {metadata['name']}"
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return Trouble(f"{name}: {condition.get('reason', 'not scheduled')}: {condition.get('message', '')}")
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        if text := _of_container(container):
            state, ran = container.get("state") or {}, "terminated" in (container.get("lastState") or {})
            spoke = str(container["name"]) if ran or "waiting" not in state else ""
            text = f"{name}, {text}"
            return Trouble(
                text, str(metadata.get("namespace", "")), metadata["name"], spoke, ran and "waiting" in state
            )
    return Trouble()


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


def _printable(line: str) -> str:
    """A line that no terminal obeys."""
    return visible_line(line)[:_WIDTH]


def _pods(connection: Connection, obj: Mapping[str, Any]) -> Iterator[Trouble]:
    if obj["kind"] == "Pod":
        yield of_pod(obj)
        return
    spec = mapping(obj.get("spec"))
    labels = mapping(mapping(spec.get("selector")).get("matchLabels"))  # others' kinds may have a text there
    namespace = obj["metadata"].get("namespace")
    if not labels or "template" not in spec or not namespace:
        return
    selector = ",".join(f"{k}={v}" for k, v in sorted(labels.items()))
    pods = connection.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector)
    newest = sorted(pods, key=lambda p: str(p["metadata"].get("creationTimestamp")), reverse=True)
    yield from (of_pod(pod) for pod in newest)


def _conditions(obj: Mapping[str, Any]) -> Iterator[str]:
    said = conditions(mapping(obj.get("status")))
    for condition in said:
        if condition.get("type") in _BAD and condition.get("status") == "True":
            yield str(condition.get("message", ""))
    for condition in said:
        if condition.get("type") in _GOOD and condition.get("status") != "True":
            yield ": ".join(str(condition[k]) for k in ("reason", "message") if condition.get(k))


def _events(connection: Connection, obj: Mapping[str, Any]) -> Iterator[str]:
    namespace = obj["metadata"].get("namespace")
    if not namespace:
        return
    about = f"involvedObject.uid={obj['metadata']['uid']},type=Warning"
    events = connection.items(f"/api/v1/namespaces/{namespace}/events", fieldSelector=about)
    for event in sorted(events, key=lambda e: str(e.get("lastTimestamp") or ""), reverse=True):
        yield f"{event.get('reason', '')}: {event.get('message', '')}"
