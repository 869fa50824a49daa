"""Applications on OpenShift: one way in, settings that restart what reads them, secrets that nobody reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from reconciler.model.desired import Application
from reconciler.model.resource import Component
from reconciler.ports import Manifest
from reconciler.spec.render.application import Held, Sealed, Secrets, application
from reconciler.spec.render.owners import owners

ALWAYS = ["Namespace", "ServiceAccount", "ConfigMap", "Deployment", "Service", "Route"]


def app(**spec: Any) -> Application:
    body = {"target": "moc", "namespace": "sid-web", "image": "i:1", "port": 3000, "replicas": 2} | spec
    document = {"apiVersion": "research.moc/v1alpha1", "kind": "Application", "metadata": {"name": "front"}}
    return Application.model_validate_json(json.dumps({**document, "spec": body}))


def made(**spec: Any) -> dict[str, Manifest]:
    return {m["kind"]: m for m in application(app(**spec))}


def container(objects: dict[str, Manifest]) -> Any:
    (one,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    return one


def test_what_there_is_follows_from_what_is_asked() -> None:
    assert list(made(replicas=1, networkPolicy=False)) == ALWAYS
    assert list(made(replicas=2)) == [*ALWAYS, "PodDisruptionBudget", "NetworkPolicy"]
    scaled = {"min": 1, "max": 4}
    assert list(made(replicas=9, autoscaling=scaled)) == [*ALWAYS, "HorizontalPodAutoscaler", "NetworkPolicy"]
    assert "ImageStream" in made(imageStream=True)


def test_route_service_and_pods_find_each_other() -> None:
    objects = made(host="sid.example.org")
    pods = objects["Deployment"]["spec"]["template"]
    (port,) = objects["Service"]["spec"]["ports"]
    assert objects["Route"]["spec"]["to"]["name"] == objects["Service"]["metadata"]["name"]
    assert objects["Route"]["spec"]["port"]["targetPort"] == port["name"]
    assert objects["Route"]["spec"]["host"] == "sid.example.org"
    assert objects["Route"]["spec"]["tls"]["termination"] == "edge"
    for kind in ("PodDisruptionBudget", "NetworkPolicy"):
        selector = objects[kind]["spec"].get("selector") or objects[kind]["spec"]["podSelector"]
        assert selector["matchLabels"].items() <= pods["metadata"]["labels"].items()
    assert objects["Service"]["spec"]["selector"].items() <= pods["metadata"]["labels"].items()
    assert container(objects)["ports"] == [{"name": port["targetPort"], "containerPort": 3000}]
    assert objects["Deployment"]["spec"]["replicas"] == 2


def test_a_host_nobody_asked_for_is_the_routers_to_choose() -> None:
    assert "host" not in made()["Route"]["spec"]


def test_the_route_is_encrypted_as_asked() -> None:
    tls = made(tls={"termination": "reencrypt", "plain": "None", "certificate": "sid-tls"})["Route"]["spec"]["tls"]
    assert tls["externalCertificate"] == {"name": "sid-tls"}
    assert (tls["termination"], tls["insecureEdgeTerminationPolicy"]) == ("reencrypt", "None")


def test_changed_settings_are_changed_pods_and_their_order_is_not() -> None:
    def pods(**env: str) -> Any:
        objects = made(env=env)
        assert objects["ConfigMap"]["data"] == env
        (source,) = container(objects)["envFrom"]
        assert source["configMapRef"]["name"] == objects["ConfigMap"]["metadata"]["name"]
        return objects["Deployment"]["spec"]["template"]

    assert pods(A="1", B="2") == pods(B="2", A="1")
    assert pods(A="1") != pods(A="2")


def test_pods_may_do_nothing_special() -> None:
    """What Pod Security `restricted` and OpenShift's restricted-v2 ask for, and no user id, which is OpenShift's."""
    spec = made()["Deployment"]["spec"]["template"]["spec"]
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert spec["automountServiceAccountToken"] is False
    assert spec["serviceAccountName"] == "front"
    (one,) = spec["containers"]
    assert one["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_what_is_asked_of_health_and_resources_reaches_the_pods() -> None:
    one = container(made(health="/ready", resources={"limits": {"cpu": "1", "memory": "1Gi"}}))
    assert {one[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")} == {
        "/ready"
    }
    assert one["resources"] == {
        "requests": {"cpu": "50m", "memory": "128Mi"},
        "limits": {"cpu": "1", "memory": "1Gi"},
    }
    plain = container(made())
    assert "tcpSocket" in plain["readinessProbe"]
    assert "livenessProbe" not in plain


def test_who_is_scaled_by_load_and_by_images_of_a_stream_is_left_alone_there() -> None:
    found = application(app(autoscaling={"min": 2, "max": 5, "cpu": 60}, imageStream=True, image="q.io/sid/web:1.2"))
    rules = owners({Component.APPLICATIONS: {"moc": found}})
    assert [(r.resource, r.field) for r in rules] == [
        ("Deployment sid-web/front", "spec.template.spec.containers*image"),
        ("Deployment sid-web/front", "spec.replicas"),
    ]
    objects = {m["kind"]: m for m in found}
    (tag,) = objects["ImageStream"]["spec"]["tags"]
    assert (tag["name"], tag["from"]["name"]) == ("1.2", "q.io/sid/web:1.2")
    (trigger,) = json.loads(objects["Deployment"]["metadata"]["annotations"]["image.openshift.io/triggers"])
    assert trigger["from"]["name"] == f"{objects['ImageStream']['metadata']['name']}:1.2"
    assert '"front"' in trigger["fieldPath"]


SOURCES = {
    "SESSION_KEY": {"generate": True},
    "PASSWORD": {"file": "manifests/sid/s.yaml", "key": "db"},
    "LDAP": {"secret": "ldap-bind", "key": "pw"},
}


class TestSecrets:
    def test_pods_get_them_by_reference_and_nothing_else_has_them(self) -> None:
        brought = Secrets(
            {"PASSWORD": Sealed("hunter2", "v1"), "TOKEN": Sealed("t0ken", "v1")}, {"API": Held("other", "token")}
        )
        found = application(app(secrets=SOURCES), brought)
        (one,) = (container({m["kind"]: m for m in found}),)
        assert {e["name"]: tuple(e["valueFrom"]["secretKeyRef"].values()) for e in one["env"]} == {
            "SESSION_KEY": ("front-session-key", "token"),
            "PASSWORD": ("front-secrets", "PASSWORD"),
            "TOKEN": ("front-secrets", "TOKEN"),
            "LDAP": ("ldap-bind", "pw"),
            "API": ("other", "token"),
        }
        generated, kept = (m for m in found if m["kind"] == "Secret")
        assert generated["metadata"]["annotations"] == {"research.moc/generate": "token"}
        assert "data" not in generated
        assert kept["stringData"] == {"PASSWORD": "hunter2", "TOKEN": "t0ken"}
        others = json.dumps([m for m in found if m is not kept])
        assert "hunter2" not in others
        assert "t0ken" not in others

    def test_pods_are_made_anew_when_what_git_shows_of_one_changes(self) -> None:
        def pods(value: str, version: str) -> Any:
            found = application(app(secrets=SOURCES), Secrets({"PASSWORD": Sealed(value, version)}))
            (deployment,) = (m for m in found if m["kind"] == "Deployment")
            return deployment["spec"]["template"]["metadata"]

        assert pods("a", "v1") != pods("a", "v2")
        assert pods("a", "v1") == pods("b", "v1"), "the checksum tells nothing of the value"


@pytest.mark.parametrize(
    "spec",
    [
        {"autoscaling": {"min": 3, "max": 2}},
        {"imageStream": True, "image": "q.io/sid/web@sha256:abc"},
        {"imageStream": True, "image": "localhost:5000/web"},
        {"env": {"A": "1"}, "secrets": {"A": {"generate": True}}},
        {"secrets": {"A_B": {"generate": True}, "a_b": {"generate": True}}},
        {"secrets": {"A": {}}},
        {"secrets": {"A": {"generate": True, "key": "x"}}},
        {"secrets": {"A": {"file": "x.yaml"}}},
        {"secrets": {"A": {"file": "x.yaml", "secret": "x", "key": "k"}}},
        {"secrets": {"A B": {"generate": True}}},
        {"tls": {"termination": "passthrough", "certificate": "x"}},
        {"tls": {"termination": "passthrough", "plain": "Allow"}},
        {"host": "not a host"},
        {"health": "ready"},
    ],
)
def test_what_cannot_be_is_refused(spec: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        app(**spec)
