"""Ways in that somebody opened or closed: an entry of `access`, where it has a word for it."""

from __future__ import annotations

from collections.abc import Mapping

from ...model.change import Action, Difference
from ...model.resource import Resource
from ...model.rules import plainly
from ..edit import Edit
from ..render.subnets import ICMP6
from .scene import Adoption, Found, Scene


def rule(scene: Scene, d: Difference) -> Found:
    gone = d.action is Action.CREATE
    found = scene.wanted(d) if gone else scene.live(d)
    found = plainly(found) if found else None
    if found is None or found.fields.get("direction") != "ingress" or not found.fields.get("remote_ip_prefix"):
        return "access says who may come in, by network; it can't say this"
    group = str(found.fields["security_group"]).removeprefix(f"{scene.desired.name}-")
    return _closed(scene, d, found, group) if gone else _opened(scene, d, found, group)


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
    protocol = "icmp" if f["protocol"] == ICMP6 else f["protocol"]
    if to is None or protocol not in ("tcp", "udp", "icmp"):
        return "access.rules knows tcp, udp and icmp to the cluster's own groups; it can't say this"
    ports = f"{f['port_min']}" if f["port_min"] == f["port_max"] else f"{f['port_min']}-{f['port_max']}"
    if f["port_min"] is None and protocol != "icmp":
        return "access.rules needs ports, and this rule has none"
    said = {"name": _name(scene, f"adopted-{protocol}-{ports}"), "protocol": protocol}
    said |= {"ports": ports} if protocol != "icmp" else {}
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
