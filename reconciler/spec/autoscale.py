"""The autoscaler's file: read into the cluster it belongs to, and written, in one form, by whoever decides."""

from __future__ import annotations

from ..errors import Problem
from ..model.desired import API_VERSION, Autoscale, Cluster, ScaledGroup, ScaledNodeGroup, scaled
from .layers import Origin
from .yaml import Document, Path

FILE = "autoscale.yaml"
_HOST_NAME = 63  # RFC 1123
_HEAD = """\
# Which machines the autoscaler wants: `reconciler autoscaler serve` writes this file, a commit for each decision.
# What people decide is in cluster.yaml: min and max, count to start with, and autoscaling: suspended.
"""


def followed(cluster: Cluster, said: Autoscale) -> Cluster:
    """The cluster with the machines the autoscaler wants. What the file says of a group that is not there, or that has
    no min and max any more, does not count: people may take a group away without asking it."""
    groups = tuple(scaled(group, said.group(group.name)) for group in cluster.spec.node_groups)
    return cluster.model_copy(update={"spec": cluster.spec.model_copy(update={"node_groups": groups})})


def check(cluster: Cluster, said: Autoscale, document: Document) -> list[Problem]:
    """What is wrong with the file as this cluster's."""
    if said.name != cluster.name:
        message = f"the file belongs to the cluster {cluster.name!r}, and names {said.name!r}"
        return [document.problem(("metadata", "name"), message, "use one name for both")]
    problems = []
    for index, group in enumerate(said.spec.node_groups):
        longest = f"{cluster.name}-{group.name}-{max(group.machines, default=0)}"
        if len(longest) > _HOST_NAME:
            message = f"{longest!r} would be longer than {_HOST_NAME} characters, the limit of a host's name"
            problems.append(document.problem(("spec", "nodeGroups", index, "machines"), message))
    return problems


def fits(cluster: str, group: str, number: int) -> bool:
    """Can a machine of that number have its name?"""
    return len(f"{cluster}-{group}-{number}") <= _HOST_NAME


def origin(cluster: Cluster, document: Document | None, path: Path) -> Origin | None:
    """Where a group's count is from when the autoscaler's file says it; None for everything else."""
    if document is None or len(path) != 4 or path[:2] != ("spec", "nodeGroups") or path[3] != "count":
        return None
    group = cluster.spec.node_groups[int(path[2])]
    if not isinstance(group, ScaledNodeGroup):
        return None
    names = [entry["name"] for entry in document.value["spec"]["nodeGroups"]]
    place: Path = ("spec", "nodeGroups", names.index(group.name))
    line, _ = document.positions.get((*place, "machines"), document.positions[place])
    return Origin("autoscaler", document.file, line)


def text(said: Autoscale) -> str:
    """The file. Equal content is equal text; a list of machines is one line, so that a diff shows one decision."""
    lines = [f"apiVersion: {API_VERSION}", "kind: Autoscale", "metadata:", f"  name: {said.name}", "spec:"]
    lines.append("  nodeGroups:" if said.spec.node_groups else "  nodeGroups: []")
    for group in said.spec.node_groups:
        lines += _group(group)
    lines.append("  decided: # the last decisions in here, by their trailer in git's log" if said.spec.decided else "")
    lines += [f'    - "{id_}"' for id_ in said.spec.decided]
    return _HEAD + "\n".join(line for line in lines if line) + "\n"


def _group(group: ScaledGroup) -> list[str]:
    machines = ", ".join(str(number) for number in group.machines)
    lines = [f"    - name: {group.name}", f"      machines: [{machines}]", f"      next: {group.next}"]
    if group.removed:
        lines.append("      removed: # drained, then deleted")
        lines += [f'        - {{number: {gone.number}, server: "{gone.server}"}}' for gone in group.removed]
    return lines
