"""Live machines as groups of the desired state: which machine is which number of which group, and what they share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...model.naming import GROUP_KEY
from ...model.resource import Resource, Value
from ..render.machines import BASTION_GROUP, CONTROL_PLANE_GROUP, ETCD_GROUP
from .members import Members, machine

# How people call the machines that are no workers, for those that say so in their name alone.
_CALLED = (
    (BASTION_GROUP, r"bastion|jump"),
    (ETCD_GROUP, r"etcd"),
    (CONTROL_PLANE_GROUP, r"master|control|controller|(^|[-_.])cp($|[-_.\d])"),
)
_KUBESPRAY = {"kube_control_plane": CONTROL_PLANE_GROUP, "bastion": BASTION_GROUP, "kube_node": ""}


@dataclass(frozen=True)
class Group:
    """Machines of one group, by number."""

    name: str
    machines: Mapping[int, Resource]
    notes: list[str] = field(default_factory=list)

    @property
    def servers(self) -> tuple[Resource, ...]:
        return tuple(self.machines[n] for n in sorted(self.machines))

    def shared(self, what: str, values: Iterable[Any]) -> Any:
        """What most of them have; a note says who has something else."""
        found = list(values)
        if not found:
            return None
        most = Counter(found).most_common(1)[0][0]
        if others := [s.name for s, v in zip(self.servers, found, strict=True) if v != most]:
            self.notes.append(f"{', '.join(others)}: {what} is not that of the rest of the group ({most})")
        return most


def grouped(name: str, found: Members) -> tuple[Group, ...]:
    """The machines as groups: by their own names where these are our module's; else by metadata, and by what people
    call such machines."""
    if found.ours:
        places = {s.name: machine(name, s.name) for s in found.of("server")}
        groups: dict[str, dict[int, Resource]] = {}
        for s in found.of("server"):
            group, number = places[s.name] or ("", 0)
            groups.setdefault(group, {})[number] = s
        return tuple(Group(group, groups[group]) for group in sorted(groups, key=_order))
    named: dict[str, list[Resource]] = {}
    for s in sorted(found.of("server"), key=lambda s: s.name):
        named.setdefault(_guessed(s), []).append(s)
    return tuple(Group(g, dict(enumerate(named[g], 1))) for g in sorted(named, key=_order))


def _order(group: str) -> tuple[int, str]:
    first = (CONTROL_PLANE_GROUP, ETCD_GROUP)
    return (first.index(group) if group in first else len(first) + (group == BASTION_GROUP), group)


def _guessed(server: Resource) -> str:
    marked = server.fields.get(f"metadata.{GROUP_KEY}")
    said = str(server.fields.get("metadata.kubespray_groups") or "")
    told = next((group for word, group in _KUBESPRAY.items() if word in re.split(r"[,\s]+", said)), None)
    called = next((group for group, words in _CALLED if re.search(words, server.name, re.IGNORECASE)), "")
    if marked:
        return str(marked)
    return told or (called if told is None else "") or _stem(server.name)


def _stem(name: str) -> str:
    """A group's name from a machine's."""
    text = re.sub(r"[^a-z0-9]+", "-", re.sub(r"[-_.]?\d+$", "", name.lower())).strip("-")[-20:].strip("-")
    text = text if re.match(r"[a-z]", text) else f"group-{text}".strip("-")
    return text if text not in (CONTROL_PLANE_GROUP, ETCD_GROUP, BASTION_GROUP) else f"{text}-group"


def machines(group: Group, found: Members, names: Sequence[str], image: str) -> dict[str, Any]:
    """What a group's machines are made of, as YAML says it. `names` are the security groups that come by themselves."""
    servers = group.servers
    ports = {p.fields.get("server"): p for p in found.of("port")}
    floating = {ip.fields.get("server") for ip in found.of("floating_ip")}
    made: dict[str, Any] = {"flavor": _of(group, "flavor", servers)}
    own = _of(group, "image", servers)
    if own and own != image:
        made["image"] = own
    if size := _of(group, "boot_volume.size", servers):
        kind = _of(group, "boot_volume.type", servers)
        made["bootVolume"] = {"size": size} | ({"type": kind} if kind else {})
    if group.shared("having a floating IP", [s.name in floating for s in servers]):
        made["floatingIps"] = True
    if zones := _zones(group):
        made["availabilityZones"] = zones
    joined = [_texts(ports[s.name].fields.get("security_groups")) if s.name in ports else () for s in servers]
    extra = group.shared("its security groups", [tuple(g for g in j if g not in names) for j in joined])
    if extra:
        made["securityGroups"] = list(extra)
    return made


def _of(group: Group, name: str, servers: Iterable[Resource]) -> Any:
    return group.shared(f"its {name}", [s.fields.get(name) for s in servers])


def _zones(group: Group) -> list[str]:
    """Zones that take turns by the machines' numbers; none where one zone has all of them, for that may be chance."""
    zone_of: Callable[[int], Value] = lambda n: group.machines[n].fields.get("availability_zone")  # noqa: E731
    seen = {zone_of(n) for n in group.machines}
    if len(seen) < 2:
        return []
    for length in range(2, max(group.machines) + 1):
        turns = {(n - 1) % length: zone_of(n) for n in group.machines}
        complete = set(turns) == set(range(length))
        if complete and all(turns[(n - 1) % length] == zone_of(n) for n in group.machines):
            return [str(turns[n]) for n in range(length)]
    group.notes.append("its availability zones follow no turn: new machines go where Nova puts them")
    return []


def _texts(value: Value) -> tuple[str, ...]:
    return tuple(str(v) for v in value) if isinstance(value, tuple) else ()
