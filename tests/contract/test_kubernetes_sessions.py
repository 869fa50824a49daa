"""Nodes that leave and sessions that stay, marked for Cluster Autoscaler on a real API server."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.engine import sessions
from reconciler.model.session import Session

from .fleet import wait_until
from .objects import kubectl

pytestmark = pytest.mark.live
MARK = "cluster-autoscaler.kubernetes.io/safe-to-evict"
NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture
def nodes(kube: Path, part_of: str) -> Iterator[tuple[str, str]]:
    names = f"{part_of}-1", f"{part_of}-2"
    for name in names:
        kubectl(kube, "apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
    yield names
    kubectl(kube, "delete", "node", *names, "--wait=false")


def held(kube: Path, name: str) -> tuple[bool, bool]:
    """Is the node cordoned, and does it say by us?"""
    node = json.loads(kubectl(kube, "get", "node", name, "-o", "json"))
    return bool(node["spec"].get("unschedulable")), "research.moc/cordoned" in node["metadata"].get("annotations", {})


def test_what_leaves_is_cordoned_and_what_stays_after_all_is_free_again(
    kube: Path, api: KubernetesApi, nodes: tuple[str, str]
) -> None:
    first, second = nodes
    api.cordon({first, "gone-already"})
    assert (held(kube, first), held(kube, second)) == ((True, True), (False, False))
    api.cordon({first})
    kubectl(kube, "cordon", second)
    api.cordon(set())
    assert held(kube, first) == (False, False)
    assert held(kube, second) == (True, False), "what a person cordoned is theirs"
    api.cordon({second})
    api.cordon(set())
    assert held(kube, second) == (True, False)


@pytest.fixture
def space(kube: Path, namespace: str) -> str:
    """The namespace, with the account that pods need."""
    kubectl(kube, "create", "namespace", namespace)
    accounts = "get", "serviceaccounts", "-n", namespace, "-o", "name"
    wait_until(lambda: "default" in kubectl(kube, *accounts), 60, "the account")
    return namespace


def environment(name: str, space: str, node: str, **notes: str) -> dict[str, Any]:
    labels = {"research.moc/owner": "ada", "app.kubernetes.io/instance": name}
    metadata = {"name": f"{name}-0", "namespace": space, "labels": labels, "annotations": notes}
    spec = {"nodeName": node, "containers": [{"name": "a", "image": "a"}], "automountServiceAccountToken": False}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def ago(**how_long: float) -> str:
    return (NOW - datetime.timedelta(**how_long)).isoformat()


def test_sessions_say_whether_they_may_be_moved_by_their_last_activity(
    kube: Path, api: KubernetesApi, space: str, nodes: tuple[str, str]
) -> None:
    idle, active = "research.moc/idle-after", "research.moc/last-activity"
    wanted = {
        "used": ({MARK: "false", idle: "3600", active: ago(minutes=5)}, "false"),
        "idle": ({MARK: "false", idle: "3600", active: ago(hours=2)}, "true"),
        "back": ({MARK: "true", idle: "3600", active: ago(seconds=5)}, "false"),
        "unknown": ({MARK: "false", idle: "3600"}, "false"),
        "nonsense": ({MARK: "true", idle: "3600", active: "yesterday"}, "false"),
        "without-offset": ({MARK: "true", idle: "3600", active: "2026-01-01T00:00:00"}, "false"),
        "from-before": ({}, "false"),
        "always": ({MARK: "true"}, "true"),
        "never": ({MARK: "false"}, "false"),
    }
    for name, (notes, _) in wanted.items():
        kubectl(kube, "create", "-f", "-", stdin=environment(name, space, nodes[0], **notes))
    seen = api.sessions()
    assert isinstance(seen, tuple)
    mine = [s for s in seen if s.pod.startswith(f"{space}/")]
    assert {s.title for s in mine} == {f"ada/{name}" for name in wanted}
    assert {s.node for s in mine} == {nodes[0]}
    assert set(sessions.in_use(mine, NOW)[nodes[0]]) == {f"ada/{n}" for n in wanted if n not in ("idle", "always")}

    api.mark_sessions({**sessions.marks(mine, NOW), f"{space}/gone": True})
    pods = json.loads(kubectl(kube, "-n", space, "get", "pods", "-o", "json"))["items"]
    marks = {p["metadata"]["name"].removesuffix("-0"): p["metadata"]["annotations"][MARK] for p in pods}
    assert marks == {name: mark for name, (_, mark) in wanted.items()}
    again = api.sessions()
    assert isinstance(again, tuple)
    assert sessions.marks([s for s in again if s.pod.startswith(f"{space}/")], NOW) == {}


def test_nobody_knows_of_sessions_where_nobody_answers(tmp_path: Path) -> None:
    assert not isinstance(KubernetesApi(tmp_path / "none").sessions(), tuple)


def test_a_session_that_is_going_is_none(kube: Path, api: KubernetesApi, space: str, nodes: tuple[str, str]) -> None:
    kubectl(kube, "create", "-f", "-", stdin=environment("going", space, nodes[0]))
    kubectl(kube, "-n", space, "delete", "pod", "going-0", "--wait=false")
    seen = api.sessions()
    assert isinstance(seen, tuple)
    assert not [s for s in seen if s.pod == f"{space}/going-0"]
    assert Session("a/b", "c/d", "n").in_use(NOW)
