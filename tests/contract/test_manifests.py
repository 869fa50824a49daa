"""The manifests this repository ships, on a real control plane: admitted, healthy, and then nothing left to change."""

from __future__ import annotations

import base64
import datetime
import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.model.desired import Environment, Workload
from reconciler.model.resource import Key, Known, Owner
from reconciler.ports import Allowance, Manifest
from reconciler.spec.render.environment import COMMON, OWNER, environment, shared
from reconciler.spec.render.workload import workload

from .objects import Spoken

pytestmark = pytest.mark.live

PROJECT = Path(__file__).parents[2]
ROOT = PROJECT / "manifests"
TODAY = datetime.date(2026, 11, 25)


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
    KubernetesApi(kube, wait=90).apply(part_of, manifests, Spoken())
    assert differences(kube, part_of, manifests) == []


def differences(kube: Path, part_of: str, manifests: list[Manifest]) -> list[str]:
    """What is not as desired: objects that are missing or too many, fields that differ."""
    found = KubernetesApi(kube).compare(part_of, manifests, ())
    live = {r.key for listing in found.live.values() if isinstance(listing, Known) for r in listing.resources}
    fields = [f"{e.key} {field}" for e in found.expected if e.key in live for field in e.fields]
    return sorted([*fields, *(str(key) for key in {e.key for e in found.expected} ^ live)])


def test_the_back_end_runs(kube: Path) -> None:
    source = Workload(name="sid-backend", path="manifests/sid-backend", namespace="sid")
    folder = ROOT / "sid-backend"
    manifests = workload({str(p): p.read_bytes() for p in folder.iterdir()}, source)
    try:
        applied_then_equal(kube, "sid-backend", manifests)
    finally:
        kubectl(kube, "delete", "namespace", "sid", "--wait=true", "--timeout=60s")


def test_placeholders_run_and_give_way_to_an_environment(kube: Path, owner: str) -> None:
    source = Workload(name="placeholders", path="manifests/placeholders", namespace="placeholders")
    folder = ROOT / "placeholders"
    manifests = workload({str(p): p.read_bytes() for p in folder.iterdir()}, source)
    try:
        applied_then_equal(kube, "placeholders", manifests)
        get = ("get", "pods", "-n", "placeholders", "-o", "jsonpath={.items[0].spec.priority}")
        assert kubectl(kube, *get) == "-10"
        assert [m["value"] for m in shared(owner, [asked(owner)], below(OWNER)) if m["kind"] == "PriorityClass"] == [0]
    finally:
        kubectl(kube, "delete", "namespace", "placeholders", "--wait=true", "--timeout=60s")


def asked(owner: str, type_: str = "jupyter", **spec: object) -> Environment:
    return Environment.model_validate(
        {
            "apiVersion": "research.moc/v1alpha1",
            "kind": "Environment",
            "metadata": {"name": "work"},
            "spec": {"type": type_, "owner": owner, **spec},
        },
        strict=False,
    )


def below(*folders: str) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for folder in folders for p in sorted((PROJECT / folder).iterdir())}


def objects(env: Environment, today: datetime.date = TODAY) -> list[Manifest]:
    templates = below(COMMON, f"manifests/environments/{env.spec.type}")
    return [*shared(env.spec.owner, [env], below(OWNER)), *environment(env, templates, today)]


@pytest.mark.usefixtures("volume")
@pytest.mark.parametrize("type_", ["jupyter", "rstudio", "desktop"])
def test_an_environment_runs_within_the_restricted_standard(kube: Path, owner: str, type_: str) -> None:
    packages = {"r": ["dplyr"]} if type_ == "rstudio" else {"pip": ["numpy==2.1.0"], "conda": ["gdal"]}
    env = asked(owner, type_, expires="2027-06-30", packages=packages)

    applied_then_equal(kube, f"environments-{owner}", objects(env))

    claim = kubectl(kube, "get", "pvc", "work", "-n", f"env-{owner}", "-o", "jsonpath={.status.phase}")
    assert claim == "Bound"


@pytest.mark.usefixtures("volume")
def test_an_environment_ends_comes_back_is_culled_and_is_not_fought_over(kube: Path, owner: str) -> None:
    """Who owns `replicas` when: git only while it says that the environment has to be stopped."""
    part_of, namespace = f"environments-{owner}", f"env-{owner}"
    env = asked(owner, expires="2026-11-25")
    running, stopped = objects(env), objects(env, TODAY + datetime.timedelta(days=1))
    applied_then_equal(kube, part_of, running)
    assert replicas(kube, namespace) == "1"

    assert differences(kube, part_of, stopped) == [f"StatefulSet {namespace}/work spec.replicas"]
    applied_then_equal(kube, part_of, stopped)
    assert replicas(kube, namespace) == "0"
    assert differences(kube, part_of, running) == [f"StatefulSet {namespace}/work spec.replicas"]
    applied_then_equal(kube, part_of, running)
    assert replicas(kube, namespace) == "1"

    kubectl(kube, "scale", "statefulset", "work", "-n", namespace, "--replicas=0")  # as a culler does
    assert differences(kube, part_of, running) == []
    KubernetesApi(kube, wait=30).apply(part_of, running, Spoken())
    assert replicas(kube, namespace) == "0"
    for count in (1, 0, 1):  # and as who opens it again does
        scale = ("--subresource=scale", "--field-manager=sid-backend", "--type=merge")
        kubectl(
            kube,
            "patch",
            "statefulset",
            "work",
            "-n",
            namespace,
            *scale,
            "-p",
            json.dumps({"spec": {"replicas": count}}),
        )
    assert differences(kube, part_of, running) == []
    theirs = Allowance(taking={Key("StatefulSet", f"{namespace}/work"): frozenset({Owner("sid-backend")})})
    KubernetesApi(kube, wait=30).apply(part_of, stopped, Spoken(), theirs)
    assert replicas(kube, namespace) == "0"
    kept = objects(asked(owner, expires="2026-11-25", cull={"enabled": False}))
    assert f"StatefulSet {namespace}/work spec.replicas" in differences(kube, part_of, kept)

    # A token that is gone is made anew, and what runs with the one before is started anew.
    before = token(kube, namespace)
    KubernetesApi(kube, wait=30).apply(part_of, running, Spoken())
    assert token(kube, namespace) == before
    kubectl(kube, "delete", "secret", "work", "-n", namespace)
    secrets = [m for m in running if m["kind"] == "Secret"]
    assert differences(kube, part_of, running) == [f"Secret {namespace}/work"]
    applied_then_equal(kube, part_of, secrets)
    assert token(kube, namespace) not in ("", before)
    at = "jsonpath={.spec.template.metadata.annotations.kubectl\\.kubernetes\\.io/restartedAt}"
    assert kubectl(kube, "get", "statefulset", "work", "-n", namespace, "-o", at)
    assert differences(kube, part_of, running) == []


def replicas(kube: Path, namespace: str) -> str:
    return kubectl(kube, "get", "statefulset", "work", "-n", namespace, "-o", "jsonpath={.spec.replicas}")


def token(kube: Path, namespace: str) -> str:
    found = kubectl(kube, "get", "secret", "work", "-n", namespace, "-o", "jsonpath={.data.token}")
    return base64.b64decode(found).decode()


@pytest.mark.usefixtures("volume")
def test_a_volume_that_would_shrink_is_a_difference_and_no_failure(kube: Path, owner: str) -> None:
    part_of = f"environments-{owner}"
    applied_then_equal(kube, part_of, objects(asked(owner, volume="10Gi")))
    smaller = objects(asked(owner, volume="5Gi"))
    size = "spec.resources.requests.storage"
    assert differences(kube, part_of, smaller) == [f"PersistentVolumeClaim env-{owner}/work {size}"]


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
    data = dict.fromkeys(("client.crt", "client.key", "ca.crt"), "dGVzdA==")
    metadata = {"name": "cluster-autoscaler-certificates", "namespace": "kube-system"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
