"""Changes of live objects and of manifests, each with what a comparison must say of it: cases as data."""

from __future__ import annotations

from typing import Any

from .change import DELETE, Change, Object, deployment, drop, in_pod, made, pods, put
from .objects import IMAGE


def all_changes(namespace: str, group: str) -> list[Change]:
    """Every change, on objects of `namespace`; the definition's group is `group`."""
    found = [
        *_deployments(),
        *_configuration(),
        *_network(),
        *_access(),
        *_batch(),
        *_limits(),
        *_others(namespace),
        *_instances(group),
    ]
    for number, change in enumerate(found):
        metadata = change.was["metadata"]
        metadata.setdefault("name", f"{change.was['kind'].lower()}-{number}")
        if not metadata.pop("cluster", False):
            metadata["namespace"] = namespace
    return found


_CONTAINER = ("spec", "template", "spec", "containers", 0)
_WEB = "spec.template.spec.containers[web]"


def _deployments() -> list[Change]:
    env, probe = [{"name": "LOG", "value": "info"}], {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 7}
    limits = {"limits": {"cpu": "1", "memory": "1Gi"}}
    sidecar = {"name": "spy", "image": "spy:1"}
    both = [{"name": "web", "image": IMAGE}, sidecar]
    return [
        Change("image set by hand", deployment(), in_pod(image="nginx"), fields=(f"{_WEB}.image",)),
        Change("scaled by hand", deployment(0), {"spec": {"replicas": 1}}, fields=("spec.replicas",)),
        Change(
            "environment by hand",
            deployment(env=env),
            in_pod(env=[{"name": "LOG", "value": "debug"}]),
            fields=(f"{_WEB}.env[LOG].value",),
        ),
        Change(
            "a variable more by hand",
            deployment(env=env),
            in_pod(env=[*env, {"name": "MORE", "value": "1"}]),
            added=(f"{_WEB}.env[MORE].value",),
        ),
        Change("a variable less by hand", deployment(env=env), in_pod(), fields=(f"{_WEB}.env[LOG].name",)),
        Change(
            "probe by hand",
            deployment(readinessProbe=probe),
            in_pod(readinessProbe={**probe, "periodSeconds": 9}),
            fields=(f"{_WEB}.readinessProbe.periodSeconds",),
        ),
        Change(
            "limits by hand",
            deployment(resources=limits),
            in_pod(resources={"limits": {"cpu": "2", "memory": "1Gi"}}),
            fields=(f"{_WEB}.resources.limits.cpu",),
        ),
        Change(
            "quantities spelled another way",
            deployment(resources=limits),
            git=put(*_CONTAINER, "resources", to={"limits": {"cpu": "1000m", "memory": "1024Mi"}}),
        ),
        Change(
            "a container more by hand",
            deployment(),
            {"spec": {"template": {"spec": {"containers": both}}}},
            added=("spec.template.spec.containers[spy].image",),
        ),
        Change(
            "a foreign label",
            deployment(),
            {"metadata": {"labels": {"theirs": "yes"}}},
            added=("metadata.labels.theirs",),
        ),
        Change(
            "our label taken off",
            deployment(),
            {"metadata": {"labels": {"team": None}}},
            fields=("metadata.labels.team",),
        ),
        Change(
            "our label changed", deployment(), {"metadata": {"labels": {"team": "b"}}}, fields=("metadata.labels.team",)
        ),
        Change(
            "our annotation changed",
            deployment(),
            {"metadata": {"annotations": {"note": "by hand"}}},
            fields=("metadata.annotations.note",),
        ),
        Change(
            "a foreign annotation",
            deployment(),
            {"metadata": {"annotations": {"theirs": "yes"}}},
            added=("metadata.annotations.theirs",),
        ),
        Change(
            "a foreign finalizer",
            made("v1", "ConfigMap"),
            {"metadata": {"finalizers": ["example.org/theirs"]}},
            added=("metadata.finalizers",),
        ),
        Change(
            "restarted by hand",
            deployment(),
            {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}},
        ),
        Change(
            "another image in git", deployment(), git=put(*_CONTAINER, "image", to="x:2"), fields=(f"{_WEB}.image",)
        ),
        Change(
            "a variable less in git",
            deployment(env=env),
            git=drop(*_CONTAINER, "env"),
            fields=(f"{_WEB}.env[LOG].name",),
        ),
        Change("a default said in git", deployment(), git=put("spec", "revisionHistoryLimit", to=10)),
        Change("nothing said of replicas", deployment(), git=put("spec", "strategy", to=None)),
        Change(
            "a toleration more in git",
            deployment(),
            git=put("spec", "template", "spec", "tolerations", to=[{"operator": "Exists"}]),
            fields=("spec.template.spec.tolerations[0].operator",),
        ),
    ]


def _configuration() -> list[Change]:
    def config(**data: str) -> Object:
        return made("v1", "ConfigMap", data=data)

    def secret() -> Object:
        return made("v1", "Secret", stringData={"password": "correct horse"})

    def plain(manifest: Object) -> None:
        manifest.pop("stringData")
        manifest["data"] = {"password": "Y29ycmVjdCBob3JzZQ=="}

    return [
        Change("a value by hand", config(a="1"), {"data": {"a": "2"}}, fields=("data.a",)),
        Change("a key more by hand", config(a="1"), {"data": {"b": "2"}}, added=("data.b",)),
        Change("a key less by hand", config(a="1", b="2"), {"data": {"b": None}}, fields=("data.b",)),
        Change("a key less in git", config(a="1", b="2"), git=drop("data", "b"), fields=("data.b",)),
        Change("a key more in git", config(a="1"), git=put("data", "b", to="2"), fields=("data.b",)),
        Change("nothing in it", config(a="1"), git=put("binaryData", to={})),
        Change("null in git", config(a="1"), git=put("immutable", to=None)),
        Change("deleted", config(a="1"), DELETE, missing=True),
        Change("a secret by hand", secret(), {"data": {"password": "aHVudGVyMg=="}}, fields=("data.password",)),
        Change("a secret in base64", secret(), git=plain),
    ]


def _network() -> list[Change]:
    def service() -> Object:
        return made("v1", "Service", spec={"selector": {"app": "x"}, "ports": [{"port": 80, "targetPort": 8080}]})

    def policy() -> Object:
        closed = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {}}]}]}
        return made("networking.k8s.io/v1", "NetworkPolicy", spec=closed)

    def ingress() -> Object:
        backend = {"service": {"name": "x", "port": {"number": 80}}}
        paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
        return made(
            "networking.k8s.io/v1", "Ingress", spec={"rules": [{"host": "a.example.org", "http": {"paths": paths}}]}
        )

    other = {"host": "evil.example.org", "http": ingress()["spec"]["rules"][0]["http"]}
    more = [{"port": 80, "targetPort": 8080, "protocol": "TCP"}, {"port": 81, "name": "b", "protocol": "TCP"}]
    return [
        Change("service deleted", service(), DELETE, missing=True),
        Change("a protocol that is the default", service(), git=put("spec", "ports", 0, "protocol", to="TCP")),
        Change("selector by hand", service(), {"spec": {"selector": {"app": "y"}}}, fields=("spec.selector.app",)),
        Change(
            "target by hand",
            service(),
            {"spec": {"ports": [{"port": 80, "targetPort": 22, "protocol": "TCP"}]}},
            fields=("spec.ports[0].targetPort",),
        ),
        Change(
            "another port in git",
            service(),
            git=put("spec", "ports", 0, "port", to=90),
            fields=("spec.ports[0].port",),
        ),
        Change(
            "two ports in git",
            service(),
            git=put("spec", "ports", to=[{**more[0], "name": "a"}, more[1]]),
            fields=("spec.ports[a].name", "spec.ports[b].name"),
        ),
        Change(
            "opened by hand", policy(), {"spec": {"ingress": [{}]}}, fields=("spec.ingress[0].from[0].podSelector",)
        ),
        Change(
            "a host by hand",
            ingress(),
            {"spec": {"rules": [*ingress()["spec"]["rules"], other]}},
            fields=("spec.rules[1].host",),
        ),
        Change(
            "a path in git",
            ingress(),
            git=put("spec", "rules", 0, "http", "paths", 0, "path", to="/b"),
            fields=("spec.rules[0].http.paths[0].path",),
        ),
    ]


def _access() -> list[Change]:
    rbac = "rbac.authorization.k8s.io/v1"
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    who = [{"kind": "User", "name": "ann", "apiGroup": "rbac.authorization.k8s.io"}]
    eve = {"kind": "User", "name": "eve", "apiGroup": "rbac.authorization.k8s.io"}
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "none"}
    return [
        Change(
            "a verb by hand",
            made(rbac, "Role", rules=rules),
            {"rules": [{**rules[0], "verbs": ["get", "delete"]}]},
            fields=("rules[0].verbs",),
        ),
        Change(
            "a rule in git",
            made(rbac, "ClusterRole", cluster=True, rules=rules),
            git=put("rules", 0, "resources", to=["pods", "services"]),
            fields=("rules[0].resources",),
        ),
        Change(
            "a subject by hand",
            made(rbac, "RoleBinding", roleRef=ref, subjects=who),
            {"subjects": [*who, eve]},
            fields=("subjects[eve].name",),
        ),
        Change(
            "another role in git",
            made(rbac, "RoleBinding", roleRef=ref, subjects=who),
            git=put("roleRef", "name", to="other"),
            fields=("roleRef.name",),
            refused=True,
        ),
        Change(
            "tokens by hand",
            made("v1", "ServiceAccount", automountServiceAccountToken=False),
            {"automountServiceAccountToken": True},
            fields=("automountServiceAccountToken",),
        ),
    ]


def _batch() -> list[Change]:
    def template() -> Object:
        return {"spec": {"restartPolicy": "Never", "containers": [{"name": "web", "image": IMAGE}]}}

    def job() -> Object:
        return made("batch/v1", "Job", spec={"suspend": True, "template": template()})

    def cron() -> Object:
        spec = {"schedule": "0 3 * * *", "suspend": True, "jobTemplate": {"spec": {"template": template()}}}
        return made("batch/v1", "CronJob", spec=spec)

    def stateful() -> Object:
        claim = {
            "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
        spec = {
            "replicas": 0, "serviceName": "x", "selector": {"matchLabels": {"app": "x"}}, "template": pods(),
            "volumeClaimTemplates": [claim],
        }  # fmt: skip
        return made("apps/v1", "StatefulSet", spec=spec)

    size = ("spec", "volumeClaimTemplates", 0, "spec", "resources", "requests", "storage")
    return [
        Change("parallelism by hand", job(), {"spec": {"parallelism": 3}}, added=("spec.parallelism",)),
        Change(
            "a job's image in git",
            job(),
            git=put(*_CONTAINER, "image", to="x:2"),
            fields=(f"{_WEB}.image",),
            refused=True,
        ),
        Change("schedule by hand", cron(), {"spec": {"schedule": "* * * * *"}}, fields=("spec.schedule",)),
        Change("resumed by hand", cron(), {"spec": {"suspend": False}}, fields=("spec.suspend",)),
        Change("a set's image by hand", stateful(), in_pod(image="nginx"), fields=(f"{_WEB}.image",)),
        Change("a set's volume as it is", stateful(), git=put("spec", "podManagementPolicy", to="OrderedReady")),
        Change(
            "a set's volume in git",
            stateful(),
            git=put(*size, to="2Gi"),
            fields=("spec.volumeClaimTemplates[0].spec.resources.requests.storage",),
            refused=True,
        ),
    ]


def _limits() -> list[Change]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"}
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
    }
    scaler = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3, "metrics": [metric]}
    budget = {"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}}
    limit = {"limits": [{"type": "Container", "max": {"cpu": "4"}}]}
    return [
        Change(
            "bounds by hand",
            made("autoscaling/v2", "HorizontalPodAutoscaler", spec=scaler),
            {"spec": {"maxReplicas": 30}},
            fields=("spec.maxReplicas",),
        ),
        Change(
            "a budget by hand",
            made("policy/v1", "PodDisruptionBudget", spec=budget),
            {"spec": {"minAvailable": 0}},
            fields=("spec.minAvailable",),
        ),
        Change(
            "a quota by hand",
            made("v1", "ResourceQuota", spec={"hard": {"limits.cpu": "400"}}),
            {"spec": {"hard": {"limits.cpu": "800"}}},
            fields=("spec.hard.limits.cpu",),
        ),
        Change(
            "a quota spelled another way",
            made("v1", "ResourceQuota", spec={"hard": {"requests.memory": "1Ti"}}),
            git=put("spec", "hard", "requests.memory", to="1024Gi"),
        ),
        Change(
            "a range by hand",
            made("v1", "LimitRange", spec=limit),
            {"spec": {"limits": [{"type": "Container", "max": {"cpu": "8"}}]}},
            fields=("spec.limits[0].max.cpu",),
        ),
    ]


def _others(namespace: str) -> list[Change]:
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "none",
        "resources": {"requests": {"storage": "1Gi"}},
    }
    priority = made("scheduling.k8s.io/v1", "PriorityClass", cluster=True, value=7, description="as git says")
    priority["metadata"]["name"] = f"{namespace}-low"
    return [
        Change(
            "a claim's class in git",
            made("v1", "PersistentVolumeClaim", spec=claim),
            git=put("spec", "storageClassName", to="other"),
            fields=("spec.storageClassName",),
            refused=True,
        ),
        Change("described by hand", priority, {"description": "by hand"}, fields=("description",)),
    ]


def _instances(group: str) -> list[Change]:
    def thing(**spec: Any) -> Object:
        return made(f"{group}/v1", "Thing", spec=spec)

    return [
        Change("an instance by hand", thing(size=1), {"spec": {"size": 2}}, fields=("spec.size",)),
        Change("an instance's foreign field", thing(size=1), {"spec": {"theirs": True}}, added=("spec.theirs",)),
        Change(
            "an instance's list in git",
            thing(list=["a", "b"]),
            git=put("spec", "list", to=["b", "a"]),
            fields=("spec.list",),
        ),
        Change("an instance deleted", thing(size=1), DELETE, missing=True),
    ]
