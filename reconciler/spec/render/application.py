"""One of Sid's applications as OpenShift objects: its settings, its pods, and the way in from outside."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...model.desired import Application, SecretSource
from ...model.desired.application import generated_name
from ...ports import Manifest

GENERATE = "research.moc/generate"
_CHECKSUM = "research.moc/config-checksum"
_PORT = "http"
_TOKEN = "token"  # noqa: S105 - the key under which a generated value is kept
# Where OpenShift's router comes from, by the labels of its networks, and what reads the metrics.
_LET_IN = (
    {"network.openshift.io/policy-group": "ingress"},
    {"policy-group.network.openshift.io/ingress": ""},
    {"policy-group.network.openshift.io/host-network": ""},
    {"network.openshift.io/policy-group": "monitoring"},
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret value. `version` names it where others can read: it changes with the value and tells nothing of it."""

    value: str = field(repr=False)
    version: str


@dataclass(frozen=True, slots=True)
class Held:
    """A value that a Secret in the application's namespace keeps."""

    secret: str
    key: str


@dataclass(frozen=True, slots=True)
class Secrets:
    """An application's secrets by variable: those it brings along, and those that are kept in Secrets of others."""

    brought: Mapping[str, Sealed] = field(default_factory=dict)
    held: Mapping[str, Held] = field(default_factory=dict)


def application(app: Application, secrets: Secrets | None = None) -> list[Manifest]:
    """Namespace (OpenShift makes a Project of it), what the pods need, the pods, and the way in, in that order.

    `secrets` are those of `env`'s references and of files; what the application generates is added here."""
    made = [_namespace(app), _account(app), _config(app), *_secrets(app, secrets or Secrets())]
    made += [_image_stream(app)] if app.spec.image_stream else []
    made += [_deployment(app, secrets or Secrets()), _service(app), _route(app)]
    made += [_autoscaler(app)] if app.spec.autoscaling else []
    made += [_disruption_budget(app)] if app.spec.fewest > 1 else []
    return made + ([_network_policy(app)] if app.spec.network_policy else [])


def kept_in(app: Application, variable: str, source: SecretSource) -> Held:
    """Where a secret of the application's own is kept on its OpenShift."""
    if source.generate:
        return Held(generated_name(app.name, variable), _TOKEN)
    return Held(source.secret, source.key or "") if source.secret else Held(brought_name(app), variable)


def brought_name(app: Application) -> str:
    """The Secret of the values that the application brings along."""
    return f"{app.name}-secrets"


def _metadata(app: Application, name: str = "", annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
    labels = {**_selector(app), "app.kubernetes.io/part-of": "sid"}
    said = {"name": name or app.name, "namespace": app.spec.namespace, "labels": labels}
    return said | ({"annotations": dict(annotations)} if annotations else {})


def _selector(app: Application) -> dict[str, str]:
    return {"app.kubernetes.io/name": app.name}


def _namespace(app: Application) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": app.spec.namespace}}


def _account(app: Application) -> Manifest:
    """An account of its own, which may do nothing: none of these talks to the API."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(app)}
    return {**account, "automountServiceAccountToken": False}


def _config(app: Application) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(app),
        "data": dict(sorted(app.spec.env.items())),
    }


def _secrets(app: Application, secrets: Secrets) -> list[Manifest]:
    """These never go through Terraform, whose state would keep them in clear."""
    made: list[Manifest] = []
    for variable, source in sorted(app.spec.secrets.items()):
        if source.generate:
            metadata = _metadata(app, generated_name(app.name, variable), {GENERATE: _TOKEN})
            made.append({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata})
    if secrets.brought:
        data = {variable: sealed.value for variable, sealed in sorted(secrets.brought.items())}
        metadata = _metadata(app, brought_name(app))
        made.append({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "stringData": data})
    return made


def _image_stream(app: Application) -> Manifest:
    tag = {
        "name": app.spec.image_tag,
        "from": {"kind": "DockerImage", "name": app.spec.image},
        "importPolicy": {"scheduled": True},
        "referencePolicy": {"type": "Source"},
    }
    return {
        "apiVersion": "image.openshift.io/v1",
        "kind": "ImageStream",
        "metadata": _metadata(app),
        "spec": {"lookupPolicy": {"local": False}, "tags": [tag]},
    }


def _triggers(app: Application) -> dict[str, str]:
    """OpenShift puts in the image that the stream's tag stands for ("Triggering updates on image stream changes")."""
    place = f'spec.template.spec.containers[?(@.name=="{app.name}")].image'
    follow = {"from": {"kind": "ImageStreamTag", "name": f"{app.name}:{app.spec.image_tag}"}, "fieldPath": place}
    return {"image.openshift.io/triggers": json.dumps([follow])} if app.spec.image_stream else {}


def _deployment(app: Application, secrets: Secrets) -> Manifest:
    template = {
        "metadata": {"labels": _selector(app), "annotations": {_CHECKSUM: _checksum(app, secrets)}},
        "spec": {
            "serviceAccountName": app.name,
            "automountServiceAccountToken": False,
            # No user id: OpenShift gives every project a range of its own.
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            **({"imagePullSecrets": [{"name": n} for n in app.spec.pull_secrets]} if app.spec.pull_secrets else {}),
            "containers": [_container(app, secrets)],
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(app, annotations=_triggers(app)),
        "spec": {"replicas": app.spec.fewest, "selector": {"matchLabels": _selector(app)}, "template": template},
    }


def _checksum(app: Application, secrets: Secrets) -> str:
    """A changed ConfigMap or Secret alone restarts nothing: its checksum makes it part of what a pod is. Of secrets
    only what may be read by others goes into it."""
    said: dict[str, Any] = dict(app.spec.env)
    if secrets.brought:
        said = {"env": said, "secrets": {name: sealed.version for name, sealed in secrets.brought.items()}}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _container(app: Application, secrets: Secrets) -> dict[str, Any]:
    amounts = {
        "requests": app.spec.resources.requests.model_dump(exclude_none=True),
        "limits": app.spec.resources.limits.model_dump(exclude_none=True),
    }
    return {
        "name": app.name,
        "image": app.spec.image,
        "ports": [{"name": _PORT, "containerPort": app.spec.port}],
        "envFrom": [{"configMapRef": {"name": app.name}}],
        **({"env": variables} if (variables := _variables(app, secrets)) else {}),
        **_probes(app),
        "resources": {name: said for name, said in amounts.items() if said},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }


def _variables(app: Application, secrets: Secrets) -> list[dict[str, Any]]:
    """Secrets by reference: what they hold is in their own object and nowhere else."""
    own = {variable: kept_in(app, variable, source) for variable, source in app.spec.secrets.items()}
    brought = {variable: Held(brought_name(app), variable) for variable in secrets.brought}
    found = {**own, **brought, **secrets.held}
    return [
        {"name": variable, "valueFrom": {"secretKeyRef": {"name": at.secret, "key": at.key}}}
        for variable, at in sorted(found.items())
    ]


def _probes(app: Application) -> dict[str, Any]:
    ask: dict[str, Any] = {"tcpSocket": {"port": _PORT}}
    if app.spec.health:
        ask = {"httpGet": {"path": app.spec.health, "port": _PORT}}
    # Up to two minutes to start; until then the others wait. Who answers nothing for a minute is started anew.
    living = {"livenessProbe": {**ask, "periodSeconds": 10, "failureThreshold": 6}} if app.spec.health else {}
    return {"startupProbe": {**ask, "periodSeconds": 2, "failureThreshold": 60}, "readinessProbe": ask, **living}


def _service(app: Application) -> Manifest:
    port = {"name": _PORT, "port": 80, "targetPort": _PORT}
    spec = {"selector": _selector(app), "ports": [port]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(app), "spec": spec}


def _route(app: Application) -> Manifest:
    tls: dict[str, Any] = {
        "termination": app.spec.tls.termination,
        "insecureEdgeTerminationPolicy": app.spec.tls.plain,
    }
    if app.spec.tls.certificate:
        tls["externalCertificate"] = {"name": app.spec.tls.certificate}
    spec: dict[str, Any] = {"to": {"kind": "Service", "name": app.name}, "port": {"targetPort": _PORT}, "tls": tls}
    if app.spec.host:  # else the router makes one up: NAME-NAMESPACE.apps.…
        spec["host"] = app.spec.host
    return {"apiVersion": "route.openshift.io/v1", "kind": "Route", "metadata": _metadata(app), "spec": spec}


def _autoscaler(app: Application) -> Manifest:
    scale = app.spec.autoscaling
    assert scale is not None  # noqa: S101 - for the type checker
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": scale.cpu}}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": app.name},
        "minReplicas": scale.min,
        "maxReplicas": scale.max,
        "metrics": [{"type": "Resource", "resource": cpu}],
    }
    kind = "HorizontalPodAutoscaler"
    return {"apiVersion": "autoscaling/v2", "kind": kind, "metadata": _metadata(app), "spec": spec}


def _disruption_budget(app: Application) -> Manifest:
    """One pod at a time may be taken away while machines are drained."""
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": _selector(app)}}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": _metadata(app), "spec": spec}


def _network_policy(app: Application) -> Manifest:
    """Its port, for the pods beside it, the router and what reads metrics; for nobody else. It may call anybody."""
    who: list[dict[str, Any]] = [{"podSelector": {}}]
    who += [{"namespaceSelector": {"matchLabels": labels}} for labels in _LET_IN]
    spec = {
        "podSelector": {"matchLabels": _selector(app)},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": who, "ports": [{"port": _PORT}]}],
    }
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": _metadata(app), "spec": spec}
