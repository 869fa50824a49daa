"""Whether an object has become what it asks for, read from its status. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Health:
    """`detail` is how far it is (`1/2`, `Pending`); `failed` says that waiting longer won't help, `optional` that
    perhaps nobody will ever say it: then it is waited for a little, and its absence is no failure."""

    ok: bool
    detail: str = ""
    failed: bool = False
    optional: bool = False


_FINE = Health(True)


def health(obj: Mapping[str, Any]) -> Health:
    """Kinds of Kubernetes itself by rules of their own, any other by its conditions."""
    rule = _RULES.get(obj["kind"], _by_conditions) if _of_kubernetes(obj) else _by_conditions
    return rule(mapping(obj.get("spec")), mapping(obj.get("status")), obj)


def _of_kubernetes(obj: Mapping[str, Any]) -> bool:
    """Its groups have no dot, or end in k8s.io; somebody else's Job may mean anything."""
    group, slash, _ = str(obj.get("apiVersion") or "v1").rpartition("/")
    return not slash or "." not in group or group.endswith(".k8s.io")


def _by_conditions(_: Mapping[str, Any], status: Mapping[str, Any], obj: Mapping[str, Any]) -> Health:
    """The conventions of kstatus (sigs.k8s.io/cli-utils, pkg/kstatus): Stalled and Reconciling say what is abnormal,
    Ready what is normal, observedGeneration of which spec all this speaks. What says none of it has nothing to say."""
    if _is_number(status.get("observedGeneration")) and not _seen(status, obj):
        return Health(False, "was not seen by its controller yet")
    if stalled := _condition(status, "Stalled", "True"):
        return Health(False, _words(stalled), failed=True)
    if working := _condition(status, "Reconciling", "True"):
        return Health(False, _words(working))
    ready = next((c for c in conditions(status) if c.get("type") == "Ready"), None)
    if ready is None:
        return _FINE
    seen = ready.get("observedGeneration")
    late = _is_number(seen) and seen < obj["metadata"].get("generation", 0)
    return Health(ready.get("status") == "True" and not late, _words(ready))


def _words(condition: Mapping[str, Any]) -> str:
    return ": ".join(str(condition[k]) for k in ("reason", "message") if condition.get(k)) or str(condition["type"])


def _deployment(spec: Mapping[str, Any], status: Mapping[str, Any], obj: Mapping[str, Any]) -> Health:
    stuck = _condition(status, "Progressing", "False")
    if stuck and _seen(status, obj) and stuck.get("reason") == "ProgressDeadlineExceeded":
        return Health(False, str(stuck.get("message", "")), failed=True)
    updated = min(status.get("updatedReplicas", 0), status.get("availableReplicas", 0))
    leftover = status.get("replicas", 0) > status.get("updatedReplicas", 0)
    return _rollout(updated, spec.get("replicas", 1), _seen(status, obj) and not leftover)


def _stateful_set(spec: Mapping[str, Any], status: Mapping[str, Any], obj: Mapping[str, Any]) -> Health:
    wanted = spec.get("replicas", 1)
    ready = status.get("readyReplicas", 0)
    strategy = spec.get("updateStrategy") or {}
    partition = (strategy.get("rollingUpdate") or {}).get("partition", 0)
    if strategy.get("type") != "OnDelete" and not partition:
        ready = min(ready, status.get("updatedReplicas", 0))
    return _rollout(ready, wanted, _seen(status, obj))


def _daemon_set(spec: Mapping[str, Any], status: Mapping[str, Any], obj: Mapping[str, Any]) -> Health:
    ready = status.get("numberAvailable", 0)
    if (spec.get("updateStrategy") or {}).get("type") != "OnDelete":
        ready = min(ready, status.get("updatedNumberScheduled", 0))
    return _rollout(ready, status.get("desiredNumberScheduled", 0), _seen(status, obj))


def _job(spec: Mapping[str, Any], status: Mapping[str, Any], _: Mapping[str, Any]) -> Health:
    failed = _condition(status, "Failed", "True")
    if failed:
        return Health(False, str(failed.get("message") or "failed"), failed=True)
    if spec.get("suspend") or _condition(status, "Complete", "True"):
        return _FINE
    return Health(False, f"{status.get('succeeded', 0)}/{spec.get('completions', 1)}")


def finished(obj: Mapping[str, Any]) -> bool:
    """Did the Job run to its end, and well?"""
    return _condition(mapping(obj.get("status")), "Complete", "True") is not None


def _claim(_: Mapping[str, Any], status: Mapping[str, Any], __: Mapping[str, Any]) -> Health:
    phase = status.get("phase", "Pending")
    return Health(phase == "Bound", phase, failed=phase == "Lost")


def _definition(_: Mapping[str, Any], status: Mapping[str, Any], __: Mapping[str, Any]) -> Health:
    refused = _condition(status, "NamesAccepted", "False")
    if refused:
        return Health(False, str(refused.get("message", "")), failed=True)
    return Health(_condition(status, "Established", "True") is not None, "not established")


def _replica_set(spec: Mapping[str, Any], status: Mapping[str, Any], obj: Mapping[str, Any]) -> Health:
    return _rollout(status.get("availableReplicas", 0), spec.get("replicas", 1), _seen(status, obj))


def _pod(_: Mapping[str, Any], status: Mapping[str, Any], __: Mapping[str, Any]) -> Health:
    phase = str(status.get("phase", "Pending"))
    ready = phase == "Succeeded" or _condition(status, "Ready", "True") is not None
    return Health(ready, phase, failed=phase == "Failed")


def _service(spec: Mapping[str, Any], status: Mapping[str, Any], _: Mapping[str, Any]) -> Health:
    """Who asks for a load balancer means to be reached by it."""
    wants = spec.get("type") == "LoadBalancer"
    return Health(not wants or _addressed(status), "has no address: does a controller serve load balancers here?")


def _ingress(_: Mapping[str, Any], status: Mapping[str, Any], __: Mapping[str, Any]) -> Health:
    """Not every controller writes the address down, so nobody waits for it for ever."""
    return Health(_addressed(status), "has no address yet", optional=True)


def _addressed(status: Mapping[str, Any]) -> bool:
    return bool((status.get("loadBalancer") or {}).get("ingress"))


def _autoscaler(_: Mapping[str, Any], status: Mapping[str, Any], __: Mapping[str, Any]) -> Health:
    """It may be that nobody measures: then it scales nothing, and what it is for runs all the same."""
    if unable := _condition(status, "AbleToScale", "False"):
        return Health(False, _words(unable))
    inactive = _condition(status, "ScalingActive", "False")
    if inactive and inactive.get("reason") != "ScalingDisabled":
        return Health(False, _words(inactive), optional=True)
    return Health(bool(status.get("conditions")), "was not seen by its controller yet", optional=True)


def _disruption_budget(_: Mapping[str, Any], status: Mapping[str, Any], obj: Mapping[str, Any]) -> Health:
    """Whether it allows a disruption now is up to the pods, which are waited for themselves."""
    return Health(_seen(status, obj), "was not seen by its controller yet")


def _api_service(_: Mapping[str, Any], status: Mapping[str, Any], __: Mapping[str, Any]) -> Health:
    missing = _condition(status, "Available", "False")
    ok = _condition(status, "Available", "True") is not None
    return Health(ok, _words(missing) if missing else "is not available yet")


def _rollout(ready: int, wanted: int, settled: bool) -> Health:
    return Health(settled and ready >= wanted, f"{ready}/{wanted}")


def _seen(status: Mapping[str, Any], obj: Mapping[str, Any]) -> bool:
    """Until its controller has seen the newest spec, a status speaks of the one before."""
    return bool(status.get("observedGeneration", 0) >= obj["metadata"].get("generation", 0))


def _condition(status: Mapping[str, Any], type_: str, value: str) -> Mapping[str, Any] | None:
    found = (c for c in conditions(status) if c.get("type") == type_ and c.get("status") == value)
    return next(found, None)


def conditions(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Those that are in the shape they should have: a definition may leave that to whoever writes the status."""
    listed = status.get("conditions")
    return [c for c in listed if isinstance(c, Mapping)] if isinstance(listed, list) else []


def mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_RULES = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "ReplicaSet": _replica_set,
    "Job": _job,
    "Pod": _pod,
    "Service": _service,
    "Ingress": _ingress,
    "HorizontalPodAutoscaler": _autoscaler,
    "PodDisruptionBudget": _disruption_budget,
    "APIService": _api_service,
    "PersistentVolumeClaim": _claim,
    "CustomResourceDefinition": _definition,
}
