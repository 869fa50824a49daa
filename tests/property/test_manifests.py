"""Whatever stands at a place of a manifest: it is refused at its file, or everybody who reads manifests can."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.adapters.kubernetes.fields import all_fields, generated, prepared
from reconciler.control.served import served
from reconciler.errors import Invalid, Problem
from reconciler.model.resource import Component
from reconciler.spec import desired_state
from reconciler.spec.render import objects
from reconciler.spec.render.owners import owners
from tests.unit.examples import CLUSTER, FILE, application

WORKLOADS = "  workloads:\n    - {name: w, path: w, namespace: sid}\n"
APPLICATION = application(
    "web",
    "host: web.example.org",
    'env: {API: "${cluster.services.sid.web.address}", WAY: "${cluster.ingresses.sid.web.host}"}',
)
METADATA: dict[str, Any] = {"name": "web", "namespace": "sid", "labels": {"a": "b"}, "annotations": {"c": "d"}}
KINDS: list[dict[str, Any]] = [
    {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 3},
    },
    {"apiVersion": "v1", "kind": "Service", "spec": {"type": "NodePort", "ports": [{"port": 80}]}},
    {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": {"rules": [{"host": "a.example.org"}]}},
    {"apiVersion": "route.openshift.io/v1", "kind": "Route", "spec": {"host": "b.example.org"}},
    {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {}, "stringData": {}},
    {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "spec": {"group": "example.org", "scope": "Cluster", "names": {"kind": "Zone", "plural": "zones"}},
    },
    {"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": METADATA}]},
]
WRONG: list[Any] = [5, True, "x", "", None, [1], ["a", 1], [{}], {}, {"a": [1]}]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def but(value: Any, path: tuple[Any, ...], wrong: Any) -> Any:
    if not path:
        return wrong
    made = copy.copy(value)
    made[path[0]] = but(value[path[0]], path[1:], wrong)
    return made


def read(manifests: list[Any]) -> None:
    """Do all that is done with manifests before a server has seen them."""
    files = {FILE: (CLUSTER + WORKLOADS).encode(), "desired/demo/applications/web.yaml": APPLICATION.encode()}
    files |= {f"w/{n}.yaml": json.dumps(m).encode() for n, m in enumerate(manifests)}
    (cluster,) = desired_state.load(files)
    found = objects.workloads(cluster, files)
    owners({Component.WORKLOADS: {"": found}})
    served([objects.resource(m) for m in found], found, {})
    for m in found:
        sent = prepared(m, "demo.workloads")
        all_fields(sent)
        generated(sent)
        objects.text(objects.labelled(m, "demo.workloads"))


def refused(manifests: list[Any]) -> tuple[Problem, ...]:
    try:
        read(manifests)
    except Invalid as error:
        return error.problems or (Problem("", 0, 0, "", error.message),)
    return ()


def test_what_is_right_is_read() -> None:
    assert refused([{"metadata": METADATA, **kind} for kind in KINDS]) == ()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind["kind"]))
def test_whatever_is_wrong_is_read_or_refused_at_its_place(kind: dict[str, Any]) -> None:
    others = [{"metadata": METADATA, **other} for other in KINDS if other is not kind]
    sound = {"metadata": METADATA, **kind}
    for path in places(sound):
        for wrong in WRONG:
            problems = refused([but(sound, path, wrong), *others])
            assert all(p.file and p.line for p in problems), (path, wrong)
