"""What carries our tag and names a cluster that no folder describes: reported, never touched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from ..engine.severity import severity
from ..errors import ReconcilerError
from ..model.change import Action, Class, Difference
from ..model.outcome import Status
from ..model.plan import Plan
from ..model.resource import Component, Resource
from ..report.values import line
from ..report.view import View, view
from ..spec.load import DesiredCluster
from .survey import Survey

# What is nobody's here may be another repository's, or somebody's mistake: whoever reads this must not begin to delete.
_DO = (
    "it is left alone. If it is no other repository's, bring its folder back (git log --all -- desired/{name}): "
    "then it is kept, or `reconciler destroy {name}` ends it"
)
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")


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


def told_of_orphans(
    views: Sequence[View], survey: Survey, commit: str, clusters: Sequence[DesiredCluster], *, alone: bool = False
) -> list[View]:
    """The reports, with what is nobody's: as reports of its own where every cluster was asked for (`alone`), else as a
    note in the report of each cluster of the same cloud, whose status and exit code it leaves as they are."""
    if alone:
        return [*views, *nobodys(survey, commit, clusters)]
    clouds = {c.name: c.cluster.spec.cloud for c in clusters}
    left = {cloud: _notes(survey, cloud) for cloud in sorted(set(clouds.values()))}
    return [replace(shown, orphans=left.get(clouds.get(shown.cluster, ""), ())) for shown in views]


def _notes(survey: Survey, cloud: str) -> tuple[str, ...]:
    try:
        found = survey.nobodys(cloud)
    except ReconcilerError:
        return ()
    return tuple(_note(owner, cloud, tuple(left)) for owner, left in groupby(found, key=lambda r: r.owner))


def _note(owner: str, cloud: str, left: Sequence[Resource]) -> str:
    kinds = [r.kind for r in left]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
    return line(f"{cloud} has {counts} with the tag of {owner!r}, which is in no folder: {_do(owner)}")


def _do(owner: str) -> str:
    """What to do about it. Who wrote the tag may have written anything: what is no cluster's name is in no command."""
    return _DO.format(name=owner if _NAME.fullmatch(owner) else "NAME")


def _view(owner: str, commit: str, left: Sequence[Resource]) -> View:
    told = tuple(sorted((_difference(r) for r in left), key=lambda d: d.order))
    return view(Plan(owner, commit, told), status=Status.DRIFTED)


def _difference(r: Resource) -> Difference:
    infrastructure, unmanaged = Component.INFRASTRUCTURE, Class.UNMANAGED
    why = f"carries the tag of a cluster that is in no folder: {_do(r.owner)}"
    level = severity(infrastructure, r.kind, "", unmanaged, Action.DELETE, r.fields)
    return Difference(infrastructure, r.key, "", None, None, "present", unmanaged, Action.NONE, level, why, r.id)
