"""Whether an object has become what it asks for, read from its status. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Health:
    """`detail` is how far it is (`1/2`, `Pending`); `failed` says that waiting longer won't help."""

    ok: bool
    detail: str = ""
    failed: bool = False


_FINE = Health(True)


def health(obj: Mapping[str, Any]) -> Health:
    """Kinds that have nothing to wait for are healthy once they exist."""
    rule = _RULES.get(obj["kind"])
    return rule(obj.get("spec") or {}, obj.get("status") or {}, obj) if rule else _FINE


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


def _claim(_: Mapping[str, Any], status: Mapping[str, Any], __: Mapping[str, Any]) -> Health:
    phase = status.get("phase", "Pending")
    return Health(phase == "Bound", phase, failed=phase == "Lost")


def _definition(_: Mapping[str, Any], status: Mapping[str, Any], __: Mapping[str, Any]) -> Health:
    refused = _condition(status, "NamesAccepted", "False")
    if refused:
        return Health(False, str(refused.get("message", "")), failed=True)
    return Health(_condition(status, "Established", "True") is not None, "not established")


def _rollout(ready: int, wanted: int, settled: bool) -> Health:
    return Health(settled and ready >= wanted, f"{ready}/{wanted}")


def _seen(status: Mapping[str, Any], obj: Mapping[str, Any]) -> bool:
    """Until its controller has seen the newest spec, a status speaks of the one before."""
    return bool(status.get("observedGeneration", 0) >= obj["metadata"].get("generation", 0))


def _condition(status: Mapping[str, Any], type_: str, value: str) -> Mapping[str, Any] | None:
    found = (c for c in status.get("conditions") or () if c["type"] == type_ and c["status"] == value)
    return next(found, None)


_RULES = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "PersistentVolumeClaim": _claim,
    "CustomResourceDefinition": _definition,
}
