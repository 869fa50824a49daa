"""What the server refuses for what a default or somebody else left is applied at once, and compared as it is; what it
refuses for good has no false differences beside it. On a real API server."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.adapters.kubernetes.connection import APPLY_PATCH, Connection
from reconciler.adapters.kubernetes.fields import leaves
from reconciler.errors import Permanent, Transient
from reconciler.model.resource import Fields, Owner
from reconciler.ports import Allowance
from reconciler.spec.render import objects

from .objects import IMAGE, Requests, Spoken, all_equal, definition, deployment, known, kubectl
from .unions import UNIONS, Union

pytestmark = pytest.mark.live


# Written by the Deployment's controller whenever its pods change.
_REVISION = "metadata.annotations.deployment.kubernetes.io/revision"


@pytest.fixture(scope="module")
def space(kube: Path) -> Iterator[str]:
    name = f"unions-{uuid.uuid4().hex[:6]}"
    KubernetesApi(kube).apply(name, [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}], Spoken())
    yield name
    kubectl(kube, "delete", "namespace", name, "--wait=false")


def _named(obj: dict[str, Any], space: str, name: str) -> dict[str, Any]:
    return {**copy.deepcopy(obj), "metadata": {"name": name, "namespace": space}}


def _apply(api: KubernetesApi, space: str, obj: dict[str, Any], **taking: Any) -> None:
    api.apply(space, [obj], Spoken(), Allowance(**taking))


def _differing(api: KubernetesApi, space: str, obj: dict[str, Any]) -> tuple[Fields, Fields]:
    found = api.compare(space, [obj], ())
    (expected,) = found.expected
    return expected.fields, known(found.live, obj["kind"])[expected.name].fields


def _live(kube: Path, obj: dict[str, Any]) -> dict[str, Any]:
    metadata = obj["metadata"]
    shown = kubectl(kube, "get", obj["kind"], metadata["name"], "-n", metadata["namespace"], "-o", "json")
    return dict(json.loads(shown))


@pytest.mark.parametrize("case", UNIONS, ids=lambda case: case.name)
def test_a_value_that_needs_another_gone_is_compared_and_applied_in_one(kube: Path, space: str, case: Union) -> None:
    name = f"u{UNIONS.index(case)}"
    was, now = (_named(obj, space, name) for obj in (case.was, case.now))
    api = KubernetesApi(kube)
    _apply(api, space, was)
    if case.hand:
        kubectl(kube, "patch", was["kind"], name, "-n", space, "-p", json.dumps(case.hand))
    before = _live(kube, was)

    ours, theirs = _differing(api, space, now)
    assert set(case.fields) <= set(ours)
    assert not [path for path in ours if ".resources." in path], "another spelling is no difference"
    _apply(api, space, now)
    found = api.compare(space, [now], ())
    assert all_equal(found.live, found.expected)
    after = _live(kube, now)
    assert after["metadata"]["uid"] == before["metadata"]["uid"], "nothing was made anew"
    left = {path for path, _ in leaves(after)}
    assert not [path for path in left for gone in case.gone if path == gone or path.startswith(f"{gone}.")]
    now_live = dict(leaves(after))
    changed = {path for path, value in leaves(before) if now_live.get(path) != value}
    assert {path for path in changed if not path.startswith(_REVISION)} <= set(ours), "and nothing was but that"
    assert all(theirs.get(path) is not None for path in case.gone if path in ours)


def test_what_a_controller_left_is_not_taken_from_it(kube: Path, space: str) -> None:
    connection, api = Connection(kube, None, 20), KubernetesApi(kube)
    probe = {"httpGet": {"path": "/", "port": 80}}
    was = deployment(space, "theirs", 0, {"app": "x"}, {"name": "web", "image": IMAGE})
    now = deployment(space, "theirs", 0, {"app": "x"}, {"name": "web", "image": IMAGE, "livenessProbe": probe})
    _apply(api, space, was)
    container = {"name": "web", "livenessProbe": {"tcpSocket": {"port": 80}}}
    theirs = {**was, "spec": {"template": {"spec": {"containers": [container]}}}}
    path = f"/apis/apps/v1/namespaces/{space}/deployments/theirs"
    connection.request("PATCH", path, query={"fieldManager": "mesh"}, body=theirs, content_type=APPLY_PATCH)

    found = api.compare(space, [now], ())
    socket = "spec.template.spec.containers[web].livenessProbe.tcpSocket.port"
    owner = Owner("mesh", applies=True)
    assert known(found.live, "Deployment")[f"{space}/theirs"].owners[socket] == owner
    with pytest.raises(Transient, match=r"tcpSocket\.port belongs to mesh \(Apply\), and is not taken"):
        _apply(api, space, now)
    _apply(api, space, now, taking={objects.key(now): frozenset({owner})})
    assert _live(kube, now)["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]["httpGet"]["port"] == 80


def test_a_member_of_a_definitions_own_union(kube: Path, space: str) -> None:
    """Its schema sets a default, and lets in one of two."""
    group = f"{space}.example.org"
    crd = definition(group)
    mode = {"type": "object", "properties": {"size": {"type": "integer", "default": 3}}}
    either = {"type": "object", "properties": {"fixed": mode, "auto": mode}}
    rule = {"rule": "has(self.fixed) != has(self.auto)", "message": "one of fixed and auto"}
    spec = {**either, "x-kubernetes-validations": [rule]}
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = {"type": "object", "properties": {"spec": spec}}
    api = KubernetesApi(kube)
    thing = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "a", "namespace": space}}
    was, now = {**thing, "spec": {"fixed": {"size": 1}}}, {**thing, "spec": {"auto": {}}}
    try:
        api.apply(space, [crd, was], Spoken())
        path = f"/apis/{group}/v1/namespaces/{space}/things/a"
        by_hand = json.dumps({"spec": {"fixed": None, "auto": {"size": 9}}})
        kubectl(kube, "patch", f"things.{group}", "a", "-n", space, "--type=merge", "-p", by_hand)
        ours, theirs = _differing(api, space, was)
        assert (ours["spec.fixed.size"], theirs["spec.auto.size"]) == (1, 9)
        api.apply(space, [was], Spoken())
        connection = Connection(kube, None, 20)
        assert connection.get(path)["spec"] == {"fixed": {"size": 1}}
        api.apply(space, [now], Spoken())
        assert connection.get(path)["spec"] == {"auto": {"size": 3}}
    finally:
        kubectl(kube, "delete", "crd", f"things.{group}", "--ignore-not-found")


def test_what_is_refused_for_good_has_no_false_differences_beside_it(
    kube: Path, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(cpu: str, memory: str, label: str) -> dict[str, Any]:
        resources = {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": cpu, "memory": memory}}
        container = {"name": "web", "image": IMAGE, "resources": resources, "env": [{"name": "A", "value": "1000m"}]}
        return deployment(space, "fixed", 0, {"app": label}, container)

    api = KubernetesApi(kube)
    _apply(api, space, make("1", "1Gi", "x"))
    now = make("1000m", "1024Mi", "y")
    requests = Requests(monkeypatch)
    ours, _ = _differing(api, space, now)
    assert set(ours) == {"spec.selector.matchLabels.app", "spec.template.metadata.labels.app"}
    assert requests.dry_runs <= 2, "the server says that nothing will help"
    with pytest.raises(Permanent, match="immutable"):
        _apply(api, space, now)


def test_amounts_are_compared_as_such_where_the_server_takes_nothing(kube: Path, space: str) -> None:
    def make(storage: str, mode: str) -> dict[str, Any]:
        spec = {"accessModes": [mode], "resources": {"requests": {"storage": storage}}, "storageClassName": "nobodys"}
        metadata = {"name": "claim", "namespace": space}
        return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}

    api = KubernetesApi(kube, wait=0)  # nobody binds it
    with pytest.raises(Permanent):
        _apply(api, space, make("1Gi", "ReadWriteOnce"))
    ours, _ = _differing(api, space, make("1024Mi", "ReadWriteMany"))
    assert set(ours) == {"spec.accessModes"}
