"""Drift as a change of the desired state: which line of which file would have asked for what is live."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..model.change import Action, Class, Difference
from ..model.desired import Machines
from ..model.resource import Component, Expected, Key, Observed, Resource
from .edit import Edit
from .load import DesiredCluster
from .render.machines import CONTROL_PLANE_GROUP, machines
from .render.paths import place
from .secrets import says_secret
from .yaml import Path, Unreadable, parse


@dataclass(frozen=True, slots=True)
class Adoption:
    """What would be written for some differences. `edits` are by file; several differences may share one change."""

    differences: tuple[Difference, ...]
    file: str
    edits: tuple[Edit, ...]
    said: str


@dataclass(frozen=True, slots=True)
class Left:
    """A difference that cannot be adopted, and why."""

    difference: Difference
    why: str


@dataclass(frozen=True)
class Scene:
    """All that is looked at: what git says, file by file, what should be live and what is."""

    desired: DesiredCluster
    files: Mapping[str, bytes]
    expected: Expected
    observed: Observed
    differences: Sequence[Difference] = field(default_factory=tuple)

    @property
    def cluster_file(self) -> str:
        return self.desired.documents["Cluster", self.desired.name].file

    def live(self, d: Difference) -> Resource | None:
        found = self.observed.resources(d.component, d.key.kind)
        return next((r for r in found if r.id == d.id and r.key == d.key), None)

    def wanted(self, d: Difference) -> Resource | None:
        return next((r for r in self.expected.resources(d.component) if r.key == d.key), None)


Found: TypeAlias = "Adoption | str"
Adopter: TypeAlias = Callable[[Scene, Difference], Found]


def adoptions(scene: Scene) -> tuple[tuple[Adoption, ...], tuple[Left, ...]]:
    """Every change that would make git say what is live, and every difference for which there is none."""
    made: dict[tuple[str, str], Adoption] = {}
    left: list[Left] = []
    for d in scene.differences:
        if d.cause is not None or d.cls is Class.IGNORED:
            continue
        found = _adopt(scene, d)
        if isinstance(found, str):
            left.append(Left(d, found))
            continue
        change = found.file, repr(found.edits)
        before = made.get(change)
        told = (*before.differences, *found.differences) if before else found.differences
        made[change] = Adoption(told, found.file, found.edits, found.said)
    return tuple(made.values()), tuple(left)


def _adopt(scene: Scene, d: Difference) -> Found:
    if d.cls is Class.PENDING:
        return "git changed and was not applied yet: apply it"
    if d.cls is Class.UNKNOWN:
        return "what is live is not known"
    if d.component in (Component.WORKLOADS, Component.APPLICATIONS):
        return _object(scene, d)
    for (kind, name), adopter in _ADOPTERS.items():
        if kind == d.key.kind and (name == d.field or (name.endswith(".") and d.field.startswith(name))):
            return adopter(scene, d)
    return "nothing in git decides it: apply sets it back"


def _whole(path: Path, key: str) -> Adopter:
    """A field that is one value of the cluster's file."""

    def adopter(scene: Scene, d: Difference) -> Found:
        if d.live is None or d.live == "":
            return f"there is nothing live to write down for {key}"
        return _change(scene, [d], (*path, key), d.live)

    return adopter


def _change(scene: Scene, told: Sequence[Difference], path: Path, value: Any) -> Adoption:
    said = f"{'.'.join(str(p) for p in path)} becomes {value if not isinstance(value, tuple) else list(value)}"
    return Adoption(tuple(told), scene.cluster_file, (Edit(path, value),), said)


def _of_the_group(key: str) -> Adopter:
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
        return _change(scene, [d], path, _taints(d.live) if key == "taints" else d.live)

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


def _server(scene: Scene, d: Difference) -> Found:
    """Machines are numbered: the last ones that went, or one too many behind the last, is another count."""
    if d.cls is Class.UNMANAGED:
        return _grown(scene, d)
    path, names = _group(scene.desired, d.key.name)
    gone = {o.key.name for o in scene.differences if o.key.kind == "server" and not o.field and o.live is None}
    kept = [n for n in names if n not in gone]
    if path is None or path[-1] == "bastion" or path == ("spec", "controlPlane"):
        return "git wants it by itself: apply makes it again"
    if kept != names[: len(kept)]:
        return "it is not the last of its group: apply makes it again, or delete the last ones instead"
    return _change(scene, [d], (*path, "count"), len(kept))


def _grown(scene: Scene, d: Difference) -> Found:
    live = scene.live(d)
    for number, group in enumerate(scene.desired.cluster.spec.node_groups):
        following = f"{scene.desired.name}-{group.name}-{group.count + 1}"
        if live and d.key.name == following and live.fields.get("flavor") == group.flavor:
            return _change(scene, [d], ("spec", "nodeGroups", number, "count"), group.count + 1)
    return "it is none that a group would make next: apply deletes it"


def _rule(scene: Scene, d: Difference) -> Found:
    gone = d.action is Action.CREATE
    rule = scene.wanted(d) if gone else scene.live(d)
    if rule is None or rule.fields.get("direction") != "ingress" or not rule.fields.get("remote_ip_prefix"):
        return "access says who may come in, by network; it can't say this"
    group = str(rule.fields["security_group"]).removeprefix(f"{scene.desired.name}-")
    return _closed(scene, d, rule, group) if gone else _opened(scene, d, rule, group)


def _doors(scene: Scene) -> Mapping[str, tuple[str, int, int]]:
    ssh = scene.desired.cluster.spec.ssh.port
    door = "bastion" if scene.desired.cluster.spec.bastion else "cluster"
    return {"ssh": (door, ssh, ssh), "api": ("control-plane", 6443, 6443), "nodePorts": ("node", 30000, 32767)}


def _opened(scene: Scene, d: Difference, rule: Resource, group: str) -> Found:
    f = rule.fields
    span, cidr = (group, f["port_min"], f["port_max"]), f["remote_ip_prefix"]
    for key, door in _doors(scene).items():
        if span == door and f["protocol"] == "tcp" and key != "nodePorts":
            edit = Edit(("spec", "access", key), cidr, append=True)
            return Adoption((d,), scene.cluster_file, (edit,), f"access.{key} lets {cidr} in")
    to = {"cluster": "all", "control-plane": "control-plane", "node": "nodes"}.get(group)
    if to is None or f["protocol"] not in ("tcp", "udp", "icmp"):
        return "access.rules knows tcp, udp and icmp to the cluster's own groups; it can't say this"
    ports = f"{f['port_min']}" if f["port_min"] == f["port_max"] else f"{f['port_min']}-{f['port_max']}"
    if f["port_min"] is None and f["protocol"] != "icmp":
        return "access.rules needs ports, and this rule has none"
    said = {"name": _name(scene, f"adopted-{f['protocol']}-{ports}"), "protocol": f["protocol"]}
    said |= {"ports": ports} if f["protocol"] != "icmp" else {}
    entry = {**said, "from": [cidr], "to": to}
    edit = Edit(("spec", "access", "rules"), entry, append=True)
    return Adoption((d,), scene.cluster_file, (edit,), f"access.rules gains {entry['name']}: {cidr} to {to}")


def _name(scene: Scene, wish: str) -> str:
    taken = {r.name for r in scene.desired.cluster.spec.access.rules}
    name = wish.removesuffix("-None")[:36]
    return next(n for n in (name, *(f"{name}-{i}" for i in range(2, 1000))) if n not in taken)


def _closed(scene: Scene, d: Difference, rule: Resource, group: str) -> Found:
    """The entry of access that asked for the rule goes; one that asks for more than this rule stays."""
    access, f = scene.desired.cluster.spec.access, rule.fields
    lists = {"ssh": access.ssh, "api": access.api}
    for key, door in _doors(scene).items():
        cidrs = lists.get(key, ())
        if (group, f["port_min"], f["port_max"]) == door and f["remote_ip_prefix"] in cidrs:
            number = cidrs.index(str(f["remote_ip_prefix"]))
            edit = Edit(("spec", "access", key, number), None)
            return Adoption((d,), scene.cluster_file, (edit,), f"access.{key} loses {f['remote_ip_prefix']}")
    for number, r in enumerate(access.rules):
        if r.from_ == (f["remote_ip_prefix"],) and (r.protocol, *r.span) == (
            f["protocol"],
            f["port_min"],
            f["port_max"],
        ):
            edit = Edit(("spec", "access", "rules", number), None)
            return Adoption((d,), scene.cluster_file, (edit,), f"access.rules loses {r.name}")
    return "it is one of several rules that one line of access makes: change that line, or let apply make it again"


_ADOPTERS: Mapping[tuple[str, str], Adopter] = {
    ("subnet", "dns_servers"): _whole(("spec", "network"), "dnsServers"),
    ("keypair", "public_key"): _whole(("spec", "ssh"), "publicKey"),
    ("server", "flavor"): _of_the_group("flavor"),
    ("server", "image"): _of_the_group("image"),
    ("server", ""): _server,
    ("node", "labels."): _of_the_group("labels"),
    ("node", "taints"): _of_the_group("taints"),
    ("security_group_rule", ""): _rule,
}

# objects


def _object(scene: Scene, d: Difference) -> Found:
    if says_secret((d.field,)) or d.key.kind == "Secret":
        return "it may be a secret: those are changed with sops"
    if d.cls is Class.UNMANAGED:
        return "no file asks for it: write one, or let apply delete it"
    if d.component is Component.APPLICATIONS:
        return _application(scene, d)
    for file, number, manifest in _manifests(scene):
        if _is(manifest, d.key, scene):
            return _in_manifest(file, number, manifest, d)
    return "it is made from a template: change what the template is given"


def _in_manifest(file: str, number: int, manifest: Mapping[str, Any], d: Difference) -> Found:
    if not d.field:
        return "delete it from its file by hand: other documents may stand in it"
    path = place(manifest, d.field)
    if path is None:
        return f"{file} does not say it: apply takes it back"
    if d.live is None:
        return f"{file} asks for what is gone: apply sets it again"
    said = f"{d.field} of {d.key} becomes {d.live}"
    return Adoption((d,), file, (Edit(path, d.live, document=number),), said)


def _manifests(scene: Scene) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """Every document of the workloads' folders that is plain YAML."""
    folders = [w.path.rstrip("/") + "/" for w in scene.desired.cluster.spec.workloads]
    for file, text in sorted(scene.files.items()):
        if not file.endswith((".yaml", ".yml")) or not any(file.startswith(folder) for folder in folders):
            continue
        try:
            documents = parse(file, text)
        except Unreadable:
            continue
        yield from ((file, n, d.value) for n, d in enumerate(documents) if isinstance(d.value, dict))


def _is(manifest: Mapping[str, Any], key: Key, scene: Scene) -> bool:
    metadata = manifest.get("metadata")
    if manifest.get("kind") != key.kind or not isinstance(metadata, dict):
        return False
    spaces = _spaces(scene, metadata.get("namespace"))
    return key.name in {str(metadata.get("name")), *(f"{space}/{metadata.get('name')}" for space in spaces)}


def _spaces(scene: Scene, own: Any) -> Iterable[str]:
    return [str(own)] if own else [w.namespace for w in scene.desired.cluster.spec.workloads]


def _application(scene: Scene, d: Difference) -> Found:
    """The fields of an Application that its Deployment shows."""
    name = d.key.name.rpartition("/")[2]
    document = scene.desired.documents.get(("Application", name))
    if document is None or d.key.kind != "Deployment" or d.live is None:
        return "nothing in git decides it alone: apply sets it back"
    key: Path | None = None
    if d.field == "spec.replicas":
        key = ("spec", "replicas")
    elif d.field.endswith("].image"):
        key = ("spec", "image")
    if key is None:
        return "nothing in git decides it alone: apply sets it back"
    said = f"{key[-1]} of application {name} becomes {d.live}"
    return Adoption((d,), document.file, (Edit(key, d.live),), said)
