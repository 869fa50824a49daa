"""The comparison sees what `kubectl diff` sees, and what people added besides: a hundred changes of more than twenty
kinds on a real API server, each found, classed, and repaired or left as its class demands."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.adapters.kubernetes.connection import MERGE_PATCH, Connection
from reconciler.adapters.kubernetes.fields import prepared
from reconciler.adapters.kubernetes.kinds import Discovery, Kind, path_of
from reconciler.control.served import digest
from reconciler.engine.diff import diff
from reconciler.errors import Permanent
from reconciler.model.change import Class, Difference
from reconciler.model.resource import Component, Expected, Key, Observed, Owner, Resource
from reconciler.ports import Allowance, Comparison
from reconciler.spec.render import objects

from .change import DELETE, Change
from .changes import all_changes
from .changes_added import added_changes
from .objects import Spoken, definition, kubectl

pytestmark = pytest.mark.live

_STRATEGIC = "application/strategic-merge-patch+json"
_FILE = re.compile(r"^diff .*/LIVE-[^/]+/(\S+) ", re.MULTILINE)


@dataclass(frozen=True)
class Story:
    """What was seen after everything was changed, and after one apply."""

    changes: Mapping[str, Change]
    fields: Mapping[Key, Resource]
    told: Mapping[Key, list[Difference]]
    kubectl: frozenset[str]
    unsure: Mapping[str, int]
    refusal: str
    left: frozenset[Key]
    kubectl_left: frozenset[str]
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@pytest.fixture(scope="module")
def story(kube: Path) -> Iterator[Story]:
    namespace = f"verdict-{uuid.uuid4().hex[:6]}"
    group = f"{namespace}.example.org"
    changes = {change.name: change for change in _all(namespace, group)}
    common = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}, definition(group)]
    before, now = ([*common, *(side(c) for c in changes.values())] for side in (_was, _wanted))
    # claims that wait for a class nobody has, and scalers of nothing, are not what this is about
    brief = Allowance({objects.key(m): 0.0 for m in before if m["kind"] in _NEVER})
    api = KubernetesApi(kube, wait=60)
    try:
        with pytest.raises(Permanent):
            api.apply(namespace, before, Spoken(), brief)
        snapshot = _snapshot(kube, changes.values())
        _by_hand(kube, changes.values())
        found = api.compare(namespace, now, ())
        told = _told(found, before, now)
        brief = replace(brief, removing=_removing(told))
        sure = [m for m in now if not _refused(changes, m)]
        refused = {c.name: _kubectl_diff(kube, namespace, [c.wanted])[0] for c in changes.values() if c.refused}
        seen = _kubectl_diff(kube, namespace, sure)[1]
        with pytest.raises(Permanent) as refusal:
            api.apply(namespace, now, Spoken(), brief)
        after = api.compare(namespace, now, ())
        yield Story(
            changes,
            {r.key: r for r in found.expected},
            told,
            seen,
            refused,
            refusal.value.message,
            frozenset(r.key for r in after.expected if r.fields or r.key not in _live(after)),
            _kubectl_diff(kube, namespace, sure)[1],
            snapshot,
            _snapshot(kube, changes.values()),
        )
    finally:
        for change in changes.values():
            if "namespace" not in change.was["metadata"]:
                kubectl(kube, "delete", change.was["kind"], change.was["metadata"]["name"], "--ignore-not-found",
                        "--wait=false")  # fmt: skip
        kubectl(kube, "patch", "configmap", "-n", namespace, _name(changes, "a foreign finalizer"),
                "--type=merge", "-p", json.dumps({"metadata": {"finalizers": None}}))  # fmt: skip
        kubectl(kube, "delete", "crd", f"things.{group}", "--ignore-not-found", "--wait=false")
        kubectl(kube, "delete", "namespace", namespace, "--wait=false")


def _all(namespace: str, group: str) -> list[Change]:
    return [*all_changes(namespace, group), *added_changes(namespace, group)]


def _removing(told: Mapping[Key, list[Difference]]) -> dict[Key, frozenset[str]]:
    return {key: frozenset(d.field for d in found if d.added) for key, found in told.items()}


_NEVER = ("PersistentVolumeClaim", "HorizontalPodAutoscaler")


def _was(change: Change) -> dict[str, Any]:
    return change.was


def _wanted(change: Change) -> dict[str, Any]:
    return change.wanted


def _name(changes: Mapping[str, Change], name: str) -> str:
    return str(changes[name].was["metadata"]["name"])


def _refused(changes: Mapping[str, Change], manifest: Mapping[str, Any]) -> bool:
    return any(c.refused and objects.key(c.was) == objects.key(manifest) for c in changes.values())


def _by_hand(kube: Path, changes: Any) -> None:
    connection = Connection(kube, None, 20)
    discovery = Discovery(connection)
    for change in changes:
        path = path_of(change.was, _kind(discovery, change))
        if change.hand is DELETE:
            connection.request("DELETE", path)
        elif change.hand is not None:
            query, how = {"fieldManager": "kubectl-edit"}, _STRATEGIC if change.strategic else MERGE_PATCH
            connection.request("PATCH", path, query=query, body=change.hand, content_type=how)


def _kind(discovery: Discovery, change: Change) -> Kind:
    kind = discovery.kind(change.was["apiVersion"], change.was["kind"])
    assert isinstance(kind, Kind)
    return kind


def _snapshot(kube: Path, changes: Any) -> dict[str, Any]:
    """What is in the objects that somebody adds to, without what the server counts."""
    connection = Connection(kube, None, 20)
    discovery = Discovery(connection)
    found = {}
    for change in (change for change in changes if change.added):
        obj = connection.get(path_of(change.was, _kind(discovery, change)))
        for counted in ("managedFields", "resourceVersion", "generation"):
            obj["metadata"].pop(counted, None)
        for counted in ("deprecated.daemonset.template.generation", "deployment.kubernetes.io/revision"):
            obj["metadata"].get("annotations", {}).pop(counted, None)
        found[change.name] = {name: value for name, value in obj.items() if name != "status"}
    return found


def _kubectl_diff(kube: Path, part_of: str, manifests: Sequence[Mapping[str, Any]]) -> tuple[int, frozenset[str]]:
    """Its exit code (0 the same, 1 different, else it could not tell), and the names of the objects it shows."""
    items = {"apiVersion": "v1", "kind": "List", "items": [prepared(m, part_of) for m in manifests]}
    flags = ("--server-side", "--field-manager=reconciler", "--force-conflicts", "-f", "-")
    done = subprocess.run(
        ["kubectl", "--kubeconfig", str(kube), "diff", *flags],
        input=json.dumps(items), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, frozenset(_FILE.findall(done.stdout))


def _told(found: Comparison, before: Sequence[Any], now: Sequence[Any]) -> dict[Key, list[Difference]]:
    digests, earlier = ({objects.key(m): digest(m) for m in side} for side in (now, before))
    wanted = tuple(replace(r, digest=digests[r.key]) for r in found.expected)
    applied = tuple(Resource(k.kind, k.name, digest=d) for k, d in earlier.items())
    workloads = Component.WORKLOADS
    told: dict[Key, list[Difference]] = {}
    for d in diff(Expected({workloads: wanted}), Expected({workloads: applied}), Observed({workloads: found.live})):
        told.setdefault(d.key, []).append(d)
    return told


def _live(found: Comparison) -> set[Key]:
    return {r.key for listing in found.live.values() for r in getattr(listing, "resources", ())}


def _shown(change: Change) -> str:
    """The object as kubectl diff calls its file."""
    api, metadata = change.was["apiVersion"].replace("/", "."), change.was["metadata"]
    return f"{api}.{change.was['kind']}.{metadata.get('namespace', '')}.{metadata['name']}"


CHANGES = {change.name: change for change in _all("any", "any.example.org")}


def test_there_are_enough_of_them() -> None:
    by_hand = [c for c in CHANGES.values() if c.hand]
    assert len(CHANGES) == len(_all("any", "any.example.org"))
    assert len(by_hand) >= 60
    assert len({c.was["kind"] for c in by_hand}) >= 20
    assert sum(not (c.fields or c.added or c.missing) for c in CHANGES.values()) >= 10


@pytest.mark.parametrize("name", CHANGES)
def test_one_verdict(story: Story, name: str) -> None:
    change = story.changes[name]
    key = objects.key(change.was)
    differs = bool(change.fields or change.missing)
    told = story.told.get(key, [])

    assert bool(told) is (differs or bool(change.added)), told
    if change.missing:
        assert [d.field for d in told] == [""]
    else:
        assert set(change.fields) <= story.fields[key].fields.keys()
    applied = [d for d in told if not d.added]
    assert bool(applied) is differs
    assert {d.cls for d in applied} <= ({Class.DRIFT} if change.hand else {Class.PENDING})
    _check_additions(change, [d for d in told if d.added])
    if change.refused:
        assert story.unsure[name] > 1, "kubectl diff can't tell: the server refuses the change"
        assert f"{key}: " in story.refusal
        assert key in story.left
    else:
        assert (_shown(change) in story.kubectl) is differs
        assert key not in story.left
        assert _shown(change) not in story.kubectl_left
    assert story.after.get(name) == story.before.get(name)


def _check_additions(change: Change, told: Sequence[Difference]) -> None:
    """By whom and when, and no worse or better than what it is."""
    assert set(change.added) <= {d.field for d in told}
    assert bool(change.added) is bool(told)
    for d in told:
        assert d.owner == Owner("kubectl-edit")
        assert d.set_at
    worst = max((d.severity for d in told), default=change.bad)
    assert worst >= change.bad
    if change.was["kind"] == "Secret":
        assert not told or {d.live for d in told} == {"(hidden)"}
