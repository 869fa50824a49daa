"""What carries our tag and names a cluster that no folder describes: reported, never touched."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from ..engine.severity import severity
from ..errors import ReconcilerError
from ..model.change import Action, Class, Difference
from ..model.outcome import Status
from ..model.plan import Plan
from ..model.resource import Component, Resource
from ..report.view import View, view
from ..spec.load import DesiredCluster
from .survey import Survey

_WHY = "carries the tag of a cluster that is in no folder; somebody has to delete it, or bring the folder back"


def nobodys(survey: Survey, commit: str, clusters: Sequence[DesiredCluster]) -> list[View]:
    """One report for each cluster that is only in the clouds. A cloud that can't be asked has none to tell of: its own
    clusters' reports say so already."""
    found: list[Resource] = []
    for cloud in sorted({c.cluster.spec.cloud for c in clusters}):
        try:
            found += survey.nobodys(cloud)
        except ReconcilerError:
            continue
    return [_view(owner, commit, tuple(left)) for owner, left in groupby(found, key=lambda r: r.owner)]


def _view(owner: str, commit: str, left: Sequence[Resource]) -> View:
    told = tuple(sorted((_difference(r) for r in left), key=lambda d: d.order))
    return view(Plan(owner, commit, told), status=Status.DRIFTED)


def _difference(r: Resource) -> Difference:
    infrastructure, unmanaged = Component.INFRASTRUCTURE, Class.UNMANAGED
    level = severity(infrastructure, r.kind, "", unmanaged, Action.DELETE, r.fields)
    return Difference(infrastructure, r.key, "", None, None, "present", unmanaged, Action.NONE, level, _WHY, r.id)
