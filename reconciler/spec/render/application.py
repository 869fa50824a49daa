"""One of Sid's applications as OpenShift objects: its settings, its pods, and the way in from outside."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ...model.desired import Application
from ...ports import Manifest

_CHECKSUM = "research.moc/config-checksum"
_PORT = "http"


def application(app: Application) -> list[Manifest]:
    """Namespace (OpenShift makes a Project of it), ConfigMap, Deployment, Service and Route, in that order."""
    namespace: Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": app.spec.namespace}}
    return [namespace, _config(app), _deployment(app), _service(app), _route(app)]


def _metadata(app: Application) -> dict[str, Any]:
    labels = {**_selector(app), "app.kubernetes.io/part-of": "sid"}
    return {"name": app.name, "namespace": app.spec.namespace, "labels": labels}


def _selector(app: Application) -> dict[str, str]:
    return {"app.kubernetes.io/name": app.name}


def _config(app: Application) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(app),
        "data": dict(sorted(app.spec.env.items())),
    }


def _deployment(app: Application) -> Manifest:
    # A changed ConfigMap alone restarts nothing: its checksum makes it part of what a pod is.
    checksum = hashlib.sha256(json.dumps(app.spec.env, sort_keys=True).encode()).hexdigest()
    template = {
        "metadata": {"labels": _selector(app), "annotations": {_CHECKSUM: checksum}},
        "spec": {
            "automountServiceAccountToken": False,
            # No user id: OpenShift gives every project a range of its own.
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [_container(app)],
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(app),
        "spec": {"replicas": app.spec.replicas, "selector": {"matchLabels": _selector(app)}, "template": template},
    }


def _container(app: Application) -> dict[str, Any]:
    return {
        "name": app.name,
        "image": app.spec.image,
        "ports": [{"name": _PORT, "containerPort": app.spec.port}],
        "envFrom": [{"configMapRef": {"name": app.name}}],
        "readinessProbe": {"tcpSocket": {"port": _PORT}},
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }


def _service(app: Application) -> Manifest:
    port = {"name": _PORT, "port": 80, "targetPort": _PORT}
    spec = {"selector": _selector(app), "ports": [port]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(app), "spec": spec}


def _route(app: Application) -> Manifest:
    spec: dict[str, Any] = {
        "to": {"kind": "Service", "name": app.name},
        "port": {"targetPort": _PORT},
        "tls": {"termination": "edge", "insecureEdgeTerminationPolicy": "Redirect"},
    }
    if app.spec.host:  # else the router makes one up: NAME-NAMESPACE.apps.…
        spec["host"] = app.spec.host
    return {"apiVersion": "route.openshift.io/v1", "kind": "Route", "metadata": _metadata(app), "spec": spec}
