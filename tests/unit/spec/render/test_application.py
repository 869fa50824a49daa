"""Applications on OpenShift: one way in, settings that restart what reads them."""

from __future__ import annotations

from typing import Any

from reconciler.model.desired import Application
from reconciler.ports import Manifest
from reconciler.spec.render.application import application


def made(**spec: Any) -> dict[str, Manifest]:
    body = {"target": "moc", "namespace": "sid-web", "image": "i:1", "port": 3000, "replicas": 2} | spec
    document = {"apiVersion": "research.moc/v1alpha1", "kind": "Application", "metadata": {"name": "front"}}
    found = application(Application.model_validate({**document, "spec": body}))
    assert [m["kind"] for m in found] == ["Namespace", "ConfigMap", "Deployment", "Service", "Route"]
    return {m["kind"]: m for m in found}


def test_route_service_and_pods_find_each_other() -> None:
    objects = made(host="sid.example.org")
    pods = objects["Deployment"]["spec"]["template"]
    (port,) = objects["Service"]["spec"]["ports"]
    (container,) = pods["spec"]["containers"]
    assert objects["Route"]["spec"]["to"]["name"] == objects["Service"]["metadata"]["name"]
    assert objects["Route"]["spec"]["port"]["targetPort"] == port["name"]
    assert objects["Route"]["spec"]["host"] == "sid.example.org"
    assert objects["Route"]["spec"]["tls"]["termination"] == "edge"
    assert objects["Service"]["spec"]["selector"].items() <= pods["metadata"]["labels"].items()
    assert container["ports"] == [{"name": port["targetPort"], "containerPort": 3000}]
    assert objects["Deployment"]["spec"]["replicas"] == 2


def test_a_host_nobody_asked_for_is_the_routers_to_choose() -> None:
    assert "host" not in made()["Route"]["spec"]


def test_changed_settings_are_changed_pods_and_their_order_is_not() -> None:
    def pods(**env: str) -> Any:
        objects = made(env=env)
        assert objects["ConfigMap"]["data"] == env
        (source,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]["envFrom"]
        assert source["configMapRef"]["name"] == objects["ConfigMap"]["metadata"]["name"]
        return objects["Deployment"]["spec"]["template"]

    assert pods(A="1", B="2") == pods(B="2", A="1")
    assert pods(A="1") != pods(A="2")


def test_pods_may_do_nothing_special() -> None:
    spec = made()["Deployment"]["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    assert spec["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
