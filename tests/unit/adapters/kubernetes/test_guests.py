"""Who a drain evicts, which volumes go with it, and which PodDisruptionBudget holds it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.adapters.kubernetes.guests import guests
from reconciler.errors import Permanent
from reconciler.model.guest import Guest

CONTROLLED = [{"kind": "ReplicaSet", "name": "web", "controller": True}]


def pod(name: str, *, node: str = "w1", claims: tuple[str, ...] = (), owners: Any = CONTROLLED, **more: Any) -> Any:
    volumes = [{"persistentVolumeClaim": {"claimName": claim}} for claim in claims]
    metadata = {"name": name, "namespace": "sid", "labels": {"app": name}, "ownerReferences": owners} | more
    return {"metadata": metadata, "spec": {"nodeName": node, "volumes": [*volumes, {"emptyDir": {}}]}, "status": {}}


def budget(name: str, selector: Any, allowed: int = 0, space: str = "sid") -> Any:
    metadata = {"name": name, "namespace": space}
    return {"metadata": metadata, "spec": {"selector": selector}, "status": {"disruptionsAllowed": allowed}}


def volume(claim: str, **spec: Any) -> Any:
    return {"spec": {"claimRef": {"namespace": "sid", "name": claim}, **spec}}


class Connection:
    """A server's lists, as far as they are asked for."""

    def __init__(self, pods: list[Any], budgets: list[Any] = [], volumes: list[Any] = [], cordoned: str = "") -> None:  # noqa: B006
        self.pods, self.cordoned = pods, cordoned
        self.lists = {"/apis/policy/v1/poddisruptionbudgets": budgets, "/api/v1/persistentvolumes": volumes}

    def items(self, path: str, **query: str) -> Iterator[Any]:
        key = query.get("fieldSelector", "").partition("=")[2]
        if path == "/api/v1/pods":
            return iter([p for p in self.pods if p["spec"]["nodeName"] == key])
        if path == "/api/v1/nodes":
            return iter([{"spec": {"unschedulable": key == self.cordoned}}])
        return iter(self.lists[path])


def seen(*pods: Any, **rest: Any) -> tuple[Guest, ...]:
    made: Any = Connection(list(pods), **rest)
    return guests(made, ["w1", "w2"])


def test_what_a_drain_leaves_alone_is_no_guest() -> None:
    daemon = pod("daemon", owners=[{"kind": "DaemonSet", "name": "d", "controller": True}])
    mirror = pod("mirror", owners=None, annotations={"kubernetes.io/config.mirror": "x"})
    over = {**pod("over"), "status": {"phase": "Succeeded"}}
    assert seen(daemon, mirror, over, pod("elsewhere", node="w3")) == ()
    assert seen(pod("b"), pod("a", node="w2")) == (Guest("sid/a", "w2"), Guest("sid/b", "w1"))


def test_a_pod_that_nothing_makes_anew() -> None:
    assert [g.alone for g in seen(pod("a", owners=None), pod("b"))] == [True, False]


@pytest.mark.parametrize(
    ("spec", "pinned"),
    [
        ({"local": {"path": "/data"}}, True),
        ({"hostPath": {"path": "/data"}}, True),
        ({"csi": {"driver": "cinder.csi.openstack.org"}}, False),
        ({"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
            {"key": "kubernetes.io/hostname", "operator": "In", "values": ["w1"]}]}]}}}, True),
        ({"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
            {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["a"]}]}]}}}, False),
    ],
)  # fmt: skip
def test_which_volumes_move(spec: dict[str, Any], pinned: bool) -> None:
    (guest,) = seen(pod("a", claims=("data",)), volumes=[volume("data", **spec), volume("other", local={})])
    assert guest.volumes == ("sid/data",)
    assert guest.pinned == (("sid/data",) if pinned else ())


@pytest.mark.parametrize(
    ("selector", "holds"),
    [
        ({"matchLabels": {"app": "a"}}, True),
        ({"matchLabels": {"app": "b"}}, False),
        ({}, True),
        (None, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Odd"}]}, False),
    ],
)
def test_which_budget_holds_a_drain(selector: Any, holds: bool) -> None:
    (guest,) = seen(pod("a"), budgets=[budget("b", selector), budget("c", {}, allowed=1), budget("d", {}, space="x")])
    assert guest.budgets == (("sid/b",) if holds else ())


def test_a_node_that_is_being_drained() -> None:
    assert [g.draining for g in seen(pod("a"), pod("b", node="w2"), cordoned="w2")] == [False, True]


@pytest.mark.parametrize(
    "broken",
    [
        {"metadata": 3, "spec": {"nodeName": "w1"}},
        {"metadata": {}, "spec": {"nodeName": "w1"}},
        {"metadata": {"name": "a", "ownerReferences": ["x"]}, "spec": {"nodeName": "w1"}},
        {"metadata": {"name": "a"}, "spec": {"nodeName": "w1", "volumes": "abc"}},
    ],
)
def test_what_is_no_pod_is_told_in_words(broken: Any) -> None:
    with pytest.raises(Permanent, match="what Kubernetes does not"):
        seen(broken)


def test_what_is_no_budget_is_told_in_words() -> None:
    with pytest.raises(Permanent):
        seen(pod("a"), budgets=[{"status": {"disruptionsAllowed": "many"}}])
