"""What a step runs, as a person would type it: so that a reviewer knows what is going to happen."""

from __future__ import annotations

from ..model.plan import JOIN, RENEW, Step, Tool
from ..model.resource import Component

_MODULES = {Component.INFRASTRUCTURE: "terraform/openstack-cluster", Component.APPLICATIONS: "terraform/openshift-app"}
_SHOWN = 10


def command(step: Step) -> str:
    """One line. The same tools are used through their libraries: the line says what they do, not how."""
    if step.tool is Tool.TERRAFORM:
        return f"tofu plan, then tofu apply of that plan, of {_MODULES[step.component]}"
    if step.tool is Tool.KUBESPRAY:
        return f"ansible-playbook {step.operation}{_hosts(step)}"
    if step.tool is Tool.OPENSTACK:
        return _openstack(step)
    if step.operation == RENEW:
        return f"k8s-certs-renew.sh on {_names(step)}, over SSH"
    verb = {"apply": "apply --server-side", "prune": "delete", "label": "label and taint"}[step.operation]
    return f"kubectl {verb} {_names(step)}"


def _openstack(step: Step) -> str:
    if step.operation == "reboot":
        return f"openstack server reboot --hard {_names(step)}"
    if step.operation == JOIN:
        subnets = sorted({str(d.desired) for d in step.differences})
        return f"openstack port set --fixed-ip subnet={', '.join(subnets)} {_names(step)}"
    kinds = sorted({d.key.kind.replace("_", " ") for d in step.differences})
    return f"openstack {' / '.join(kinds)} delete, by id"


def _hosts(step: Step) -> str:
    if step.operation == "remove-node.yml":
        return f" --extra-vars node={','.join(step.targets)}"
    if step.operation == "recover-control-plane.yml":
        return " --limit etcd,kube_control_plane"
    return f" --limit {step.arguments['limit']}" if "limit" in step.arguments else ""


def _names(step: Step) -> str:
    more = len(step.targets) - _SHOWN
    return ", ".join(step.targets[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
