"""Who a drain evicts and what holds it, on a real API server whose disruption controller counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.model.guest import Guest

from .fleet import wait_until
from .objects import IMAGE, kubectl

pytestmark = pytest.mark.live


def _objects(space: str, node: str) -> list[dict[str, Any]]:
    named = {"namespace": space, "name": "web", "labels": {"app": "web"}}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": ""}
    volume = {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/srv"},
        "claimRef": {"namespace": space, "name": "web"}, "storageClassName": "",
    }  # fmt: skip
    pod = {
        "nodeName": node,
        "containers": [{"name": "web", "image": IMAGE}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "web"}}],
    }
    budget = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}},
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": space}, "spec": volume},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": named, "spec": claim},
        {"apiVersion": "v1", "kind": "Pod", "metadata": named, "spec": pod},
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": named, "spec": budget},
    ]


def test_pods_volumes_and_budgets_of_a_node(kube: Path, namespace: str) -> None:
    node = kubectl(kube, "get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
    space, *rest = _objects(namespace, node)
    kubectl(kube, "apply", "-f", "-", stdin=space)
    account = ("-n", namespace, "get", "serviceaccount", "default", "--ignore-not-found", "-o", "name")
    wait_until(lambda: kubectl(kube, *account) != "", 30, "the account that pods run as")
    kubectl(kube, "apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": rest})
    claim = f"{namespace}/web"
    wanted = Guest(claim, node, alone=True, volumes=(claim,), pinned=(claim,), budgets=(claim,))

    def seen() -> Guest | None:
        return next((g for g in KubernetesApi(kube).guests([node, "nowhere"]) if g.name == claim), None)

    try:
        wait_until(lambda: seen() == wanted, 30, "the budget to be counted")
        kubectl(kube, "cordon", node)
        assert (found := seen()) is not None
        assert found.draining
    finally:
        kubectl(kube, "uncordon", node)
        kubectl(kube, "delete", "persistentvolume", namespace, "--wait=false")
