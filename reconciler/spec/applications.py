"""What is wrong with applications beside each other: objects of one name, where the second would replace the first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..errors import Problem
from ..model.desired import Application
from . import wiring
from .load import DesiredCluster
from .render.application import brought_name, kept_in
from .yaml import Path


class _Claim(NamedTuple):
    """An object that an application brings, as a person calls it; what asks for it, and where that stands."""

    object: str
    asker: str
    path: Path


def check(clusters: Iterable[DesiredCluster]) -> list[Problem]:
    """Every object that two applications, or two secrets of one, would have in one namespace of an OpenShift, in
    whichever clusters: there is only one of that name."""
    first: dict[tuple[str, str, str], str] = {}
    problems = []
    for cluster in clusters:
        for app in cluster.applications:
            for claim in _claims(cluster, app):
                place = (app.spec.target, app.spec.namespace, claim.object)
                said = f"{claim.asker} of {cluster.place('Application', app.name, claim.path)}"
                if (before := first.setdefault(place, said)) != said:
                    message = f"{claim.asker} would be {claim.object} in namespace {place[1]} of {place[0]}"
                    hint = "an object belongs to one of them: give one another name, or put one into another namespace"
                    message += f", which is already {before}"
                    problems.append(cluster.problem("Application", app.name, claim.path, message, hint))
    return problems


def _claims(cluster: DesiredCluster, app: Application) -> Iterator[_Claim]:
    """All other objects are called what the application is."""
    yield _Claim(f"application {app.name}", f"application {app.name}", ("metadata", "name"))
    brought: list[_Claim] = []
    for variable, source in app.spec.secrets.items():
        claim = _Claim(f"Secret {kept_in(app, variable, source).secret}", variable, ("spec", "secrets", variable))
        if source.generate:
            yield claim
        elif source.file:
            brought.append(claim)
    for variable, _, output in wiring.references(app, cluster.name):
        if output and output.kind == "secrets":
            brought.append(_Claim(f"Secret {brought_name(app)}", variable, ("spec", "env", variable)))
    yield from brought[:1]  # they all are in one Secret
