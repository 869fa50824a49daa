"""Why a cluster is looked at and not changed: in a sentence, with the line of git that says so."""

from __future__ import annotations

from ..spec.load import DesiredCluster


def reason(desired: DesiredCluster) -> str:
    """Empty where the cluster may be changed."""
    spec = desired.cluster.spec
    if spec.suspend:
        line, again = _line(desired, "suspend"), f"`reconciler resume {desired.name}` lets it be changed again"
        return f"nothing is changed: {line} suspends it; {again}"
    return f"nothing is changed: {_line(desired, 'mode')} says mode: report" if spec.mode == "report" else ""


def _line(desired: DesiredCluster, key: str) -> str:
    return desired.place("Cluster", desired.name, ("spec", key))
