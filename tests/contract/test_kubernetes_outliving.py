"""What a cluster leaves in its cloud, on a real API server: balancers are waited for, volumes kept or gone for good."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.errors import Transient
from reconciler.model.resource import Resource

from .fleet import wait_until
from .objects import kubectl

pytestmark = pytest.mark.live


def bound(kube: Path, space: str) -> str:
    """A claim with its volume, as a driver would have made it: deleted with the claim. Returns the volume's name."""
    name = f"pv-{space}"
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "home", "namespace": space},
        "spec": {
            "storageClassName": "",
            "volumeName": name,
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    volume: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Delete",
            "csi": {"driver": "cinder.csi.openstack.org", "volumeHandle": f"cinder-{space}"},
            "claimRef": {"namespace": space, "name": "home"},
        },
    }
    kubectl(kube, "create", "namespace", space)
    for made in (volume, claim):
        kubectl(kube, "create", "-f", "-", stdin=made)
    phase = "get", "pvc", "home", "-n", space, "-o", "jsonpath={.status.phase}"
    wait_until(lambda: kubectl(kube, *phase) == "Bound", 60, "a claim that is bound")
    return name


def listed(api: KubernetesApi, kind: str, name: str) -> Resource:
    found = api.outliving()
    assert isinstance(found, tuple)
    return next(r for r in found if (r.kind, r.name) == (kind, name))


def test_volumes_are_told_with_their_ids_and_kept(kube: Path, api: KubernetesApi, namespace: str) -> None:
    name = bound(kube, namespace)
    try:
        volume = listed(api, "PersistentVolume", name)
        assert volume.fields == {
            "claim": f"{namespace}/home",
            "handle": f"cinder-{namespace}",
            "size": "1Gi",
            "policy": "Delete",
            "local": False,
        }
        api.retain([name, "pv-that-is-gone"])
        assert listed(api, "PersistentVolume", name).fields["policy"] == "Retain"
        api.prune([listed(api, "PersistentVolumeClaim", f"{namespace}/home")])
        assert json.loads(kubectl(kube, "get", "pv", name, "-o", "json"))["spec"]["csi"]["volumeHandle"]
    finally:
        kubectl(kube, "delete", "pv", name, "--wait=false")


def test_a_volume_that_goes_with_its_claim_is_waited_for(kube: Path, api: KubernetesApi, namespace: str) -> None:
    """Its driver takes its time: who deletes the machines before that leaves the volume in the cloud for good."""
    name = bound(kube, namespace)
    claim = listed(api, "PersistentVolumeClaim", f"{namespace}/home")
    with pytest.raises(Transient, match=f"volume {name} is not gone"):
        KubernetesApi(kube, wait=1).prune([claim])
    driver = threading.Timer(1, lambda: kubectl(kube, "delete", "pv", name, "--wait=false"))
    driver.start()
    wait_until(lambda: name not in kubectl(kube, "get", "pv", "-o", "name"), 60, "the driver")
    driver.join()


def test_balancers_are_seen_whoever_made_them_and_waited_for(kube: Path, api: KubernetesApi, namespace: str) -> None:
    kubectl(kube, "create", "namespace", namespace)
    held = "service.kubernetes.io/load-balancer-cleanup"  # as a cloud controller marks one that it made
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": namespace, "finalizers": [held]},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
    }
    kubectl(kube, "create", "-f", "-", stdin=service)
    found = listed(api, "Service", f"{namespace}/web")
    with pytest.raises(Transient, match=r"is being deleted since .*load-balancer-cleanup"):
        KubernetesApi(kube, wait=1).prune([found])
    patch = '{"metadata": {"finalizers": null}}'
    kubectl(kube, "-n", namespace, "patch", "service", "web", "--type=merge", "-p", patch)
    api.prune([found])
    seen = api.outliving()
    assert isinstance(seen, tuple)
    assert found not in seen
