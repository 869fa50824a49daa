"""Values that need another field gone: manifests before and after, and what somebody did in between. Cases as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .objects import IMAGE

Object = dict[str, Any]


@dataclass(frozen=True)
class Union:
    """`was` is applied, `hand` patched in (a strategic merge patch by kubectl), then git says `now`. `fields` are those
    that the comparison names among others; `gone` is what must not be live afterwards."""

    name: str
    was: Object
    now: Object
    fields: tuple[str, ...]
    gone: tuple[str, ...] = ()
    hand: Mapping[str, Any] | None = None


def _of(api: str, kind: str, spec: Object) -> Object:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "x"}, "spec": spec}


def _workload(kind: str, container: Object | None = None, pod: Object | None = None, **spec: Any) -> Object:
    containers = [{"name": "web", "image": IMAGE, **(container or {})}, {"name": "log", "image": IMAGE, **_PROBED}]
    template = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": containers, **(pod or {})}}
    scale = {} if kind == "DaemonSet" else {"replicas": 0}
    return _of("apps/v1", kind, {**scale, "selector": {"matchLabels": {"app": "x"}}, "template": template, **spec})


# Another container with members that git does not name, which are nobody's business.
_PROBED = {"readinessProbe": {"httpGet": {"path": "/", "port": 80}}}


def _deployment(container: Object | None = None, pod: Object | None = None, **spec: Any) -> Object:
    return _workload("Deployment", container, pod, **spec)


def _service(**spec: Any) -> Object:
    return _of("v1", "Service", {"selector": {"app": "x"}, "ports": [{"port": 80}], **spec})


def _in_web(**fields: Any) -> Mapping[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "web", **fields}]}}}}


_WEB = "spec.template.spec.containers[web]"
_HTTP, _TCP = {"httpGet": {"path": "/", "port": 80}}, {"tcpSocket": {"port": 80}}
_EXEC = {"exec": {"command": ["true"]}}
_FROM = {"valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}

UNIONS = (
    Union(
        "RollingUpdate by default to Recreate",
        _deployment(),
        _deployment(strategy={"type": "Recreate"}),
        ("spec.strategy.type",),
        ("spec.strategy.rollingUpdate",),
    ),
    Union(
        "RollingUpdate of git's to Recreate, and amounts spelled another way",
        _deployment(
            {"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}},
            strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0}},
        ),
        _deployment(
            {"resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}}, "env": [{"name": "NEW", "value": "1"}]},
            strategy={"type": "Recreate"},
        ),
        ("spec.strategy.type", f"{_WEB}.env[NEW].value"),
        ("spec.strategy.rollingUpdate",),
    ),
    Union(
        "a StatefulSet's RollingUpdate to OnDelete",
        _workload("StatefulSet", serviceName="x"),
        _workload("StatefulSet", serviceName="x", updateStrategy={"type": "OnDelete"}),
        ("spec.updateStrategy.type",),
        ("spec.updateStrategy.rollingUpdate",),
    ),
    Union(
        "a probe's handler",
        _deployment({"livenessProbe": _HTTP}),
        _deployment({"livenessProbe": _TCP}),
        (f"{_WEB}.livenessProbe.tcpSocket.port",),
        (f"{_WEB}.livenessProbe.httpGet.port",),
    ),
    Union(
        "a probe's handler that somebody replaced",
        _deployment({"livenessProbe": _HTTP}),
        _deployment({"livenessProbe": _HTTP}),
        (f"{_WEB}.livenessProbe.httpGet.port", f"{_WEB}.livenessProbe.exec.command"),
        (f"{_WEB}.livenessProbe.exec.command",),
        _in_web(livenessProbe={"httpGet": None, **_EXEC}),
    ),
    Union(
        "two containers at once",
        _deployment({"livenessProbe": _HTTP}),
        _deployment({"livenessProbe": _TCP, "env": [{"name": "A", **_FROM}]}, strategy={"type": "Recreate"}),
        ("spec.strategy.type", f"{_WEB}.env[A].valueFrom.configMapKeyRef.key"),
        (f"{_WEB}.env[A].value", "spec.strategy.rollingUpdate"),
        _in_web(env=[{"name": "A", "value": "by hand"}]),
    ),
    Union(
        "a value to valueFrom",
        _deployment({"env": [{"name": "A", "value": "1"}]}),
        _deployment({"env": [{"name": "A", **_FROM}]}),
        (f"{_WEB}.env[A].valueFrom.configMapKeyRef.key",),
        (f"{_WEB}.env[A].value",),
    ),
    Union(
        "valueFrom to a value, over what was set by hand",
        _deployment({"env": [{"name": "A", "value": "1"}]}),
        _deployment({"env": [{"name": "A", "value": "1"}]}),
        (f"{_WEB}.env[A].value",),
        (f"{_WEB}.env[A].valueFrom.configMapKeyRef.key",),
        _in_web(env=[{"name": "A", "value": None, **_FROM}]),
    ),
    Union(
        "a volume that was an emptyDir by default",
        _deployment(pod={"volumes": [{"name": "v"}]}),
        _deployment(pod={"volumes": [{"name": "v", "configMap": {"name": "c"}}]}),
        ("spec.template.spec.volumes[v].configMap.name",),
        ("spec.template.spec.volumes[v].emptyDir",),
    ),
    Union(
        "another source of a volume",
        _deployment(pod={"volumes": [{"name": "v", "configMap": {"name": "c"}}]}),
        _deployment(pod={"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}),
        ("spec.template.spec.volumes[v].secret.secretName",),
        ("spec.template.spec.volumes[v].configMap.name",),
    ),
    Union(
        "session affinity turned off",
        _service(sessionAffinity="ClientIP"),
        _service(sessionAffinity="None"),
        ("spec.sessionAffinity",),
        ("spec.sessionAffinityConfig.clientIP.timeoutSeconds",),
    ),
    Union(
        "a NodePort to a ClusterIP",
        _service(type="NodePort"),
        _service(type="ClusterIP"),
        ("spec.type",),
        ("spec.ports[0].nodePort",),
    ),
    Union(
        "external traffic of a NodePort that is none any more",
        _service(type="NodePort"),
        _service(type="ClusterIP"),
        ("spec.type",),
        ("spec.externalTrafficPolicy",),
        {"spec": {"externalTrafficPolicy": "Local"}},
    ),
    Union(
        "a ClusterIP to a name elsewhere",
        _service(),
        _of("v1", "Service", {"type": "ExternalName", "externalName": "db.example.org"}),
        ("spec.type", "spec.externalName"),
        ("spec.clusterIP",),
    ),
    Union(
        "a name elsewhere to a ClusterIP",
        _of("v1", "Service", {"type": "ExternalName", "externalName": "db.example.org"}),
        _service(type="ClusterIP"),
        ("spec.type",),
        ("spec.externalName",),
    ),
    Union(
        "a handler of a hook",
        _deployment({"lifecycle": {"preStop": {"httpGet": {"port": 80}}}}),
        _deployment({"lifecycle": {"preStop": _EXEC}}),
        (f"{_WEB}.lifecycle.preStop.exec.command",),
        (f"{_WEB}.lifecycle.preStop.httpGet.port",),
    ),
)
