"""Which differences have a line in git that would have asked for what is live."""

from __future__ import annotations

from collections.abc import Mapping

from ...model.change import Class, Difference
from ...model.naming import CERTIFICATE
from ...model.resource import Component
from ..render.subnets import IPV6
from ..yaml import Path
from .access import rule
from .machines import of_the_group, server
from .objects import object_
from .scene import Adopter, Adoption, Found, Left, Scene, change


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
    if d.key.kind == CERTIFICATE:
        return "git says nothing of certificates"
    if d.component in (Component.WORKLOADS, Component.APPLICATIONS):
        return object_(scene, d)
    for (kind, name), adopter in _ADOPTERS.items():
        if kind == d.key.kind and (name == d.field or (name.endswith(".") and d.field.startswith(name))):
            return adopter(scene, d)
    return "nothing in git decides it: apply sets it back"


def _whole(path: Path, key: str) -> Adopter:
    """A field that is one value of the cluster's file."""

    def adopter(scene: Scene, d: Difference) -> Found:
        if d.live is None or d.live == "":
            return f"there is nothing live to write down for {key}"
        return change(scene, [d], (*path, key), d.live)

    return adopter


def _dns_servers(scene: Scene, d: Difference) -> Found:
    """Each family's subnet has its own."""
    family = ("ipv6",) if d.key.name.endswith(IPV6) else ()
    return _whole(("spec", "network", *family), "dnsServers")(scene, d)


_ADOPTERS: Mapping[tuple[str, str], Adopter] = {
    ("subnet", "dns_servers"): _dns_servers,
    ("keypair", "public_key"): _whole(("spec", "ssh"), "publicKey"),
    ("server", "flavor"): of_the_group("flavor"),
    ("server", "image"): of_the_group("image"),
    ("server", "boot_volume."): of_the_group("bootVolume"),
    ("server", ""): server,
    ("node", "labels."): of_the_group("labels"),
    ("node", "taints"): of_the_group("taints"),
    ("security_group_rule", ""): rule,
}
