"""What a machine of a group would be as a node, from its flavor: what an empty group is scaled up by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ...model.desired import Cluster, Machines, NodeGroup
from ...model.resource import Fields
from ...spec.render.gpus import gpus

_MI, _KI = 1 << 20, 1 << 10
# What Kubespray's kubelet keeps for itself and for the system (roles/kubernetes/node/defaults/main.yml of 2.31), by the
# variable that says so; both are kept whether or not they have a cgroup of their own (kube_reserved, system_reserved).
_RESERVED = {
    "kube_cpu_reserved": "100m",
    "kube_memory_reserved": "256Mi",
    "kube_ephemeral_storage_reserved": "500Mi",
    "system_cpu_reserved": "500m",
    "system_memory_reserved": "512Mi",
    "system_ephemeral_storage_reserved": "500Mi",
}
_MAX_PODS = 110  # Kubespray's kubelet_max_pods
# The kubelet's own thresholds where eviction_hard says nothing: 100Mi of memory, a tenth of the disk.
_EVICTION_MEMORY = 100 * _MI
_EVICTION_DISK = 0.1
_POWERS = "kMGT"
_UNITS = {"": 1, "Ki": 1 << 10, **{p: 1000**n for n, p in enumerate(_POWERS, 1)}}
_UNITS |= {f"{p}i": 1024**n for n, p in enumerate(_POWERS, 1)}


@dataclass(frozen=True, slots=True)
class Template:
    """A node as if it had just started. Quantities are Kubernetes' own texts."""

    name: str
    labels: Mapping[str, str]
    taints: tuple[tuple[str, str, str], ...]
    capacity: Mapping[str, str]
    allocatable: Mapping[str, str]


def template(cluster: Cluster, group: NodeGroup, flavor: Fields, *, gpu: str = "nvidia.com/gpu") -> Template:
    """The next node of a group. `flavor` has vcpus, ram (MiB), disk (GiB) and extra_specs.*; `gpu` is what Kubernetes
    calls a GPU. Raises ValueError for a variable that is no quantity."""
    variables = cluster.spec.kubernetes.variables
    kept = {name: str(variables.get(name, default)) for name, default in _RESERVED.items()}

    def reserved(resource: str) -> float:
        return sum(quantity(kept[f"{who}_{resource}_reserved"]) for who in ("kube", "system"))

    cpu, memory = _whole(flavor, "vcpus") * 1000, _whole(flavor, "ram") * _MI
    disk = _root_disk(group, flavor) * (1 << 30)
    pods = int(str(variables.get("kubelet_max_pods", _MAX_PODS)))
    extended = {gpu: str(count)} if (count := gpus(flavor)) else {}
    usable_memory = memory - reserved("memory") - _eviction(variables, "memory.available", memory, _EVICTION_MEMORY)
    full = _eviction(variables, "nodefs.available", disk, disk * _EVICTION_DISK)
    usable_disk = disk - reserved("ephemeral_storage") - full
    return Template(
        name=f"{cluster.name}-{group.name}-template",
        labels=_labels(cluster, group),
        taints=tuple((t.key, t.value, t.effect) for t in group.taints),
        capacity=_resources(cpu, memory, disk, pods, extended),
        allocatable=_resources(cpu - reserved("cpu") * 1000, usable_memory, usable_disk, pods, extended),
    )


def quantity(text: str) -> float:
    """A quantity of Kubernetes as a number. Raises ValueError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(m|Ki|Mi|Gi|Ti|k|M|G|T)?", text.strip())
    if not found:
        raise ValueError(f"{text!r} is no quantity, such as 500m or 256Mi")
    number, unit = float(found[1]), found[2] or ""
    return number / 1000 if unit == "m" else number * _UNITS[unit]


def _labels(cluster: Cluster, group: NodeGroup) -> dict[str, str]:
    name = f"{cluster.name}-{group.name}-template"
    system = {f"{prefix}kubernetes.io/{key}": value for prefix in ("", "beta.") for key, value in
              (("arch", "amd64"), ("os", "linux"))}  # fmt: skip
    return {**system, "kubernetes.io/hostname": name, **group.labels, "research.moc/node-group": group.name}


def _resources(cpu: float, memory: float, disk: float, pods: int, extended: Mapping[str, str]) -> dict[str, str]:
    """Rounded down: what is promised must be there."""
    made = {
        "cpu": f"{max(0, int(cpu))}m",
        "memory": f"{max(0, int(memory)) // _KI}Ki",
        "ephemeral-storage": f"{max(0, int(disk)) // _KI}Ki",
        "pods": str(pods),
    }
    return {**made, **extended}


def _root_disk(group: Machines, flavor: Fields) -> int:
    """In GiB: the volume it boots from, else what the flavor has."""
    return group.boot_volume.size if group.boot_volume else _whole(flavor, "disk")


def _eviction(variables: Mapping[str, object], signal: str, whole: float, otherwise: float) -> float:
    said = variables.get("eviction_hard")
    value = str(said.get(signal, "")) if isinstance(said, Mapping) else ""
    if value.endswith("%"):
        return whole * float(value[:-1]) / 100
    return quantity(value) if value else otherwise


def _whole(flavor: Fields, name: str) -> int:
    value = flavor.get(name)
    return value if isinstance(value, int) else 0
