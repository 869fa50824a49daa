"""Clusters whose applications need something of another one, and pushes that come while a cycle runs."""

from __future__ import annotations

import threading
from collections.abc import Callable

from reconciler.errors import Invalid
from reconciler.model.outcome import Status
from reconciler.spec.wiring import Output

from .scene import Scene, cluster_file, scene, until

WORKLOAD = "  workloads: [{{name: app, path: manifests/{}}}]\n"


def application(value: str) -> bytes:
    head = "apiVersion: research.moc/v1alpha1\nkind: Application\nmetadata: {name: web}\n"
    spec = "target: moc, namespace: web, host: web.example.org, image: example.org/web:1"
    return f"{head}spec: {{{spec}, env: {{A: '{value}'}}}}\n".encode()


def connected() -> Scene:
    """The application of `a` needs the API of `b`."""
    it = scene("a", "b", "c")
    it.repository.push({"desired/a/applications/web.yaml": application("${cluster.b.api.endpoint}")})
    return it


def test_an_application_may_need_what_another_cluster_has() -> None:
    it = connected()
    with it.running():
        until(lambda: it.cycles("a") and it.cycles("b") and it.cycles("c"))
    assert {e["outcome"] for n in "abc" for e in it.cycles(n)} == {"in sync"}
    assert it.referred == {"a": frozenset(), "b": {Output("b", "api", "", "endpoint")}, "c": frozenset()}


def test_a_cluster_that_there_is_not_and_anothers_secret_are_refused() -> None:
    for value, said in {
        "${cluster.bb.api.endpoint}": "refers to a cluster 'bb', which there is not",
        "${cluster.b.secrets.x.y.z}": "is another cluster's secret",
    }.items():
        it = scene("a", "b")
        it.repository.push({"desired/a/applications/web.yaml": application(value)})
        with it.running():
            until(lambda: it.cycles("a") and it.cycles("b"))  # noqa: B023 - called within this turn
        assert said in str(it.cycles("a")[0]["problems"])
        assert it.cycles("b")[0]["outcome"] == "in sync"


def test_when_what_a_cluster_tells_changes_those_who_need_it_are_looked_at() -> None:
    it = connected()
    it.outputs["b"] = {"api.endpoint": "https://192.0.2.1:6443"}
    with it.running():
        until(lambda: it.cycles("b") and "dependency" in triggers(it, "a"))
        told, others = len(triggers(it, "a")), len(it.cycles("c"))
        it.outputs["b"] = {"api.endpoint": "https://192.0.2.2:6443"}
        it.fleet.seen("b", "a Service changed")
        until(lambda: triggers(it, "a")[told:] == ["dependency"])
        it.fleet.seen("b", "something else changed")
        until(lambda: len(it.cycles("b")) == 3)
    assert triggers(it, "a")[told:] == ["dependency"]
    assert len(it.cycles("c")) == others


def triggers(it: Scene, name: str) -> list[object]:
    return [c["trigger"] for c in it.cycles(name)]


def held(go: threading.Event) -> Callable[[], Status]:
    return lambda: Status.IN_SYNC if go.wait(20) else Status.FAILED


def test_a_push_to_what_a_running_cycle_just_began_to_use_is_not_missed() -> None:
    it, go = scene("a", "b"), threading.Event()
    with it.running():
        until(lambda: it.cycles("a") and it.cycles("b"))
        it.does["a"] = held(go)
        it.repository.push(
            {"manifests/app/x.yaml": b"", "desired/a/cluster.yaml": cluster_file("a", WORKLOAD.format("app"))}
        )
        it.fleet.pushed("refs/heads/main")
        until(lambda: it.begun.count("a") == 2)
        it.repository.push({"manifests/app/x.yaml": b"# another\n"})
        it.fleet.pushed("refs/heads/main")
        until(lambda: sum(e["event"] == "commit" for e in it.events) == 3)
        go.set()
        until(lambda: len(it.cycles("a")) == 3)
        assert it.cycles("a")[2]["commit"] == f"{2:040x}"[:12]
        it.repository.push({"manifests/other/x.yaml": b"# nobody uses it\n"})
        it.fleet.pushed("refs/heads/main")
        until(lambda: sum(e["event"] == "commit" for e in it.events) == 4)
    assert [e["clusters"] for e in it.events if e["event"] == "commit"][1:] == ["a", "a", "none"]


def test_what_a_cluster_that_never_loaded_uses_is_not_known_and_any_manifest_may_mend_it() -> None:
    it = scene("a", "b")
    it.does["a"] = refusing
    with it.running():
        until(lambda: it.cycles("a") and it.cycles("b"))
        it.does.pop("a")
        it.repository.push({"manifests/app/x.yaml": b"# mended\n"})
        it.fleet.pushed("refs/heads/main")
        until(lambda: len(it.cycles("a")) == 2)
    assert it.cycles("a")[1]["trigger"] == "webhook"
    assert len(it.cycles("b")) == 1


def refusing() -> Status:
    raise Invalid("the manifests have mistakes")
