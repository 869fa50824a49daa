"""What is wrong with applications beside each other: objects of one name, where the second would replace the first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..errors import Problem
from ..model.desired import Application
from . import wiring
from .load import DesiredCluster
from .outline import Object, Outline, first
from .render.application import brought_name, kept_in
from .yaml import Path


class _Claim(NamedTuple):
    """An object that an application brings, as a person calls it; what asks for it, and where that stands."""

    object: str
    asker: str
    path: Path

    def place(self, app: Application) -> Object:
        return app.spec.target, app.spec.namespace, self.object

    def owner(self, cluster: DesiredCluster, app: Application) -> str:
        return f"{self.asker} of {cluster.place('Application', app.name, self.path)}"


def check(clusters: Sequence[DesiredCluster], others: Sequence[Outline] = ()) -> list[Problem]:
    """Every object of these clusters that another application, or another secret of one, has first in one namespace of
    an OpenShift, in whichever cluster: there is only one of that name."""
    before = first([*((c.name, objects(c)) for c in clusters), *((other.name, other.objects) for other in others)])
    hint = "an object belongs to one of them: give one another name, or put one into another namespace"
    problems = []
    for cluster in clusters:
        for app, claim in _all_claims(cluster):
            target, namespace, name = claim.place(app)
            if (owner := before[target, namespace, name]) != claim.owner(cluster, app):
                message = (
                    f"{claim.asker} would be {name} in namespace {namespace} of {target}, which is already {owner}"
                )
                problems.append(cluster.problem("Application", app.name, claim.path, message, hint))
    return problems


def objects(cluster: DesiredCluster) -> tuple[tuple[Object, str], ...]:
    """The objects that a cluster's applications bring, each with who asks for it and where."""
    return tuple((claim.place(app), claim.owner(cluster, app)) for app, claim in _all_claims(cluster))


def _all_claims(cluster: DesiredCluster) -> Iterator[tuple[Application, _Claim]]:
    return ((app, claim) for app in cluster.applications for claim in _claims(cluster, app))


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
