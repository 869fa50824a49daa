"""What a change of a live object or of its manifest is, and the small objects that cases change."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.model.change import Severity

from .objects import IMAGE

Object = dict[str, Any]
DELETE: Mapping[str, Any] = {"delete": True}


@dataclass(frozen=True)
class Change:
    """`was` is applied; then `hand` is patched in (a JSON merge patch, as kubectl edit writes it, or a `strategic` one;
    DELETE deletes), or git says something else. `fields` are the fields in which an apply changes something, `added`
    those that it would leave: none of either where the two are to count as equal. `bad` is how bad an addition is at
    least. A `refused` one can't be changed in place."""

    name: str
    was: Object
    hand: Mapping[str, Any] | None = None
    git: Callable[[Object], None] | None = None
    fields: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    bad: Severity = Severity.LOW
    strategic: bool = False
    refused: bool = False
    missing: bool = False

    @property
    def wanted(self) -> Object:
        made = copy.deepcopy(self.was)
        if self.git:
            self.git(made)
        return made


def made(api: str, kind: str, *, cluster: bool = False, labels: Mapping[str, str] | None = None, **rest: Any) -> Object:
    metadata: Object = {"labels": {"team": "sid", **(labels or {})}, "annotations": {"note": "as git says"}}
    return {"apiVersion": api, "kind": kind, "metadata": metadata | ({"cluster": True} if cluster else {}), **rest}


def pods(**container: Any) -> Object:
    one = {"name": "web", "image": IMAGE, **container}
    return {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [one]}}


def deployment(replicas: int = 0, **container: Any) -> Object:
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "x"}}, "template": pods(**container)}
    return made("apps/v1", "Deployment", spec=spec)


def in_pod(**fields: Any) -> Mapping[str, Any]:
    """A patch of the only container. A merge patch replaces the list, so it says all of it."""
    return {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": IMAGE, **fields}]}}}}


def put(*path: Any, to: Any) -> Callable[[Object], None]:
    def change(manifest: Object) -> None:
        *before, last = path
        at: Any = manifest
        for step in before:
            at = at[step]
        at[last] = to

    return change


def drop(*path: Any) -> Callable[[Object], None]:
    def change(manifest: Object) -> None:
        *before, last = path
        at: Any = manifest
        for step in before:
            at = at[step]
        del at[last]

    return change
