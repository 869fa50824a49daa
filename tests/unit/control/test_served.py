"""Kinds of which git can't know whether they have namespaces: their objects have one name all the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.control.served import served
from reconciler.errors import Invalid
from reconciler.model.outcome import Status
from reconciler.model.resource import Key, Resource
from reconciler.ports import Manifest
from tests.unit.control.world import FILES, World
from tests.unit.examples import CLUSTER, FILE

POLICY = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{name: {}}}\nspec: {{x: '{}'}}\n"


def policy(namespace: str = "sid", name: str = "no-root", kind: str = "ClusterPolicy") -> Manifest:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "kyverno.io/v1", "kind": kind, "metadata": metadata}


@pytest.mark.parametrize(
    ("git", "server"),
    [("sid", "no-root"), ("default", "no-root"), ("", "no-root"), ("sid", "sid/no-root"), ("", "default/no-root")],
)
def test_an_object_is_called_what_its_server_calls_it_and_is_gits_still(git: str, server: str) -> None:
    m = policy(git)
    named, key = Key("ClusterPolicy", f"{git}/no-root" if git else "no-root"), Key("ClusterPolicy", server)
    found = served([Resource("ClusterPolicy", server)], [m], {named: 2})
    (resource,) = found.expected
    assert (resource.key, resource.type, resource.wave) == (key, "kyverno.io/v1/ClusterPolicy", 2)
    assert resource.digest
    assert found.manifests[0]["metadata"].get("namespace", "") == server.rpartition("/")[0]
    assert found.moved == ({named: key} if named != key else {})
    assert m == policy(git), "the manifest itself stays"


def test_what_has_its_name_already_is_not_taken_for_another() -> None:
    manifests = [policy("a"), policy("b")]
    found = served([Resource("ClusterPolicy", "no-root"), Resource("ClusterPolicy", "a/no-root")], manifests, {})
    assert found.moved == {Key("ClusterPolicy", "b/no-root"): Key("ClusterPolicy", "no-root")}


def test_what_nobody_asked_for_is_no_error() -> None:
    (resource,) = served([Resource("ClusterPolicy", "x")], [policy()], {}).expected
    assert (resource.name, resource.digest) == ("x", "")


def test_two_of_git_that_are_one_on_the_server_are_refused() -> None:
    both = [Resource("ClusterPolicy", "no-root")] * 2
    with pytest.raises(Invalid, match="ClusterPolicy no-root is in git twice, as a/no-root and as b/no-root"):
        served(both, [policy("a"), policy("b")], {})


def files(value: str = "1", timeout: str = "") -> dict[str, str]:
    """A policy in a workload of its own; its definition is somebody else's."""
    line = f"    - {{name: p, path: manifests/p, namespace: sid{timeout}}}\n"
    rest = {path: text for path, text in FILES.items() if not path.startswith("desired/demo/app")}
    policies = "---\n".join(POLICY.format(name, value) for name in ("no-root", "no-host"))
    cluster = CLUSTER + "  workloads:\n    - {name: sid, path: manifests/sid, namespace: sid}\n"
    return {**rest, FILE: cluster + (line if value else ""), "manifests/p/a.yaml": policies if value else ""}


@pytest.mark.parametrize("defined", ["before the first apply", "after it"])
def test_it_is_compared_applied_and_pruned_under_one_key(tmp_path: Path, defined: str) -> None:
    world = World(tmp_path, files(""))
    world.settle()
    own = world.apis["own"]
    if defined == "after it":
        world.take(files("0"))
        world.settle()
    own.spaced["ClusterPolicy"] = False
    own.objects = {own.key(m): m for m in own.objects.values()}
    world.take(files("1", ", timeout: 7"))
    outcome, _ = world.cycle().reconcile()
    assert (outcome.status, outcome.error) == (Status.IN_SYNC, "")
    assert world.log == ["own apply ClusterPolicy no-root ClusterPolicy no-host"]
    assert own.allowances[-1].patience == {Key("ClusterPolicy", n): 7.0 for n in ("no-root", "no-host")}
    world.log.clear()
    world.take(files(""))
    outcome, _ = world.cycle().reconcile()
    assert outcome.status is Status.IN_SYNC
    assert world.log == ["own prune ClusterPolicy no-host uid-no-host ClusterPolicy no-root uid-no-root"]
    assert {d.why for d in outcome.before.differences if d.actionable} == {"was removed from git"}, (
        "it was known as ours"
    )
