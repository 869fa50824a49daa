"""What people add to live objects of more than twenty kinds, each with the field that must be told of it: cases as
data. Git says nothing of any of these fields, so that an apply alone would leave them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.model.change import Severity

from .change import Change, Object, deployment, made, pods
from .objects import IMAGE

_RBAC = "rbac.authorization.k8s.io"
_POD = "spec.template.spec"
_WEB = f"{_POD}.containers[web]"
_CRITICAL, _HIGH, _MEDIUM = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM


def added_changes(namespace: str, group: str) -> list[Change]:
    """Every addition, each to an object of its own in `namespace`; the definition's group is `group`."""
    found = [*_pods(), *_sets(), *_services(), *_access(), *_traffic(), *_limits(), *_data(group), *_wide(namespace)]
    for number, change in enumerate(found):
        metadata = change.was["metadata"]
        metadata.setdefault("name", f"{change.was['kind'].lower()}-added-{number}")
        if not metadata.pop("cluster", False):
            metadata["namespace"] = namespace
    return found


def _add(
    name: str, was: Object, hand: Mapping[str, Any], *fields: str, bad: Severity = _MEDIUM, merge: bool = False
) -> Change:
    return Change(f"added: {name}", was, hand, added=fields, bad=bad, strategic=not merge)


def _pod(**fields: Any) -> Mapping[str, Any]:
    return {"spec": {"template": {"spec": fields}}}


def _web(**fields: Any) -> Mapping[str, Any]:
    return _pod(containers=[{"name": "web", **fields}])


def _pods() -> list[Change]:
    def more(name: str, hand: Mapping[str, Any], *fields: str, bad: Severity = _MEDIUM) -> Change:
        return _add(name, deployment(), hand, *fields, bad=bad)

    root = {"name": "root", "hostPath": {"path": "/"}}
    mount = {"name": "web", "volumeMounts": [{"name": "root", "mountPath": "/host"}]}
    probe = {"httpGet": {"path": "/", "port": 80}}
    return [
        more("a container", _pod(containers=[{"name": "spy", "image": "spy:1"}]),
             f"{_POD}.containers[spy].image", bad=_HIGH),
        more("a variable", _web(env=[{"name": "HTTP_PROXY", "value": "http://x"}]), f"{_WEB}.env[HTTP_PROXY].value"),
        more("the host's network", _pod(hostNetwork=True), f"{_POD}.hostNetwork", bad=_CRITICAL),
        more("the host's processes", _pod(hostPID=True), f"{_POD}.hostPID", bad=_CRITICAL),
        more("more privileges", _web(securityContext={"allowPrivilegeEscalation": True}),
             f"{_WEB}.securityContext.allowPrivilegeEscalation", bad=_HIGH),
        more("capabilities", _web(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}),
             f"{_WEB}.securityContext.capabilities.add", bad=_CRITICAL),
        more("the host's disk", _pod(volumes=[root], containers=[mount]),
             f"{_POD}.volumes[root].hostPath.path", f"{_WEB}.volumeMounts[root].mountPath", bad=_HIGH),
        more("a first container", _pod(initContainers=[{"name": "first", "image": "spy:1"}]),
             f"{_POD}.initContainers[first].image", bad=_HIGH),
        more("a toleration", _pod(tolerations=[{"operator": "Exists"}]), f"{_POD}.tolerations[0].operator"),
        more("another command", _web(command=["sh"], args=["-c", "x"]), f"{_WEB}.command", f"{_WEB}.args", bad=_HIGH),
        more("a probe", _web(readinessProbe=probe), f"{_WEB}.readinessProbe.httpGet.path"),
        more("a port of a container", _web(ports=[{"containerPort": 8080}]), f"{_WEB}.ports[0].containerPort"),
        more("an account", _pod(serviceAccountName="admin"), f"{_POD}.serviceAccountName", bad=_HIGH),
        more("limits", _web(resources={"limits": {"cpu": "1"}}), f"{_WEB}.resources.limits.cpu"),
        more("a pause", {"spec": {"paused": True}}, "spec.paused"),
        more("another strategy", {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}},
             "spec.strategy.type"),
        more("a label of pods", {"spec": {"template": {"metadata": {"labels": {"theirs": "yes"}}}}},
             "spec.template.metadata.labels.theirs"),
    ]  # fmt: skip


def _sets() -> list[Change]:
    selector = {"selector": {"matchLabels": {"app": "x"}}}
    nowhere = pods()
    nowhere["spec"]["nodeSelector"] = {"nowhere": "yes"}
    daemon = made("apps/v1", "DaemonSet", spec={**selector, "template": nowhere})
    stateful = made("apps/v1", "StatefulSet", spec={**selector, "replicas": 0, "serviceName": "x", "template": pods()})
    replicas = made("apps/v1", "ReplicaSet", spec={**selector, "replicas": 0, "template": pods()})
    once = {"spec": {"restartPolicy": "Never", "containers": [{"name": "web", "image": IMAGE}]}}
    cron = {"schedule": "0 3 * * *", "suspend": True, "jobTemplate": {"spec": {"template": once}}}
    job = made("batch/v1", "Job", spec={"suspend": True, "template": once})
    proxied = {"containers": [{"name": "web", "env": [{"name": "A", "value": "1"}]}]}
    nightly = {"spec": {"jobTemplate": {"spec": {"template": {"spec": proxied}}}}}
    return [
        _add("a daemon on the host's network", daemon, _pod(hostNetwork=True), f"{_POD}.hostNetwork", bad=_CRITICAL),
        _add("a set's variable", stateful, _web(env=[{"name": "A", "value": "1"}]), f"{_WEB}.env[A].value"),
        _add("how a set is updated", made("apps/v1", "StatefulSet", spec=stateful["spec"]),
             {"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}}, "spec.updateStrategy.type"),
        _add("a replica set's patience", replicas, {"spec": {"minReadySeconds": 7}}, "spec.minReadySeconds"),
        _add("a job's retries", job, {"spec": {"backoffLimit": 2}}, "spec.backoffLimit"),
        _add("a cron job's variable", made("batch/v1", "CronJob", spec=cron), nightly,
             "spec.jobTemplate.spec.template.spec.containers[web].env[A].value"),
        _add("a cron job's concurrency", made("batch/v1", "CronJob", spec=cron),
             {"spec": {"concurrencyPolicy": "Forbid"}}, "spec.concurrencyPolicy"),
    ]  # fmt: skip


def _services() -> list[Change]:
    def service() -> Object:
        return made("v1", "Service", spec={"selector": {"app": "x"}, "ports": [{"name": "web", "port": 80}]})

    more = {"name": "ssh", "port": 22, "protocol": "TCP", "targetPort": 22}
    return [
        _add("a port of every node", service(), {"spec": {"type": "NodePort"}}, "spec.type", bad=_HIGH),
        _add("addresses", service(), {"spec": {"externalIPs": ["192.0.2.7"]}}, "spec.externalIPs", bad=_CRITICAL),
        _add("a port", service(), {"spec": {"ports": [more]}}, "spec.ports[ssh].port"),
        _add("affinity", service(), {"spec": {"sessionAffinity": "ClientIP"}}, "spec.sessionAffinity"),
        _add("a service's label", service(), {"metadata": {"labels": {"a": "b"}}}, "metadata.labels.a",
             bad=Severity.LOW),
    ]  # fmt: skip


def _access() -> list[Change]:
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    eve = [{"kind": "User", "name": "eve", "apiGroup": _RBAC}]
    role = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "none"}
    return [
        _add("rules of a role", made(f"{_RBAC}/v1", "Role"), {"rules": rules}, "rules[0].verbs", bad=_CRITICAL),
        _add("a subject of a binding", made(f"{_RBAC}/v1", "RoleBinding", roleRef=role), {"subjects": eve},
             "subjects[eve].name", bad=_CRITICAL),
        _add("a pull secret of an account", made("v1", "ServiceAccount"), {"imagePullSecrets": [{"name": "theirs"}]},
             "imagePullSecrets[theirs].name", bad=_HIGH),
        _add("an account's token", made("v1", "ServiceAccount"), {"automountServiceAccountToken": False},
             "automountServiceAccountToken", bad=_HIGH),
    ]  # fmt: skip


def _traffic() -> list[Change]:
    backend = {"service": {"name": "x", "port": {"number": 80}}}
    rules = [{"host": "a.example.org", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]
    ingress = ("networking.k8s.io/v1", "Ingress")
    closed = made("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {}, "policyTypes": ["Ingress"]})
    return [
        _add("what a policy lets in", closed, {"spec": {"ingress": [{}]}}, "spec.ingress[0]", bad=_CRITICAL),
        _add("a certificate", made(*ingress, spec={"rules": rules}), {"spec": {"tls": [{"hosts": ["a.example.org"]}]}},
             "spec.tls[0].hosts", bad=_HIGH),
        _add("a class", made(*ingress, spec={"rules": rules}), {"spec": {"ingressClassName": "theirs"}},
             "spec.ingressClassName"),
    ]  # fmt: skip


def _limits() -> list[Change]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"}
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    scaler = {"scaleTargetRef": target, "maxReplicas": 3, "metrics": [{"type": "Resource", "resource": cpu}]}
    budget = {"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}}
    limit = {"type": "Container", "max": {"cpu": "4"}}
    claim = {
        "accessModes": ["ReadWriteOnce"], "storageClassName": "none", "resources": {"requests": {"storage": "1Gi"}},
    }  # fmt: skip
    return [
        _add("a scaler's least", made("autoscaling/v2", "HorizontalPodAutoscaler", spec=scaler),
             {"spec": {"minReplicas": 2}}, "spec.minReplicas"),
        _add("a budget's policy", made("policy/v1", "PodDisruptionBudget", spec=budget),
             {"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}}, "spec.unhealthyPodEvictionPolicy"),
        _add("a quota of pods", made("v1", "ResourceQuota", spec={"hard": {"limits.cpu": "400"}}),
             {"spec": {"hard": {"count/jobs.batch": "9"}}}, "spec.hard.count/jobs.batch"),
        _add("a note at a range", made("v1", "LimitRange", spec={"limits": [limit]}),
             {"metadata": {"annotations": {"a": "b"}}}, "metadata.annotations.a", bad=Severity.LOW),
        _add("a note at a claim", made("v1", "PersistentVolumeClaim", spec=claim),
             {"metadata": {"annotations": {"a": "b"}}}, "metadata.annotations.a", bad=Severity.LOW),
    ]  # fmt: skip


def _data(group: str) -> list[Change]:
    thing = made(f"{group}/v1", "Thing", spec={"size": 1})
    return [
        _add("a binary key", made("v1", "ConfigMap", data={"a": "1"}), {"binaryData": {"b": "AAAA"}}, "binaryData.b"),
        _add("a secret's key", made("v1", "Secret", stringData={"a": "1"}), {"data": {"theirs": "aHVudGVyMg=="}},
             "data.theirs", bad=_HIGH),
        _add("a part of an instance", thing, {"spec": {"deep": {"er": [1, 2]}}}, "spec.deep.er", merge=True),
    ]  # fmt: skip


def _wide(namespace: str) -> list[Change]:
    """Of the whole cluster; the names say whose test made them."""

    def wide(api: str, kind: str, **rest: Any) -> Object:
        obj = made(api, kind, cluster=True, **rest)
        obj["metadata"]["name"] = f"{namespace}-{kind.lower()}-added"
        return obj

    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    eve = [{"kind": "User", "name": "eve", "apiGroup": _RBAC}]
    role = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "none"}
    client = {"url": "https://evil.example.org/"}
    watched = [{"apiGroups": ["none.example.org"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["x"]}]
    hook = {
        "name": "evil.example.org", "clientConfig": client, "rules": watched, "failurePolicy": "Ignore",
        "sideEffects": "None", "admissionReviewVersions": ["v1"],
    }  # fmt: skip
    enforce = {"pod-security.kubernetes.io/enforce": "privileged"}
    return [
        _add("rules of a cluster's role", wide(f"{_RBAC}/v1", "ClusterRole"), {"rules": rules}, "rules[0].verbs",
             bad=_CRITICAL),
        _add("an administrator", wide(f"{_RBAC}/v1", "ClusterRoleBinding", roleRef=role), {"subjects": eve},
             "subjects[eve].name", bad=_CRITICAL),
        _add("a webhook", wide("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
             {"webhooks": [hook]}, "webhooks[evil.example.org].clientConfig.url", bad=_CRITICAL),
        _add("a class that grows", wide("storage.k8s.io/v1", "StorageClass", provisioner="none.example.org"),
             {"allowVolumeExpansion": True}, "allowVolumeExpansion"),
        _add("a description", wide("scheduling.k8s.io/v1", "PriorityClass", value=7), {"description": "theirs"},
             "description"),
        _add("what a namespace lets in", wide("v1", "Namespace"), {"metadata": {"labels": enforce}},
             "metadata.labels.pod-security.kubernetes.io/enforce", bad=_HIGH),
    ]  # fmt: skip
