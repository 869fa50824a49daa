"""Manifests in the shape of well-known examples, as people publish them, on a real API server: they go in unchanged,
and then nothing is left to change."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.errors import Invalid
from reconciler.model.desired import Workload
from reconciler.model.resource import Known
from reconciler.ports import Manifest
from reconciler.spec.render.workload import workload

from .objects import Spoken, kubectl

pytestmark = pytest.mark.live

# A byte order mark, Windows line ends, documents of comments alone, tabs behind a #, and what kubectl once wrote out.
GUESTBOOK = (
    "\ufeff# SOURCE: the tutorial's guestbook\r\n"
    "---\r\n"
    "#\ta tab, and nothing else\r\n"
    "---\r\n"
    "apiVersion: apps/v1 # for versions before 1.9.0 use apps/v1beta2\r\n"
    "kind: Deployment\r\n"
    "metadata:\r\n"
    "  name: redis-leader\r\n"
    "  creationTimestamp: null\r\n"
    "  labels:\r\n"
    "    app: redis\r\n"
    "spec:\r\n"
    "  replicas: 1\r\n"
    "  strategy: {}\r\n"
    "  selector:\r\n"
    "    matchLabels:\r\n"
    "      app: redis\r\n"
    "  template:\r\n"
    "    metadata:\r\n"
    "      creationTimestamp: null\r\n"
    "      labels:\r\n"
    "        app: redis\r\n"
    "        role: leader\r\n"
    "    spec:\r\n"
    "      containers:\r\n"
    "      - name: leader\r\n"
    '        image: "docker.io/redis:6.0.5"\r\n'
    "        resources:\r\n"
    "          requests:\r\n"
    "            cpu: 100m\r\n"
    "            memory: 100Mi\r\n"
    "        ports:\r\n"
    "        - containerPort: 6379\r\n"
    "status: {}\r\n"
    "---\r\n"
    "apiVersion: v1\r\n"
    "kind: Service\r\n"
    "metadata:\r\n"
    "  name: redis-leader\r\n"
    "spec:\r\n"
    "  ports:\r\n"
    "  - port: 6379\r\n"
    "    targetPort: 6379\r\n"
    "  selector:\r\n"
    "    app: redis\r\n"
    "status:\r\n"
    "  loadBalancer: {}\r\n"
    "---\r\n"
)
# As `kubectl get -o yaml` writes: a List of one name over several kinds, with what says nothing.
BOOKINFO = """\
apiVersion: v1
kind: List
metadata:
  resourceVersion: ""
items:
- apiVersion: v1
  kind: ServiceAccount
  metadata: {name: bookinfo-productpage, labels: {account: productpage}}
- apiVersion: v1
  kind: Service
  metadata:
    name: productpage
    labels: &labels {app: productpage, service: productpage}
    annotations:
      kubectl.kubernetes.io/last-applied-configuration: |
        {"apiVersion":"v1","kind":"Service"}
  spec:
    clusterIP:
    ports: [{port: 9080, name: http, protocol: TCP}]
    selector: {app: productpage}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: productpage, labels: *labels}
  spec:
    replicas: 1
    selector: {matchLabels: {app: productpage, version: v1}}
    template:
      metadata: {labels: {app: productpage, version: v1}, annotations: {prometheus.io/scrape: "true"}}
      spec:
        serviceAccountName: bookinfo-productpage
        containers:
        - name: productpage
          image: docker.io/istio/examples-bookinfo-productpage-v1:1.20.1
          imagePullPolicy: IfNotPresent
          env: [{name: FLOOD_FACTOR, value: "0"}, {name: EMPTY}]
          ports: [{containerPort: 9080}]
          volumeMounts: [{name: tmp, mountPath: /tmp}]
        volumes: [{name: tmp, emptyDir: {}}]
- apiVersion: networking.k8s.io/v1
  kind: Ingress
  metadata: {name: productpage}
  spec:
    rules:
    - http:
        paths:
        - {path: /productpage, pathType: Exact, backend: {service: {name: productpage, port: {number: 9080}}}}
- apiVersion: policy/v1
  kind: PodDisruptionBudget
  metadata: {name: productpage}
  spec: {minAvailable: 50%, selector: {matchLabels: {app: productpage}}}
- apiVersion: autoscaling/v2
  kind: HorizontalPodAutoscaler
  metadata: {name: productpage}
  spec:
    minReplicas: 1
    maxReplicas: 3
    scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: productpage}
    metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
"""
# An operator and what it operates, in one folder: the instances stand before their definition.
INSTANCES = """\
apiVersion: {group}/v1
kind: Cache
metadata: {{name: small}}
spec: {{size: 1, mode: "yes", schedule: "0 3 * * *"}}
status: {{phase: Unknown}}
---
apiVersion: {group}/v1
kind: CacheClass
metadata: {{name: {group}}}
spec: {{}}
"""
OPERATOR = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  annotations: {{controller-gen.kubebuilder.io/version: v0.16.4}}
  creationTimestamp: null
  name: caches.{group}
spec:
  group: {group}
  names: {{kind: Cache, listKind: CacheList, plural: caches, singular: cache}}
  scope: Namespaced
  versions:
  - name: v1
    additionalPrinterColumns: [{{jsonPath: .spec.size, name: Size, type: integer}}]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size]
            properties:
              size: {{type: integer, format: int32, minimum: 0, default: 1}}
              mode: {{type: string, enum: ["yes", "no"]}}
              schedule: {{type: string}}
          status: {{type: object, properties: {{phase: {{type: string}}}}}}
    served: true
    storage: true
    subresources: {{status: {{}}}}
status:
  acceptedNames: {{kind: "", plural: ""}}
  conditions: []
  storedVersions: []
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: cacheclasses.{group}}}
spec:
  group: {group}
  names: {{kind: CacheClass, plural: cacheclasses}}
  scope: Cluster
  versions:
  - name: v1
    served: true
    storage: true
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: manager}}
rules:
- {{apiGroups: [""], resources: [events], verbs: [create, patch]}}
- {{apiGroups: [{group}], resources: [caches, caches/status], verbs: ["*"]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: manager-config}}
data:
  controller.yaml: |
    leaderElection: yes
    mode: 0644
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: ca}}
binaryData: {{ca.der: AAEC}}
immutable: true
---
apiVersion: batch/v1
kind: CronJob
metadata: {{name: backup}}
spec:
  schedule: "*/5 * * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: OnFailure
          containers:
          - {{name: backup, image: busybox, args: ["/bin/sh", "-c", "date; echo Hello"]}}
          volumes: [{{name: config, configMap: {{name: manager-config, defaultMode: 0o440}}}}]
"""


@pytest.fixture
def namespace(kube: Path) -> Iterator[str]:
    made = f"public-{uuid.uuid4().hex[:8]}"
    kubectl(kube, "create", "namespace", made)
    yield made
    kubectl(kube, "delete", "namespace", made, "--wait=false")


def applied_then_equal(kube: Path, manifests: list[Manifest], namespace: str) -> None:
    api = KubernetesApi(kube, wait=90)
    api.apply(namespace, manifests, Spoken())
    for _ in range(2):
        found = api.compare(namespace, manifests, ())
        assert [(str(e.key), dict(e.fields)) for e in found.expected if e.fields] == []
        live = {r.key for listing in found.live.values() if isinstance(listing, Known) for r in listing.resources}
        assert live == {e.key for e in found.expected}
        api.apply(namespace, manifests, Spoken())


def read(namespace: str, **files: str) -> list[Manifest]:
    source = Workload(name="public", path="manifests/public", namespace=namespace)
    return workload({f"manifests/public/{name}.yaml": text.encode() for name, text in files.items()}, source)


def test_what_windows_and_kubectl_write(kube: Path, namespace: str) -> None:
    manifests = read(namespace, guestbook=GUESTBOOK)
    assert [m["kind"] for m in manifests] == ["Deployment", "Service"]
    applied_then_equal(kube, manifests, namespace)


def test_a_list_of_one_name_over_many_kinds(kube: Path, namespace: str) -> None:
    manifests = read(namespace, bookinfo=BOOKINFO)
    assert len(manifests) == 6
    applied_then_equal(kube, manifests, namespace)


def test_an_operator_with_what_it_operates(kube: Path, namespace: str) -> None:
    group = f"{namespace}.example.org"
    texts = {"a-instances": INSTANCES.format(group=group), "b-operator": OPERATOR.format(group=group)}
    try:
        applied_then_equal(kube, read(namespace, **texts), namespace)
        cache = json.loads(kubectl(kube, "get", f"caches.{group}", "small", "-n", namespace, "-o", "json"))
        assert cache["spec"]["mode"] == "yes"
        assert "status" not in cache, "a status is its controller's to write"
    finally:
        kubectl(kube, "delete", "crd", f"caches.{group}", f"cacheclasses.{group}", "--ignore-not-found")


def definition(group: str, levels: int = 22) -> str:
    """A definition as operators publish it, more than 1 MiB of YAML, most of it indentation: each level nests a pod's
    worth of fields."""
    schema: dict[str, Any] = {f"p{n}": {"type": "string"} for n in range(14)}
    for level in range(levels):
        lists = {f"q{level}x{n}": {"type": "array", "items": {"type": "string"}} for n in range(130)}
        schema = {f"d{level}": {"type": "object", "properties": schema}, **lists}
    versions = {"name": "v1", "served": True, "storage": True}
    whole = {"openAPIV3Schema": {"type": "object", "properties": schema}}
    spec = {"group": group, "names": {"kind": "Huge", "plural": "huges"}, "scope": "Namespaced"}
    made = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"huges.{group}"},
        "spec": {**spec, "versions": [{**versions, "schema": whole}]},
    }
    return yaml.safe_dump(made, indent=4)


def test_a_definition_of_more_than_a_mib_of_yaml(kube: Path, namespace: str) -> None:
    group = f"{namespace}.example.org"
    text = definition(group)
    assert len(text) > 1_300_000
    try:
        applied_then_equal(kube, read(namespace, huge=text), namespace)
    finally:
        kubectl(kube, "delete", "crd", f"huges.{group}", "--ignore-not-found")


def test_it_reads_what_kubectl_reads(kube: Path, namespace: str, tmp_path: Path) -> None:
    """The same text by kubectl's reader and by ours: not one object is another."""
    group = f"{namespace}.example.org"
    for name, text in {"guestbook": GUESTBOOK, "operator": OPERATOR.format(group=group)}.items():
        file = tmp_path / f"{name}.yaml"
        file.write_bytes(text.replace("defaultMode: 0o440", "defaultMode: 288").encode())
        argv = ["kubectl", "--kubeconfig", str(kube), "create", "--dry-run=client", "--validate=false", "-o", "json"]
        done = subprocess.run(
            [*argv, "-n", namespace, "-f", str(file)], capture_output=True, text=True, timeout=60, check=True
        )
        theirs = {(o["kind"], o["metadata"]["name"]): o for o in _objects(done.stdout)}
        ours = {(m["kind"], m["metadata"]["name"]): m for m in read(namespace, one=file.read_text())}
        assert theirs.keys() == ours.keys()
        for key, manifest in ours.items():
            assert _said(manifest.get("spec")) == _said(theirs[key].get("spec")), key
            assert _said(manifest.get("data")) == _said(theirs[key].get("data")), key


def _objects(text: str) -> Iterator[dict[str, Any]]:
    decoder, rest = json.JSONDecoder(), text.strip()
    while rest:
        one, end = decoder.raw_decode(rest)
        yield from one["items"] if one["kind"] == "List" else [one]
        rest = rest[end:].strip()


def _said(value: object) -> object:
    """Without what says nothing: null."""
    if isinstance(value, dict):
        return {k: _said(v) for k, v in value.items() if v is not None}
    return [_said(v) for v in value] if isinstance(value, (list, tuple)) else value


def test_generate_name_is_refused_with_a_reason() -> None:
    text = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  generateName: pi-\nspec: {}\n"
    with pytest.raises(Invalid) as caught:
        read("sid", job=text)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("manifests/public/job.yaml", 4)
    assert "a new object at every apply" in problem.message
    assert problem.hint
