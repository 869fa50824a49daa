"""Terraform's machine-readable output as live progress: one line stays for each finished resource."""

from __future__ import annotations

from ...ports import Progress, Task
from . import documents

_WORDS = {
    "openstack_compute_instance_v2": "server",
    "openstack_compute_servergroup_v2": "server group",
    "openstack_networking_secgroup_v2": "security group",
    "openstack_networking_secgroup_rule_v2": "security group rule",
    "openstack_networking_floatingip_v2": "floating IP",
    "openstack_networking_floatingip_associate_v2": "floating IP association",
    "openstack_lb_loadbalancer_v2": "load balancer",
}
_VERBS = {
    "create": ("creating", "created"),
    "update": ("updating", "updated"),
    "delete": ("deleting", "deleted"),
}


class Follower:
    """Takes one line of `-json` output at a time; lines that are not about a resource pass by."""

    def __init__(self, task: Task, progress: Progress) -> None:
        self._task = task
        self._progress = progress

    def __call__(self, line: str) -> None:
        message = documents.message(line)
        hook = documents.hook(message.get("hook"))
        if hook is None:
            return
        name, verbs = describe(hook["resource"]), _VERBS.get(hook.get("action", ""))
        kind = str(message.get("type"))
        if kind == "refresh_start":
            self._task.status(f"reading {name}")
        elif verbs and kind in {"apply_start", "apply_progress"}:
            # how long it is at work already is not repeated: OpenTofu 1.12 sends one heartbeat a resource, then none
            self._task.status(f"{verbs[0]} {name}")
        elif verbs and kind == "apply_complete":
            self._task.advance()
            self._progress.log(f"{verbs[1]} {name}{_seconds(hook)}")
        elif verbs and kind == "apply_errored":
            self._progress.log(f"failed while {verbs[0]} {name}{_seconds(hook)}")


def describe(resource: documents.Resource) -> str:
    """Name a resource for people: `server demo-worker-1`, `router interface`."""
    type_ = resource["resource_type"]
    word = _WORDS.get(type_) or " ".join(part for part in type_.split("_")[1:] if part not in _NOISE)
    key = resource.get("resource_key")
    return f"{word} {key}" if isinstance(key, str) else word  # a number only says that there is one


_NOISE = frozenset({"compute", "networking", "v2", "v3"})


def _seconds(hook: documents.Hook) -> str:
    return f" ({hook['elapsed_seconds']:.0f} s)" if "elapsed_seconds" in hook else ""
