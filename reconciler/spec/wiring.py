"""References between components, such as `${cluster.api.endpoint}`: one component's output is another's input."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..errors import Problem
from ..model.desired import Application
from .load import DesiredCluster

LATER = "(known after apply)"
_REFERENCE = re.compile(r"\$\{([^}]*)\}")


def outputs(desired: DesiredCluster, endpoint: str | None) -> dict[str, str | None]:
    """Everything that can be referred to, with its value; None for what is not known yet.

    `endpoint` is the address of the cluster's API as observed, such as https://203.0.113.7:6443.
    """
    found: dict[str, str | None] = {"cluster.name": desired.name, "cluster.api.endpoint": endpoint}
    for app in desired.applications:
        if app.spec.host:
            found[f"application.{app.name}.url"] = f"https://{app.spec.host}"
    return found


def check(desired: DesiredCluster) -> list[Problem]:
    """Every reference to something that is not there, at its line."""
    known = outputs(desired, None)
    problems = []
    for app in desired.applications:
        for key, value in app.spec.env.items():
            for name in _REFERENCE.findall(value):
                if name not in known:
                    hint = f"there are: {', '.join(sorted(known))} (an application has a url when it has a host)"
                    message = f"${{{name}}} refers to nothing"
                    problems.append(desired.problem("Application", app.name, ("spec", "env", key), message, hint))
    return problems


def wire(app: Application, known: Mapping[str, str | None]) -> Application:
    """The application with every reference replaced; what is not known yet says so."""
    env = {key: _REFERENCE.sub(lambda m: known.get(m[1]) or LATER, value) for key, value in app.spec.env.items()}
    return app.model_copy(update={"spec": app.spec.model_copy(update={"env": env})})
