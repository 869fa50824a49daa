"""Machines that are other or more than git says: adopted when a whole group is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...model.change import Class, Difference
from ...model.desired import Machines, ScaledNodeGroup
from ..load import DesiredCluster
from ..render.machines import CONTROL_PLANE_GROUP, machines
from ..yaml import Path
from .scene import Adopter, Found, Scene, change


def of_the_group(key: str) -> Adopter:
    """A field that is one value for all machines of a group: it is adopted when all of them have it."""

    def adopter(scene: Scene, d: Difference) -> Found:
        place_, names = _group(scene.desired, d.key.name)
        if place_ is None:
            return "it belongs to no group of machines"
        same = [o for o in scene.differences if _alike(o, d) and o.key.name in names]
        if {o.key.name for o in same} != set(names):
            return f"only {len(same)} of {len(names)} machines have it: change the others too, or let apply set it back"
        last = d.field.partition(".")[2]
        path = (*place_, key, last) if last else (*place_, key)
        return change(scene, [d], path, _taints(d.live) if key == "taints" else d.live)

    return adopter


def _alike(one: Difference, other: Difference) -> bool:
    return (one.key.kind, one.field, one.live) == (other.key.kind, other.field, other.live)


def _group(desired: DesiredCluster, name: str) -> tuple[Path | None, list[str]]:
    """Where the group of a machine is written, and the names of all its machines."""
    everything = machines(desired.cluster)
    group = next((m.group for m in everything if m.name == name), None)
    names = [m.name for m in everything if m.group == group]
    if group is None:
        return None, []
    if group == CONTROL_PLANE_GROUP:
        return ("spec", "controlPlane"), names
    groups: Sequence[Machines] = desired.cluster.spec.node_groups
    number = next((n for n, g in enumerate(groups) if getattr(g, "name", "") == group), None)
    return (("spec", "bastion") if number is None else ("spec", "nodeGroups", number)), names


def _taints(live: Any) -> Any:
    found = []
    for text in live or ():
        pair, _, effect = str(text).rpartition(":")
        key, _, value = pair.partition("=")
        found.append({"key": key, **({"value": value} if value else {}), "effect": effect})
    return tuple(found)


def server(scene: Scene, d: Difference) -> Found:
    """Machines are numbered: the last ones that went, or one too many behind the last, is another count."""
    if d.cls is Class.UNMANAGED:
        return _grown(scene, d)
    path, names = _group(scene.desired, d.key.name)
    gone = {o.key.name for o in scene.differences if o.key.kind == "server" and not o.field and o.live is None}
    kept = [n for n in names if n not in gone]
    if path is None or path[-1] == "bastion" or path == ("spec", "controlPlane"):
        return "git wants it by itself: apply makes it again"
    if path[0:2] == ("spec", "nodeGroups") and _autoscaled(scene, int(path[2])):
        return "the autoscaler decides which machines there are: apply makes it again"
    if kept != names[: len(kept)]:
        return "it is not the last of its group: apply makes it again, or list its number below `without` by hand"
    return change(scene, [d], (*path, "count"), len(kept))


def _autoscaled(scene: Scene, number: int) -> bool:
    """Does a count in cluster.yaml mean nothing, since the autoscaler's file names the machines?"""
    return isinstance(scene.desired.cluster.spec.node_groups[number], ScaledNodeGroup)


def _grown(scene: Scene, d: Difference) -> Found:
    live = scene.live(d)
    for number, group in enumerate(scene.desired.cluster.spec.node_groups):
        if _autoscaled(scene, number):
            continue
        larger = group.model_copy(update={"count": group.count + 1})
        following = f"{scene.desired.name}-{group.name}-{larger.numbers[-1]}"
        if live and d.key.name == following and live.fields.get("flavor") == group.flavor:
            return change(scene, [d], ("spec", "nodeGroups", number, "count"), group.count + 1)
    return "it is none that a group would make next: apply deletes it"
