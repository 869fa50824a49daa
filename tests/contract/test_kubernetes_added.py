"""What others put into objects of ours, and what kubectl left behind in objects that git adopted: on a real API server
with its real controllers."""

from __future__ import annotations

import contextlib
import copy
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.adapters.kubernetes.connection import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, Connection
from reconciler.errors import Permanent
from reconciler.model.resource import Known, Owner, Resource, Unknown
from reconciler.ports import Allowance, Manifest
from reconciler.spec.render import objects

from .objects import IMAGE, Requests, Spoken, all_equal, config, deployment, kubectl

pytestmark = pytest.mark.live

_POD = "spec.template.spec"


@pytest.fixture
def connection(kube: Path) -> Connection:
    return Connection(kube, None, 20)


def _space(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _web(namespace: str) -> dict[str, Any]:
    """As people publish it: with a second container, two variables and a label of its own."""
    env = [{"name": "KEEP", "value": "1"}, {"name": "DEBUG", "value": "1"}]
    probe = {"httpGet": {"path": "/health", "port": 80}}
    web = deployment(
        namespace, "web", 0, {"app": "web"}, {"name": "web", "image": IMAGE, "env": env, "livenessProbe": probe}
    )
    web["metadata"]["labels"] = {"app": "web", "tier": "old"}
    web["spec"]["template"]["spec"]["containers"].append({"name": "sidecar", "image": IMAGE})
    return web


def _less(web: Mapping[str, Any]) -> dict[str, Any]:
    """The same with what git drops."""
    less = copy.deepcopy(dict(web))
    del less["metadata"]["labels"]["tier"]
    containers = less["spec"]["template"]["spec"]["containers"]
    del containers[1], containers[0]["env"][1], containers[0]["livenessProbe"]
    return less


def _live(api: KubernetesApi, part_of: str, manifest: Manifest) -> Resource:
    listing = api.compare(part_of, [manifest], ()).live[manifest["kind"]]
    assert isinstance(listing, Known), listing
    (resource,) = listing.resources
    return resource


def _allowed(live: Resource, manifest: Manifest, *owners: Owner) -> Allowance:
    """What a plan would allow of everything that was added."""
    key = objects.key(manifest)
    return Allowance(removing={key: frozenset(live.added)}, taking={key: frozenset(owners)})


@pytest.mark.parametrize("how", [["apply"], ["apply", "--server-side"], ["create"]], ids=" ".join)
def test_what_kubectl_left_behind_goes_when_git_drops_it(
    kube: Path, api: KubernetesApi, connection: Connection, namespace: str, how: list[str]
) -> None:
    web = _web(namespace)
    kubectl(kube, "create", "namespace", namespace)
    kubectl(kube, *how, "-f", "-", stdin=web)

    adopted = _live(api, namespace, web)
    assert not adopted.added, "what kubectl applied and git says is nobody's addition, and neither are defaults"
    assert all(field.startswith("metadata.labels.") for field in adopted.fields)
    assert not adopted.owners
    api.apply(namespace, [web], Spoken())
    less = _less(web)
    dropped = _live(api, namespace, less)
    assert {
        "metadata.labels.tier",
        f"{_POD}.containers[sidecar].image",
        f"{_POD}.containers[web].env[DEBUG].value",
        f"{_POD}.containers[web].livenessProbe.httpGet.path",
    } <= dropped.fields.keys()
    assert not dropped.added, "ownership was taken over: an apply alone lets go of it"
    api.apply(namespace, [less], Spoken())

    found = connection.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/web")
    (container,) = found["spec"]["template"]["spec"]["containers"]
    assert [e["name"] for e in container["env"]] == ["KEEP"]
    assert "livenessProbe" not in container
    assert "tier" not in found["metadata"]["labels"]
    after = api.compare(namespace, [less], ())
    assert all_equal(after.live, after.expected)


def test_what_git_drops_at_once_with_the_adoption_goes_too(
    kube: Path, api: KubernetesApi, connection: Connection, namespace: str
) -> None:
    web = _web(namespace)
    kubectl(kube, "create", "namespace", namespace)
    kubectl(kube, "apply", "-f", "-", stdin=web)
    less = _less(web)

    seen = _live(api, namespace, less)
    assert seen.added[f"{_POD}.containers[sidecar].image"].owner == Owner("kubectl-client-side-apply")
    assert f"{_POD}.dnsPolicy" not in seen.fields
    api.apply(namespace, [less], Spoken(), _allowed(seen, less))
    after = api.compare(namespace, [less], ())
    assert all_equal(after.live, after.expected)
    found = connection.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/web")
    assert [c["name"] for c in found["spec"]["template"]["spec"]["containers"]] == ["web"]


def test_what_another_manager_set_stays_until_it_is_allowed(
    api: KubernetesApi, connection: Connection, namespace: str
) -> None:
    mine, path = config(namespace, "shared", {"a": "1"}), f"/api/v1/namespaces/{namespace}/configmaps/shared"
    api.apply(namespace, [_space(namespace), mine], Spoken())
    operator, helm = Owner("operator"), Owner("helm", applies=True)
    body = {"data": {"b": "2"}, "metadata": {"annotations": {"theirs": "1"}}}
    connection.request("PATCH", path, query={"fieldManager": "operator"}, body=body, content_type=MERGE_PATCH)
    query = {"fieldManager": "helm"}
    other = config(namespace, "shared", {"c": "3"})
    connection.request("PATCH", path, query=query, body=other, content_type=APPLY_PATCH)

    seen = _live(api, namespace, mine)
    assert {field: a.owner for field, a in seen.added.items()} == {
        "data.b": operator,
        "data.c": helm,
        "metadata.annotations.theirs": operator,
    }
    api.apply(namespace, [mine], Spoken(), _allowed(seen, mine))
    assert connection.get(path)["data"] == {"a": "1", "b": "2", "c": "3"}
    api.apply(namespace, [mine], Spoken(), _allowed(seen, mine, operator))
    assert connection.get(path)["data"] == {"a": "1", "c": "3"}
    api.apply(namespace, [mine], Spoken(), _allowed(seen, mine, operator, helm))
    assert connection.get(path)["data"] == {"a": "1"}


def test_what_a_controller_owns_too_is_not_taken_with_a_persons_part(
    kube: Path, api: KubernetesApi, connection: Connection, namespace: str
) -> None:
    """Of one set a person and a controller have an entry each; one field both have set."""
    mine, path = config(namespace, "shared", {"a": "1"}), f"/api/v1/namespaces/{namespace}/configmaps/shared"
    api.apply(namespace, [_space(namespace), mine], Spoken())
    body = {"metadata": {"finalizers": ["example.org/controller"]}, "data": {"both": "1"}}
    connection.request("PATCH", path, query={"fieldManager": "operator"}, body=body, content_type=MERGE_PATCH)
    by_hand = {
        **config(namespace, "shared", {"both": "1", "hand": "1"}),
        "metadata": {"name": "shared", "namespace": namespace, "finalizers": ["example.org/person"]},
    }
    connection.request("PATCH", path, query={"fieldManager": "kubectl"}, body=by_hand, content_type=APPLY_PATCH)

    try:
        seen = _live(api, namespace, mine)
        person = Owner("kubectl", applies=True)
        assert seen.added["data.both"].owner == Owner("operator")
        assert seen.added["data.hand"].owner == person
        assert seen.fields["metadata.finalizers"] == ("example.org/controller", "example.org/person")
        api.apply(namespace, [mine], Spoken(), _allowed(seen, mine, person))
        live = connection.get(path)
        assert live["data"] == {"a": "1", "both": "1"}
        assert live["metadata"]["finalizers"] == ["example.org/controller"]
    finally:
        kubectl(
            kube, "patch", "configmap", "shared", "-n", namespace, "--type=merge", "-p",
            json.dumps({"metadata": {"finalizers": None}}),
        )  # fmt: skip


def test_what_others_are_known_to_set_is_no_difference_and_asked_for_once(
    kube: Path, connection: Connection, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart, a scale where git says nothing of replicas, the deployment controller, and our own names."""
    web = _web(namespace)
    del web["spec"]["replicas"]
    web["spec"]["template"]["spec"]["nodeSelector"] = {"nowhere": "yes"}
    wanted = [_space(namespace), web]
    api = KubernetesApi(kube, wait=0, cache=tmp_path / "equal.json")
    brief = Allowance({objects.key(web): 0.0})
    with pytest.raises(Exception, match="is not healthy"):
        api.apply(namespace, wanted, Spoken(), brief)
    kubectl(kube, "rollout", "restart", "-n", namespace, "deployment/web")
    kubectl(kube, "scale", "-n", namespace, "deployment/web", "--replicas=2")
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    _until(lambda: connection.get(path)["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2")

    found = api.compare(namespace, wanted, ())
    assert all_equal(found.live, found.expected)
    requests = Requests(monkeypatch)

    def remembered() -> bool:
        """Once its controllers have written their last status."""
        requests.seen.clear()
        again = KubernetesApi(kube, cache=tmp_path / "equal.json").compare(namespace, wanted, ())
        assert again == found
        return requests.dry_runs == 0

    _until(remembered)


def test_real_controllers_at_work_add_nothing_that_is_told(kube: Path, connection: Connection, namespace: str) -> None:
    """Deployment, replica set, endpoints, autoscaler, job, disruption and namespace controllers, and the garbage
    collector."""

    def of(api_version: str, kind: str, name: str, **rest: Any) -> dict[str, Any]:
        metadata = {"name": name, "namespace": namespace}
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}

    web = _less(_web(namespace))
    del web["spec"]["replicas"]
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    pod = {"restartPolicy": "Never", "containers": [{"name": "once", "image": IMAGE}]}
    budget = {"minAvailable": 0, "selector": {"matchLabels": {"app": "web"}}}
    wanted = [
        _space(namespace),
        web,
        of("v1", "Service", "web", spec={"selector": {"app": "web"}, "ports": [{"port": 80}]}),
        of("v1", "ServiceAccount", "web"),
        of("autoscaling/v2", "HorizontalPodAutoscaler", "web",
           spec={"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 3}),
        of("policy/v1", "PodDisruptionBudget", "web", spec=budget),
        of("batch/v1", "Job", "once", spec={"template": {"spec": pod}}),
    ]  # fmt: skip
    api = KubernetesApi(kube, wait=60)
    patience = {objects.key(m): 0.0 for m in wanted if m["kind"] in ("Job", "HorizontalPodAutoscaler")}
    with contextlib.suppress(Permanent):  # neither is waited for
        api.apply(namespace, wanted, Spoken(), Allowance(patience))
    deployment_path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    _until(lambda: connection.get(deployment_path)["spec"]["replicas"] == 2)  # by the autoscaler
    kubectl(kube, "delete", "replicaset", "-n", namespace, "-l", "app=web")
    _until(lambda: connection.get(deployment_path)["status"].get("readyReplicas") == 2)

    found = api.compare(namespace, wanted, ())
    assert [(str(e.key), dict(e.fields)) for e in found.expected if e.fields] == []
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    assert list(connection.items(slices))


def test_another_name_than_apply_is_no_hiding_place(api: KubernetesApi, connection: Connection, namespace: str) -> None:
    """Somebody who writes in our name, or in a controller's, adds what neither is known for."""
    web, path = _less(_web(namespace)), f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    api.apply(namespace, [_space(namespace), web], Spoken())
    for manager, body in (
        ("reconciler", {"spec": {"template": {"spec": {"hostNetwork": True}}}}),
        ("kube-controller-manager", {"spec": {"template": {"spec": {"hostPID": True}}}}),
    ):
        connection.request("PATCH", path, query={"fieldManager": manager}, body=body, content_type=MERGE_PATCH)

    seen = _live(api, namespace, web)
    assert seen.added[f"{_POD}.hostNetwork"].owner is None
    assert seen.added[f"{_POD}.hostPID"].owner == Owner("kube-controller-manager")
    api.apply(namespace, [web], Spoken(), _allowed(seen, web))
    pod = connection.get(path)["spec"]["template"]["spec"]
    assert "hostNetwork" not in pod
    assert pod["hostPID"] is True, "a controller's name is asked for"


def test_objects_that_terraform_applies_are_freed_in_its_name(
    api: KubernetesApi, connection: Connection, namespace: str
) -> None:
    web = _less(_web(namespace))
    api.apply(namespace, [_space(namespace), web], Spoken(), manager="kubectl")
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    body = {"spec": {"template": {"spec": {"hostNetwork": True}}}}
    connection.request("PATCH", path, query={"fieldManager": "kubectl-patch"}, body=body, content_type=MERGE_PATCH)

    found = api.compare(namespace, [web], (), "kubectl")
    listing = found.live["Deployment"]
    assert isinstance(listing, Known)
    (seen,) = listing.resources
    assert seen.added[f"{_POD}.hostNetwork"].owner == Owner("kubectl-patch")
    api.apply(namespace, [web], Spoken(), _allowed(seen, web), manager="kubectl")
    after = api.compare(namespace, [web], (), "kubectl")
    assert all_equal(after.live, after.expected)
    managers = {e["manager"] for e in connection.get(path)["metadata"]["managedFields"] if "subresource" not in e}
    assert "reconciler" not in managers


def test_books_that_nobody_can_read_are_unknown(api: KubernetesApi, connection: Connection, namespace: str) -> None:
    """The server takes whatever nests; so deep that no program reads it, or just too deep for any object there is."""
    mine, path = config(namespace, "deep", {"a": "1"}), f"/api/v1/namespaces/{namespace}/configmaps/deep"
    api.apply(namespace, [_space(namespace), mine], Spoken())
    for depth in (150, 5000):
        tree: dict[str, Any] = {}
        for _ in range(depth):
            tree = {"f:a": tree}
        text = "{}"
        for _ in range(depth):
            text = f'{{"f:a":{text}}}'
        entry = (
            '{"manager":"kubectl-edit","operation":"Update","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":%s}'
        )
        _patch_raw(connection, path, '[{"op":"add","path":"/metadata/managedFields/-","value":%s}]' % (entry % text))
        listing = api.compare(namespace, [mine], ()).live["ConfigMap"]
        assert isinstance(listing, Unknown)
        assert "can't be read" in listing.reason or "too deeply" in listing.reason


def _patch_raw(connection: Connection, path: str, text: str) -> None:
    answer = connection._answer("PATCH", path, None, text.encode(), {"Content-Type": JSON_PATCH})
    assert answer.status == 200, answer.data


def _until(true: Any) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)
