"""Watches on a real API server: what others do to ours is told at once, what we do is not, and gaps are closed."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reconciler.adapters.kubernetes import KubernetesApi, KubernetesWatches
from reconciler.adapters.kubernetes.connection import APPLY_PATCH, MERGE_PATCH, Connection
from reconciler.ports import Api, Manifest
from reconciler.progress import QuietProgress

pytestmark = pytest.mark.live

KINDS = frozenset({"v1/ConfigMap", "apps/v1/Deployment", "example.org/v1/Nothing"})


@dataclass
class Scene:
    """One namespace of one API, watched for one cluster."""

    kubeconfig: Path
    seen: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cluster = f"w{uuid.uuid4().hex[:8]}"
        self.connection = Connection(self.kubeconfig, None, 10)
        self.api = KubernetesApi(self.kubeconfig)
        self.watches = KubernetesWatches(lambda cluster, what: self.seen.append((cluster, what)))
        self.connection.request("POST", "/api/v1/namespaces", body={"metadata": {"name": self.cluster}})

    def follow(self, *clusters: str) -> None:
        for cluster in clusters:
            self.watches.follow(cluster, [Api(self.kubeconfig, None, KINDS, nodes=cluster == self.cluster)])
        until(lambda: self.watches.streams() == 3, "the streams")

    def manifest(self, data: str = "1") -> Manifest:
        metadata = {"name": "settings", "namespace": self.cluster}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"x": data}}

    def apply(self, data: str = "1", cluster: str = "") -> None:
        self.api.apply(f"{cluster or self.cluster}.workloads", [self.manifest(data)], QuietProgress())

    def them(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> None:
        """As somebody at a keyboard does it: the server would take our user agent for the manager."""
        query = {"fieldManager": "kubectl-edit"} if body is not None else {}
        self.connection.request(method, path, query=query, body=body, content_type=content_type)

    @property
    def path(self) -> str:
        return f"/api/v1/namespaces/{self.cluster}/configmaps/settings"

    def told(self) -> list[str]:
        """What was told since the last time. What comes in order is complete when the mark at its end is there."""
        mark = f"mark-{uuid.uuid4().hex[:8]}"
        body = {"metadata": {"name": mark, "labels": {"applyset.kubernetes.io/part-of": f"{self.cluster}.workloads"}}}
        self.them("POST", f"/api/v1/namespaces/{self.cluster}/configmaps", body)
        until(lambda: any(mark in what for _, what in self.seen), "the mark")
        found = [what for cluster, what in self.seen if cluster == self.cluster and "mark-" not in what]
        self.seen.clear()
        return found


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


@pytest.fixture
def scene(kube: Path) -> Iterator[Scene]:
    made = Scene(kube)
    try:
        yield made
    finally:
        made.watches.close()
        made.connection.request("DELETE", f"/api/v1/namespaces/{made.cluster}")


def test_what_others_do_is_told_and_our_own_applies_are_not(scene: Scene) -> None:
    scene.follow(scene.cluster)
    name = f"ConfigMap {scene.cluster}/settings"
    scene.apply("1")
    scene.apply("2")
    assert scene.told() == []
    scene.them("PATCH", scene.path, {"data": {"x": "theirs"}}, MERGE_PATCH)
    assert scene.told() == [f"{name} changed"]
    time.sleep(1.1)  # the server's times are in seconds
    scene.apply("2")  # takes it back
    assert scene.told() == []
    scene.them("PATCH", scene.path, {"data": {"x": None}}, MERGE_PATCH)
    assert scene.told() == [f"{name} changed"]
    scene.connection.request("DELETE", scene.path)
    assert scene.told() == [f"{name} deleted"]
    scene.apply("2")
    assert scene.told() == []


def test_a_status_is_not_told_and_a_label_taken_off_is(scene: Scene) -> None:
    scene.follow(scene.cluster)
    where = f"/apis/apps/v1/namespaces/{scene.cluster}/deployments/web"
    container = {"name": "web", "image": "registry.k8s.io/pause:3.10"}
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": scene.cluster},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}},
        },
    }
    scene.api.apply(f"{scene.cluster}.workloads", [manifest], QuietProgress())  # until it is healthy: statuses came
    time.sleep(0.5)
    assert [s for s in scene.seen if "web" in s[1]] == []
    off = {"metadata": {"labels": {"applyset.kubernetes.io/part-of": None}}}
    scene.them("PATCH", where, off, MERGE_PATCH)
    until(lambda: (scene.cluster, f"Deployment {scene.cluster}/web deleted") in scene.seen, "the label")


def test_clusters_on_one_api_share_its_streams_and_hear_of_their_own(scene: Scene) -> None:
    other = f"{scene.cluster}x"
    scene.follow(scene.cluster, other)
    assert scene.watches.streams() == 3
    scene.apply("1", cluster=other)
    scene.connection.request("DELETE", scene.path)
    until(lambda: (other, f"ConfigMap {scene.cluster}/settings deleted") in scene.seen, "the other cluster's event")
    assert scene.told() == []
    scene.watches.follow(scene.cluster, ())
    scene.watches.follow(other, ())
    until(lambda: scene.watches.streams() == 0, "the streams to end")


def test_a_node_is_told_to_the_cluster_whose_api_it_is(scene: Scene) -> None:
    scene.follow(scene.cluster)
    node = next(n["metadata"]["name"] for n in scene.connection.items("/api/v1/nodes"))
    for value in ("yes", None):
        patch = {"metadata": {"labels": {"example.org/watched": value}}}
        scene.them("PATCH", f"/api/v1/nodes/{node}", patch, MERGE_PATCH)
    until(lambda: (scene.cluster, f"Node {node} changed") in scene.seen, "the node")


def test_what_changed_while_nobody_watched_is_told_when_the_server_forgot_where_we_were(scene: Scene) -> None:
    scene.apply("1")
    scene.follow(scene.cluster)
    assert scene.told() == []
    (watched,) = scene.watches._apis.values()
    stream = watched._streams["v1/ConfigMap"]

    async def lose() -> None:
        """As after a long time away: the version is too old, and the connection is gone."""
        stream.version = "1"
        assert watched._connection
        watched._connection.close()

    assert scene.watches._loop
    scene.them("PATCH", scene.path, {"data": {"x": "theirs"}}, MERGE_PATCH)
    until(lambda: scene.seen, "the first event")
    scene.seen.clear()
    asyncio.run_coroutine_threadsafe(lose(), scene.watches._loop).result(10)
    scene.connection.request("DELETE", scene.path)
    until(lambda: (scene.cluster, f"ConfigMap {scene.cluster}/settings deleted") in scene.seen, "what was missed")


def test_a_kind_that_is_defined_later_and_an_api_that_is_away_disturb_nobody(scene: Scene, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.write_text(scene.kubeconfig.read_text().replace(scene.connection._open()[0].host, "https://127.0.0.1:9"))
    scene.watches.follow("away", [Api(away, None, KINDS, nodes=True), Api(tmp_path / "none", None, KINDS)])
    scene.follow(scene.cluster)
    labels = {"applyset.kubernetes.io/part-of": f"{scene.cluster}.workloads"}
    made = {**scene.manifest(), "metadata": {"name": "settings", "namespace": scene.cluster, "labels": labels}}
    scene.them("PATCH", scene.path, made, APPLY_PATCH)
    assert scene.told() == [f"ConfigMap {scene.cluster}/settings added"]
