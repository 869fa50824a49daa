"""Namespaces that nothing in git makes, told before there is a cluster that could say whether they are there. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ..model.change import Action, Class, Difference, Severity
from ..model.resource import Component, Key

_WHY = "nothing in git makes it: add a Namespace to a workload, or make it by hand; until then what goes to it waits"


def notices(names: Iterable[str]) -> tuple[Difference, ...]:
    """One notice for each namespace."""
    none, level = Action.NONE, Severity.LOW
    return tuple(
        Difference(Component.WORKLOADS, Key("Namespace", name), "", None, None, None, Class.NOTICE, none, level, _WHY)
        for name in sorted(names)
    )
