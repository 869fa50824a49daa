"""The line `suspend: true` of a cluster, put into its file or taken out of it. Pure."""

from __future__ import annotations

from .edit import Edit, edited
from .layers import Layered
from .load import DesiredCluster

_PATH = ("spec", "suspend")


def changed(desired: DesiredCluster, text: bytes, *, suspend: bool) -> bytes | None:
    """The cluster's file, whose text is given, with the cluster suspended or not; None where it is so already. A
    suspension that comes from the fleet's file is overruled by a line of the cluster's own. Raises Permanent for a file
    whose layout would be rewritten besides."""
    if desired.cluster.spec.suspend == suspend:
        return None
    document = desired.documents["Cluster", desired.name]
    fleets = document.inherited(_PATH) if isinstance(document, Layered) else None
    # A line that is taken out lets the fleet's word count: where that is another one, the line says its own.
    value = None if not suspend and desired.origin(_PATH).layer == "cluster" and not fleets else suspend
    return edited(file_of(desired), text, [Edit(_PATH, value)])


def file_of(desired: DesiredCluster) -> str:
    """The cluster's own file, from the repository's root."""
    return desired.documents["Cluster", desired.name].file
