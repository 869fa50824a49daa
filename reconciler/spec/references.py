"""What the desired state refers to and the cloud must have: flavors, images, volume types, networks."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import TypeAlias

from ..errors import Problem
from ..model.desired import ExistingNetwork, Machines
from ..model.resource import Kinds, Known, Listing, Unknown
from .load import DesiredCluster
from .yaml import Path

# What kind of thing is missing, in words, and its name: ("flavor", "m1.large").
Missing: TypeAlias = tuple[str, str]


def check(
    desired: DesiredCluster,
    *,
    flavors: Listing,
    images: Listing,
    networks: Listing,
    volume_types: Listing,
    kinds: Kinds | None = None,
) -> list[Problem]:
    """Every reference that leads nowhere, at its line. What could not be listed is not judged. `kinds` are all
    resources of the project, whoever they belong to."""
    lost = dangling(desired, flavors=flavors, images=images, networks=networks, volume_types=volume_types, kinds=kinds)
    return [*another_range(desired, kinds or {}), *lost.values()]


def dangling(
    desired: DesiredCluster,
    *,
    flavors: Listing,
    images: Listing,
    networks: Listing,
    volume_types: Listing,
    kinds: Kinds | None = None,
) -> dict[Missing, Problem]:
    """What git names and the cloud does not have, each once, as (what it is, its name), with where git says so."""
    found: dict[Missing, Problem] = {}
    for path, word, name, known in (
        *_references(desired, flavors, images, networks, volume_types),
        *_existing(desired, networks, kinds or {}),
    ):
        if not isinstance(known, Known):
            continue
        by_id = word == "build"
        names = [resource.id if by_id else resource.name for resource in known.resources]
        if name not in names and (word, name) not in found:
            message = f"cloud {desired.cluster.spec.cloud!r} has no {'image with the id' if by_id else word} {name!r}"
            hint = "an active image's id, as `openstack image list` has it" if by_id else _hint(word, name, names)
            found[word, name] = desired.problem("Cluster", desired.name, path, message, hint)
    return found


def _references(
    desired: DesiredCluster, flavors: Listing, images: Listing, networks: Listing, volume_types: Listing
) -> Iterator[tuple[Path, str, str, Listing]]:
    spec = desired.cluster.spec
    if any(not machines.image for _, machines in of_machines(desired)):
        yield ("spec", "image"), "image", spec.image, images
    yield ("spec", "network", "externalNetwork"), "network", spec.network.external_network, networks
    for path, machines in of_machines(desired):
        yield (*path, "flavor"), "flavor", machines.flavor, flavors
        if machines.image:
            yield (*path, "image"), "image", machines.image, images
        if machines.build:
            yield (*path, "build"), "build", machines.build, images
        if machines.boot_volume and machines.boot_volume.type:
            yield (*path, "bootVolume", "type"), "volume type", machines.boot_volume.type, volume_types


def _existing(desired: DesiredCluster, networks: Listing, kinds: Kinds) -> Iterator[tuple[Path, str, str, Listing]]:
    """What somebody else made and the cluster only uses."""
    network, unseen = desired.cluster.spec.network, Unknown("was not listed")
    place: Path = ("spec", "network")
    if network.existing:
        yield (*place, "existing", "network"), "network", network.existing.network, networks
        for path, subnet, _ in existing_subnets(network.existing):
            yield (*place, "existing", *path, "subnet"), "subnet", subnet, kinds.get("subnet", unseen)
    if network.router:
        yield (*place, "router"), "router", network.router, kinds.get("router", unseen)
    for path, machines in of_machines(desired):
        for n, group in enumerate(machines.security_groups):
            yield (*path, "securityGroups", n), "security group", group, kinds.get("security_group", unseen)


def another_range(desired: DesiredCluster, kinds: Kinds) -> Iterator[Problem]:
    """The subnet that is used has another range than git says."""
    existing, subnets = desired.cluster.spec.network.existing, kinds.get("subnet")
    if existing is None or not isinstance(subnets, Known):
        return
    for place, subnet, cidr in existing_subnets(existing):
        ranges = {str(r.fields["cidr"]) for r in subnets.resources if r.name == subnet}
        if cidr is not None and ranges and cidr not in ranges:
            path = ("spec", "network", "existing", *place, "cidr")
            message = f"subnet {subnet!r} has another range: {', '.join(sorted(ranges))}"
            yield desired.problem("Cluster", desired.name, path, message, "write that range here")


def existing_subnets(existing: ExistingNetwork) -> Iterator[tuple[Path, str, str | None]]:
    """The subnets of a network somebody else made that are used: where each is named below `existing`, its name, its
    range."""
    if existing.subnet is not None:
        yield (), existing.subnet, existing.cidr
    if existing.ipv6 is not None:
        yield ("ipv6",), existing.ipv6.subnet, existing.ipv6.cidr


def of_machines(desired: DesiredCluster) -> Iterator[tuple[Path, Machines]]:
    """Everything that machines are made of, and where it stands."""
    spec = desired.cluster.spec
    yield ("spec", "controlPlane"), spec.control_plane
    if spec.etcd:
        yield ("spec", "etcd"), spec.etcd
    yield from ((("spec", "nodeGroups", i), group) for i, group in enumerate(spec.node_groups))
    if spec.bastion:
        yield ("spec", "bastion"), spec.bastion


def _hint(word: str, name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    shown = ", ".join(sorted(names)[:10])
    return f"{word}s it has: {shown}" if names else f"it has no {word}s at all (or shows none to this credential)"
