"""The smallest Kubespray playbook for what drifted among the nodes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from ..model.change import Action, Class, Difference
from ..model.naming import CERTIFICATE
from ..model.plan import Counts, Step, Tool
from ..model.resource import Component

_METADATA = ("labels.", "taints", "provider_id")


def kubernetes_steps(
    differences: Sequence[Difference], *, control_plane: Collection[str], rebuilt: Collection[str], balancer: Action
) -> tuple[list[Step], list[Step]]:
    """Return the steps before and after infrastructure is applied.

    `control_plane` names its hosts. `rebuilt` names the servers that this same plan makes (again): their nodes
    have to join, whatever the API still says of them. Nodes that leave are drained before their servers go.
    `balancer` is what becomes of the API's load balancer: every node and certificate names its address, so cluster.yml
    runs once it has another, and before it goes.
    """
    nodes = [d for d in differences if d.component is Component.KUBERNETES and d.key.kind == "node" and d.actionable]
    leaving = [d for d in nodes if d.action is Action.DELETE]
    staying = [d for d in nodes if d.action is not Action.DELETE]
    before = _remove(leaving)
    if balancer is Action.DELETE:
        before.append(_playbook("cluster.yml", control_plane, staying, "leave the load balancer"))
    joining = _joining(staying, rebuilt)
    after: list[Step] = []
    if balancer in (Action.CREATE, Action.REPLACE) and not joining & set(control_plane):
        after.append(_playbook("cluster.yml", {*joining, *control_plane}, staying, "go through the new load balancer"))
    elif joining & set(control_plane):
        after.append(_playbook("cluster.yml", joining, staying, "install or repair the control plane and its nodes"))
    elif joining:
        after.append(_playbook("scale.yml", joining, staying, f"join {_names(joining)}"))
    done = joining
    outdated = {d.key.name for d in staying if d.field == "version"} - done
    if outdated:
        after.append(_playbook("upgrade-cluster.yml", outdated, staying, f"upgrade {_names(outdated)}"))
    relabelled = {d.key.name for d in staying if d.field.startswith(_METADATA)} - done
    if relabelled:
        after.append(_metadata(relabelled, staying))
    return before, after


def fetch_steps(differences: Sequence[Difference]) -> list[Step]:
    """cluster.yml, for the kubeconfig that it fetches: the API does not take ours any more."""
    refused = tuple(d for d in differences if d.key.kind == CERTIFICATE and d.actionable)
    if not refused:
        return []
    targets = tuple(str(d.key) for d in refused)
    summary = "fetch the kubeconfig again"
    return [Step(Component.KUBERNETES, Tool.KUBESPRAY, "cluster.yml", summary, targets, Counts(replace=1), refused)]


def _joining(staying: Sequence[Difference], rebuilt: Collection[str]) -> set[str]:
    """Nodes that are missing, that never became ready, or whose server is another than the node remembers."""
    missing = {d.key.name for d in staying if d.action is Action.CREATE or d.field == "ready"}
    moved = {d.key.name for d in staying if d.field == "provider_id" and d.live}
    return missing | moved | set(rebuilt)


def _remove(leaving: Sequence[Difference]) -> list[Step]:
    if not leaving:
        return []
    names = sorted({d.key.name for d in leaving})
    summary = f"drain and remove {_names(names)}"
    counts = Counts(delete=len(names))
    return [
        Step(Component.KUBERNETES, Tool.KUBESPRAY, "remove-node.yml", summary, tuple(names), counts, tuple(leaving))
    ]


def _playbook(name: str, hosts: Iterable[str], differences: Sequence[Difference], summary: str) -> Step:
    targets = tuple(sorted(hosts))
    mine = tuple(d for d in differences if d.key.name in targets)
    stale = sorted({d.key.name for d in mine if d.action is not Action.CREATE and d.cls is not Class.UNKNOWN})
    made = len(targets) - len(stale)
    counts = Counts(create=made, update=len(stale))
    return Step(Component.KUBERNETES, Tool.KUBESPRAY, name, summary, targets, counts, mine)


def _metadata(names: Iterable[str], differences: Sequence[Difference]) -> Step:
    targets = tuple(sorted(names))
    mine = tuple(d for d in differences if d.key.name in targets and d.field.startswith(_METADATA))
    summary = f"set labels, taints or providerID of {_names(targets)}"
    return Step(Component.KUBERNETES, Tool.KUBERNETES, "label", summary, targets, Counts(update=len(targets)), mine)


def _names(names: Iterable[str]) -> str:
    several = sorted(names)
    return ", ".join(several) if len(several) <= 5 else f"{', '.join(several[:4])} and {len(several) - 4} more"
