"""Observed and applied state as text: normalised, sorted, without secrets and times, so that git shows meaning only."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

from ..engine.history import Identity, Version, identity
from ..model.change import Difference
from ..model.lease import Lease
from ..model.message import commit_message
from ..model.naming import ENDS, IN_STATE, NAME
from ..model.outcome import Outcome
from ..model.resource import Component, Expected, Kinds, Known, Observed, Resource, Value
from ..ports import LEASE_NUMBER, OBSERVED_AT, Repository
from ..spec.yaml import Unreadable
from ..yaml_text import dump
from . import shapes
from .shapes import Doubt

OBSERVED = "observed.yaml"
APPLIED = "applied.yaml"
DRIFT = "drift.md"
DIFFERENCES = "drift.yaml"

_LONGEST_ERROR = 10_000  # characters of it that the autoscaler passes on


@dataclass(frozen=True, slots=True)
class Failed:
    """What the last cycle failed with, and the desired commit it was to reach; empty where it did not fail."""

    commit: str = ""
    error: str = ""


def observed_text(cluster: str, status: str, observed: Observed, failed: Failed | None = None) -> str:
    """What is live, by component, kind and name; and what the last cycle failed with, if it did."""
    components = {str(c): _kinds(kinds) for c, kinds in observed.components.items()}
    said = {"failed": {"commit": failed.commit, "error": failed.error}} if failed and failed.error else {}
    return dump({"cluster": cluster, "status": str(status), "components": components, **said})


def read_failed(text: bytes | None, doubt: Doubt = lambda _: None) -> Failed:
    """What observed_text says the last cycle failed with. What can't be read says nothing, and `doubt` hears why."""
    try:
        failed = shapes.read(shapes.OBSERVED, OBSERVED, text or b"", shapes.ObservedCluster()).failed
        return Failed(failed.commit, failed.error[:_LONGEST_ERROR])
    except Unreadable as error:
        doubt(str(error))
        return Failed()


def last_failed(repository: Repository, cluster: str) -> Failed:
    """What the cluster's last cycle failed with, as the observed branch has it in this clone."""
    return read_failed(*_of(repository, repository.observed(cluster), f"{cluster}/{OBSERVED}"))


def applied_text(applied: Expected) -> str:
    """What was asked for when each component was last in sync: the third layer of every comparison."""
    return dump({str(c): [_applied(r) for r in resources] for c, resources in applied.components.items()})


def read_applied(text: bytes | None, doubt: Doubt = lambda _: None) -> Expected:
    """The inverse of applied_text. A record that can't be read counts as none, and `doubt` hears why: all differences
    are then pending."""
    applied = _applied_once(text or b"")
    if isinstance(applied, str):
        doubt(applied)
        return Expected({})
    return applied


@lru_cache(maxsize=8)  # a cycle reads it three times, and of a large cluster that takes a second each
def _applied_once(text: bytes) -> Expected | str:
    try:
        components = shapes.read(shapes.APPLIED, APPLIED, text, {})
    except Unreadable as error:
        return str(error)
    return Expected({c: tuple(_resource(r) for r in resources) for c, resources in components.items()})


def applied(repository: Repository, files: Mapping[str, bytes], cluster: str) -> Expected:
    """What a cluster's `files` of the observed branch say was applied last."""
    return read_applied(*_of(repository, files, f"{cluster}/{APPLIED}"))


def _of(repository: Repository, files: Mapping[str, bytes], path: str) -> tuple[bytes | None, Doubt]:
    text = files.get(path)
    return text, lambda why: repository.disregard(path, text or b"", why)


def versions_applied(applied: Expected) -> tuple[str, ...]:
    """The Kubernetes versions the nodes had when they were last in sync; none where that was never so."""
    nodes = (r for r in applied.resources(Component.KUBERNETES) if r.kind == "node")
    return tuple(sorted({str(r.fields["version"]) for r in nodes if r.fields.get("version")}))


def drift_text(differences: Sequence[Difference]) -> str:
    """What differs, one line each, without values: from its history every difference knows since when it is there."""
    told = sorted({(*identity(d), d.cls.value) for d in differences})
    names = ("component", "kind", "name", "target", "field", "class")
    return dump([{k: v for k, v in zip(names, one, strict=True) if v} for one in told])


def read_drift(text: bytes, doubt: Doubt = lambda _: None) -> frozenset[Identity] | None:
    """The inverse of drift_text, as far as it tells one difference from another. None, and `doubt` hears why, for what
    can't be read: nobody knows what it held."""
    try:
        differing = shapes.read(shapes.DIFFERENCES, DIFFERENCES, text, ())
    except Unreadable as error:
        doubt(str(error))
        return None
    return frozenset((d.component, d.kind, d.name, d.target, d.field) for d in differing)


@dataclass(frozen=True, slots=True)
class History:
    """What differed at each commit of the observed branch, newest first; what can't be read is left out. It is read
    each time it is gone through, and only as far: where nothing differs, not at all."""

    repository: Repository
    cluster: str

    def __iter__(self) -> Iterator[Version]:
        path = f"{self.cluster}/{DIFFERENCES}"
        for when, text in self.repository.history(path):
            differing = read_drift(text, partial(self.repository.disregard, path, text))
            if differing is not None:
                yield when, differing


def now_applied(expected: Expected, before: Expected, outcome: Outcome) -> Expected:
    """A component counts as applied when nothing of it is left to do; else what was applied before still stands."""
    left = {d.component for d in outcome.after.differences if d.actionable or d.waiting or d.cls == "unknown"}
    return Expected({c: (before if c in left else expected).resources(c) for c in Component})


def message(outcome: Outcome, lease: Lease | None = None, looked: datetime.datetime | None = None) -> str:
    """The commit message: what happened in one line, then the steps, then trailers for programs: which desired commit,
    how many steps, the lease under which they were carried out and its fencing number (None: none was needed), and when
    it was looked at (UTC)."""
    lines = [
        f"- {done.step.component} {done.step.operation}: {done.error or done.step.summary}" for done in outcome.steps
    ]
    for difference in outcome.after.open:
        lines.append(f"- left: {difference.key} {difference.field}".rstrip() + f" ({difference.cls})")
    trailers = [("Desired-Commit", outcome.commit), ("Changes", str(len(outcome.steps)))]
    trailers += _trailers(lease) if lease else []
    trailers += [(OBSERVED_AT, looked.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z"))] if looked else []
    return commit_message(f"{outcome.cluster}: {outcome.status}", lines, trailers)


def takeover(cluster: str, lease: Lease, before: str) -> str:
    """The message of a commit that changes nothing: `lease` took over the one `before`, which nobody gave back."""
    lines = [f"- applied from here on by {lease}", f"- the lease before it was never given back: {before}"]
    return commit_message(f"{cluster}: lease taken over", lines, _trailers(lease))


def _trailers(lease: Lease) -> list[tuple[str, str]]:
    return [("Lease", lease.id), (LEASE_NUMBER, str(lease.number))]


def _kinds(kinds: Kinds) -> dict[str, Any]:
    return {
        kind: [_live(r) for r in listing.resources] if isinstance(listing, Known) else {"unknown": listing.reason}
        for kind, listing in kinds.items()
    }


# Behind a load balancer each control-plane machine shows a certificate of its own: its end would change at every look.
_UNTOLD = (IN_STATE, NAME, ENDS)


def _live(resource: Resource) -> dict[str, Any]:
    return {
        "name": resource.name,
        "id": resource.id,
        **{k: _plain(v) for k, v in resource.fields.items() if k not in _UNTOLD},
    }


def _applied(resource: Resource) -> dict[str, Any]:
    said: dict[str, Any] = {"kind": resource.kind, "name": resource.name}
    if resource.digest:
        said |= {"digest": resource.digest, "type": resource.type}
    else:
        said["fields"] = {k: _plain(v) for k, v in resource.fields.items()}
    said |= {"target": resource.target} if resource.target else {}
    said |= {"within": resource.within} if resource.within else {}
    return said | ({"wave": resource.wave} if resource.wave else {})


def _resource(item: shapes.AppliedResource) -> Resource:
    made = Resource(item.kind, item.name, item.fields, digest=item.digest, type=item.type, target=item.target)
    return replace(made, wave=item.wave, within=item.within)


def _plain(value: Value) -> Any:
    return [_plain(v) for v in value] if isinstance(value, tuple) else value
