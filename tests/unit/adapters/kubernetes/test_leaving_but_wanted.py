"""An object that git wants and somebody deleted, held by a finalizer: it is not in sync, and nobody waits for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from reconciler.adapters.kubernetes.applied import Applied
from reconciler.adapters.kubernetes.compare import Comparer
from reconciler.adapters.kubernetes.connection import Connection, Metadata
from reconciler.adapters.kubernetes.fields import GENERATE
from reconciler.adapters.kubernetes.kinds import Discovery, Kind
from reconciler.adapters.kubernetes.remembered import Remembered
from reconciler.adapters.kubernetes.rollout import Rollout
from reconciler.adapters.kubernetes.spaces import Spaces
from reconciler.engine.diff import diff
from reconciler.engine.planner import plan
from reconciler.engine.playbook import Roles
from reconciler.errors import Transient
from reconciler.model.change import LEAVING, Class
from reconciler.model.naming import FINALIZERS, GOING
from reconciler.model.resource import Component, Expected, Known, Observed, Resource
from reconciler.ports import Allowance, Manifest
from reconciler.progress import QuietProgress

SINCE = "2026-11-25T11:00:00Z"
GOES: dict[str, Any] = {"deletionTimestamp": SINCE, "finalizers": ["a.example.org/x"]}
WORKLOADS = Component.WORKLOADS


def manifest(kind: str = "Secret", **metadata: Any) -> Manifest:
    api_version = "batch/v1" if kind == "Job" else "v1"
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "namespace": "sid", **metadata}}


@dataclass
class Server:
    """Has one object that is wanted, and would take any manifest as it is: a dry run finds no difference."""

    live: dict[str, Any]
    patched: list[str] = field(default_factory=list)

    def get(self, path: str, **_: str) -> Any:
        kinds = {"/api/v1": ("Secret", "secrets"), "/apis/batch/v1": ("Job", "jobs")}
        if path in kinds:
            name, plural = kinds[path]
            return {"resources": [{"kind": name, "name": plural, "namespaced": True}]}
        return self.live

    def request(self, _: str, path: str, **__: Any) -> Any:
        self.patched.append(path)
        return self.live

    def metadata(self, *_: str, **__: str) -> Metadata:
        return Metadata([self.live], None)


def live(wanted: Manifest, **more: Any) -> dict[str, Any]:
    return {**wanted, "metadata": {**wanted["metadata"], "uid": "u", "resourceVersion": "1", **more}}


def verdict(wanted: Manifest, **more: Any) -> Observed:
    connection = cast(Connection, Server(live(wanted, **more)))
    found = Comparer(connection, Discovery(connection), "reconciler", Remembered(None)).compare("demo", [wanted], [])
    differences = diff(Expected({WORKLOADS: found.expected}), Expected({}), Observed({WORKLOADS: found.live}))
    roles = Roles(frozenset(), frozenset(), frozenset(), frozenset(), frozenset())
    assert not plan("demo", "c", differences, roles=roles).steps
    (listing,) = found.live.values()
    assert isinstance(listing, Known)
    (there,) = listing.resources
    assert [d.live for d in differences] == ([LEAVING] if GOING in there.fields else [])
    for d in differences:
        assert (d.cls, d.field, d.desired) == (Class.DRIFT, "", "present")
        assert d.why.startswith(f"is being deleted since {SINCE}, held by its finalizers a.example.org/x: git wants it")
    return Observed({WORKLOADS: found.live})


@pytest.mark.parametrize("wanted", [manifest(), manifest(annotations={GENERATE: "token"})])
def test_it_is_told_and_gets_no_step(wanted: Manifest) -> None:
    (there,) = verdict(wanted, **GOES).resources(WORKLOADS, "Secret")
    assert there.fields == {GOING: SINCE, FINALIZERS: ("a.example.org/x",)}


def test_what_stays_is_as_before_and_a_job_that_goes_when_it_is_done_is_meant_to() -> None:
    assert verdict(manifest()).resources(WORKLOADS, "Secret")[0].fields == {}
    job = {**manifest("Job"), "spec": {"ttlSecondsAfterFinished": 0}}
    assert verdict(job, **GOES).resources(WORKLOADS, "Job")[0].fields == {}


@pytest.mark.parametrize("applied_now", [True, False])
def test_nobody_waits_until_it_is_healthy(applied_now: bool) -> None:
    obj = live(manifest(), **GOES)
    one = Applied("Secret sid/x", "/x", cast(Any, None), obj if applied_now else None)
    progress = QuietProgress()
    with progress.task("t") as task:
        (wrong,) = Rollout(cast(Connection, Server(obj)), 300).wait([one], Allowance(), task, progress)
    assert isinstance(wrong, Transient)
    assert wrong.message.startswith(f"Secret sid/x is being deleted since {SINCE}, held by its finalizers")


@pytest.mark.parametrize("made", [(), ("sid",)])
def test_what_is_missing_from_a_namespace_on_its_way_out_waits(made: tuple[str, ...]) -> None:
    """The server makes nothing there: a step would fail at each cycle."""
    secrets = Kind("v1", "Secret", "secrets", True)
    spaces = Spaces(cast(Connection, Server(live(manifest(), **GOES))), made)
    wanted = Resource("Secret", "sid/x")
    waiting = spaces.placed(wanted, manifest(), secrets, missing=True)
    assert waiting.waits.startswith(f"the namespace sid, which is being deleted since {SINCE}")
    assert spaces.placed(wanted, manifest(), secrets, missing=False) == wanted
    stays = Spaces(cast(Connection, Server(live(manifest()))), made)
    assert stays.placed(wanted, manifest(), secrets, missing=True) == wanted
