"""The manifests this repository ships, on a real control plane: admitted, healthy, and then nothing left to change."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.model.desired import Environment, Workload
from reconciler.model.resource import Known
from reconciler.ports import Manifest
from reconciler.spec.render.environment import environment
from reconciler.spec.render.workload import workload

from .objects import Spoken

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2] / "manifests"


def kubectl(kube: Path, *args: str, stdin: object = None) -> str:
    command = ["kubectl", "--kubeconfig", str(kube), *args]
    text = None if stdin is None else json.dumps(stdin)
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def owner(kube: Path) -> Iterator[str]:
    name = f"t{uuid.uuid4().hex[:8]}"
    yield name
    kubectl(kube, "delete", "namespace", f"env-{name}", "--ignore-not-found", "--wait=false")


@pytest.fixture
def volume(kube: Path, owner: str) -> Iterator[None]:
    """A volume of the default class, as a cloud's provisioner would make one."""
    spec: dict[str, Any] = {
        "capacity": {"storage": "10Gi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": f"/nowhere/{owner}"},
        "storageClassName": _default_class(kube),
    }
    made = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": owner}, "spec": spec}
    kubectl(kube, "apply", "-f", "-", stdin=made)
    yield
    kubectl(kube, "delete", "pv", owner, "--wait=false")


def _default_class(kube: Path) -> str:
    classes = json.loads(kubectl(kube, "get", "storageclass", "-o", "json"))["items"]
    mark = "storageclass.kubernetes.io/is-default-class"
    return next(str(c["metadata"]["name"]) for c in classes if c["metadata"].get("annotations", {}).get(mark) == "true")


def applied_then_equal(kube: Path, part_of: str, manifests: list[Manifest]) -> None:
    api = KubernetesApi(kube, wait=90)
    api.apply(part_of, manifests, Spoken())
    found = api.compare(part_of, manifests, ())
    assert [(str(e.key), dict(e.fields)) for e in found.expected if e.fields] == []
    live = {r.key for listing in found.live.values() if isinstance(listing, Known) for r in listing.resources}
    assert live == {e.key for e in found.expected}


def test_the_back_end_runs(kube: Path) -> None:
    source = Workload(name="sid-backend", path="manifests/sid-backend", namespace="sid")
    folder = ROOT / "sid-backend"
    manifests = workload({str(p): p.read_bytes() for p in folder.iterdir()}, source)
    try:
        applied_then_equal(kube, "sid-backend", manifests)
    finally:
        kubectl(kube, "delete", "namespace", "sid", "--wait=true", "--timeout=60s")


@pytest.mark.usefixtures("volume")
@pytest.mark.parametrize("type_", ["jupyter", "rstudio", "desktop"])
def test_an_environment_runs_within_the_restricted_standard(kube: Path, owner: str, type_: str) -> None:
    env = Environment.model_validate(
        {
            "apiVersion": "research.moc/v1alpha1",
            "kind": "Environment",
            "metadata": {"name": "work"},
            "spec": {"type": type_, "owner": owner, "expires": "2027-06-30"},
        }
    )
    manifests = environment(env, {str(p): p.read_bytes() for p in (ROOT / "environments" / type_).iterdir()})

    applied_then_equal(kube, f"environments-{owner}", manifests)

    claim = kubectl(kube, "get", "pvc", "work", "-n", f"env-{owner}", "-o", "jsonpath={.status.phase}")
    assert claim == "Bound"


def test_the_cluster_autoscaler_and_its_example_are_admitted(kube: Path) -> None:
    """Its image and its certificates are elsewhere; that its objects are right is the server's to say."""
    source = Workload(name="cluster-autoscaler", path="manifests/cluster-autoscaler", namespace="kube-system")
    folders = ("cluster-autoscaler", "examples")
    files = {str(p): p.read_bytes() for folder in folders for p in (ROOT / folder).iterdir()}
    manifests = [*workload(files, source), _certificates()]
    try:
        applied_then_equal(kube, "cluster-autoscaler", manifests)
        for asked, answer in {
            ("list", "pods"): "yes",
            ("create", "pods", "--subresource=eviction", "-n", "sid"): "yes",
            ("get", "secrets", "-n", "kube-system"): "no",
        }.items():
            who = "--as=system:serviceaccount:kube-system:cluster-autoscaler"
            done = subprocess.run(
                ["kubectl", "--kubeconfig", str(kube), "auth", "can-i", *asked, who],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.stdout.strip() == answer, (asked, done.stderr)
    finally:
        kubectl(kube, "delete", "namespace", "autoscaled", "--wait=false", "--ignore-not-found")
        kubectl(kube, "delete", "deployment/cluster-autoscaler", "-n", "kube-system", "--ignore-not-found")


def _certificates() -> Manifest:
    data = dict.fromkeys(("tls.crt", "tls.key", "ca.crt"), "dGVzdA==")
    metadata = {"name": "cluster-autoscaler-certificates", "namespace": "kube-system"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
