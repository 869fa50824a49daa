"""What the desired state refers to and the cloud must have: flavors, images, the external network."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from ..errors import Problem
from ..model.desired import Machines
from ..model.resource import Kinds, Known, Listing, Unknown
from .load import DesiredCluster
from .yaml import Path


def check(
    desired: DesiredCluster, *, flavors: Listing, images: Listing, networks: Listing, kinds: Kinds | None = None
) -> list[Problem]:
    """Every reference that leads nowhere, at its line. What could not be listed is not judged. `kinds` are all
    resources of the project, whoever they belong to."""
    problems = []
    for path, word, name, known in (
        *_references(desired, flavors, images, networks),
        *_existing(desired, networks, kinds or {}),
    ):
        if not isinstance(known, Known):
            continue
        names = [resource.name for resource in known.resources]
        if name not in names:
            cloud = desired.cluster.spec.cloud
            message = f"cloud {cloud!r} has no {word} {name!r}"
            problems.append(desired.problem("Cluster", desired.name, path, message, _hint(word, name, names)))
    return problems


def _references(
    desired: DesiredCluster, flavors: Listing, images: Listing, networks: Listing
) -> Iterator[tuple[Path, str, str, Listing]]:
    spec = desired.cluster.spec
    yield ("spec", "image"), "image", spec.image, images
    yield ("spec", "network", "externalNetwork"), "network", spec.network.external_network, networks
    for path, machines in _machines(desired):
        yield (*path, "flavor"), "flavor", machines.flavor, flavors
        if machines.image:
            yield (*path, "image"), "image", machines.image, images


def _existing(desired: DesiredCluster, networks: Listing, kinds: Kinds) -> Iterator[tuple[Path, str, str, Listing]]:
    """What somebody else made and the cluster only uses."""
    network, unseen = desired.cluster.spec.network, Unknown("was not listed")
    place: Path = ("spec", "network")
    if network.existing:
        yield (*place, "existing", "network"), "network", network.existing.network, networks
        yield (*place, "existing", "subnet"), "subnet", network.existing.subnet, kinds.get("subnet", unseen)
    if network.router:
        yield (*place, "router"), "router", network.router, kinds.get("router", unseen)
    for path, machines in _machines(desired):
        for n, group in enumerate(machines.security_groups):
            yield (*path, "securityGroups", n), "security group", group, kinds.get("security_group", unseen)


def _machines(desired: DesiredCluster) -> Iterator[tuple[Path, Machines]]:
    spec = desired.cluster.spec
    yield ("spec", "controlPlane"), spec.control_plane
    yield from ((("spec", "nodeGroups", i), group) for i, group in enumerate(spec.node_groups))
    if spec.bastion:
        yield ("spec", "bastion"), spec.bastion


def _hint(word: str, name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    shown = ", ".join(sorted(names)[:10])
    return f"{word}s it has: {shown}" if names else f"it has no {word}s at all (or shows none to this credential)"
