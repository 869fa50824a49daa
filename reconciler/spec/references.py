"""What the desired state refers to and the cloud must have: flavors, images, the external network."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from ..errors import Problem
from ..model.resource import Known, Listing
from .load import DesiredCluster
from .yaml import Path


def check(desired: DesiredCluster, *, flavors: Listing, images: Listing, networks: Listing) -> list[Problem]:
    """Every reference that leads nowhere, at its line. What could not be listed is not judged."""
    problems = []
    for path, word, name, known in _references(desired, flavors, images, networks):
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
    places: list[tuple[Path, str, str | None]] = [
        (("spec", "controlPlane"), spec.control_plane.flavor, spec.control_plane.image)
    ]
    places += [(("spec", "nodeGroups", i), g.flavor, g.image) for i, g in enumerate(spec.node_groups)]
    for path, flavor, image in places:
        yield (*path, "flavor"), "flavor", flavor, flavors
        if image:
            yield (*path, "image"), "image", image, images


def _hint(word: str, name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    shown = ", ".join(sorted(names)[:10])
    return f"{word}s it has: {shown}" if names else f"it has no {word}s at all (or shows none to this credential)"
