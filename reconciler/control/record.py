"""Observed and applied state as text: normalised, sorted, without secrets and times, so that git shows meaning only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from ..engine.history import Identity, identity
from ..model.change import Difference
from ..model.message import commit_message
from ..model.naming import ENDS, IN_STATE, NAME
from ..model.outcome import Outcome
from ..model.resource import Component, Expected, Kinds, Known, Observed, Resource, Value
from ..yaml_text import dump

OBSERVED = "observed.yaml"
APPLIED = "applied.yaml"
DRIFT = "drift.md"
DIFFERENCES = "drift.yaml"


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


def read_failed(text: bytes | None) -> Failed:
    """What observed_text says the last cycle failed with. What can't be read says nothing."""
    try:
        said = (yaml.load(text or b"", Loader=_LOADER) or {}).get("failed") or {}  # noqa: S506 - the safe loader
        return Failed(str(said.get("commit", "")), str(said.get("error", "")))
    except (yaml.YAMLError, AttributeError, TypeError):
        return Failed()


def applied_text(applied: Expected) -> str:
    """What was asked for when each component was last in sync: the third layer of every comparison."""
    return dump({str(c): [_applied(r) for r in resources] for c, resources in applied.components.items()})


def read_applied(text: bytes | None) -> Expected:
    """The inverse of applied_text. A record that can't be read counts as none: all differences are then pending."""
    try:
        document = yaml.load(text or b"", Loader=_LOADER)  # noqa: S506 - the safe loader, by either name
        components = {Component(name): tuple(_resource(item) for item in items) for name, items in document.items()}
    except (yaml.YAMLError, AttributeError, TypeError, ValueError, KeyError):
        return Expected({})
    return Expected(components)


def versions_applied(applied: Expected) -> tuple[str, ...]:
    """The Kubernetes versions the nodes had when they were last in sync; none where that was never so."""
    nodes = (r for r in applied.resources(Component.KUBERNETES) if r.kind == "node")
    return tuple(sorted({str(r.fields["version"]) for r in nodes if r.fields.get("version")}))


def drift_text(differences: Sequence[Difference]) -> str:
    """What differs, one line each, without values: from its history every difference knows since when it is there."""
    told = sorted({(*identity(d), d.cls.value) for d in differences})
    names = ("component", "kind", "name", "target", "field", "class")
    return dump([{k: v for k, v in zip(names, one, strict=True) if v} for one in told])


def read_drift(text: bytes) -> frozenset[Identity]:
    """The inverse of drift_text, as far as it tells one difference from another. What can't be read held nothing."""
    try:
        found = yaml.load(text, Loader=_LOADER) or []  # noqa: S506 - the safe loader, by either name
        return frozenset((d["component"], d["kind"], d["name"], d.get("target", ""), d.get("field", "")) for d in found)
    except (yaml.YAMLError, AttributeError, TypeError, KeyError):
        return frozenset()


def now_applied(expected: Expected, before: Expected, outcome: Outcome) -> Expected:
    """A component counts as applied when nothing of it is left to do; else what was applied before still stands."""
    left = {d.component for d in outcome.after.differences if d.actionable or d.waiting or d.cls == "unknown"}
    return Expected({c: (before if c in left else expected).resources(c) for c in Component})


def message(outcome: Outcome, lease: str = "") -> str:
    """The commit message: what happened in one line, then the steps, then trailers for programs: which desired commit,
    how many steps, and the id of the lease under which they were carried out ("": none was needed)."""
    lines = [
        f"- {done.step.component} {done.step.operation}: {done.error or done.step.summary}" for done in outcome.steps
    ]
    for difference in outcome.after.open:
        lines.append(f"- left: {difference.key} {difference.field}".rstrip() + f" ({difference.cls})")
    trailers = [("Desired-Commit", outcome.commit), ("Changes", str(len(outcome.steps)))]
    trailers += [("Lease", lease)] if lease else []
    return commit_message(f"{outcome.cluster}: {outcome.status}", lines, trailers)


# libyaml's parser where it was built in: the applied record is read in every cycle
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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
    return said | ({"wave": resource.wave} if resource.wave else {})


def _resource(item: Mapping[str, Any]) -> Resource:
    fields = {k: _frozen(v) for k, v in item.get("fields", {}).items()}
    rest = {name: item[name] for name in ("digest", "type", "target", "wave") if name in item}
    return Resource(item["kind"], item["name"], fields, **rest)


def _plain(value: Value) -> Any:
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def _frozen(value: Any) -> Value:
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value
