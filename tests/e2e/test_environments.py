"""A researcher's environments by pull request: ten lines in, all there is to them out, and the data stays."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.world import World

pytestmark = pytest.mark.live

OWNER, OTHER = "grace", "edsger"
NAMESPACE = f"env-{OWNER}"
KINDS = "statefulset,service,pvc,secret,configmap,serviceaccount,networkpolicy,resourcequota"
EXPIRES = "2031-01-31"
# What one environment has of its own, and what its owner's environments share; the volume is all that stays.
OWN = ("StatefulSet", "Service", "Secret", "ConfigMap", "ServiceAccount", "NetworkPolicy")
SHARED = ("ResourceQuota owner", "NetworkPolicy deny-ingress", "ConfigMap packages.environment")


def ask(world: World, name: str, type_: str, owner: str = OWNER, expires: str = EXPIRES) -> None:
    path = world.repo / "desired" / world.name / "environments" / f"{owner}-{name}.yaml"
    path.write_text(
        "# yaml-language-server: $schema=../../../schema/environment.json\n"
        "apiVersion: research.moc/v1alpha1\n"
        "kind: Environment\n"
        f"metadata:\n  name: {name}\nspec:\n  type: {type_}\n  owner: {owner}\n  memory: 1Gi\n  expires: {expires}\n"
    )


def drop(world: World, *names: str) -> None:
    for name in names:
        (world.repo / "desired" / world.name / "environments" / f"{name}.yaml").unlink()


def applied(world: World, message: str) -> str:
    world.commit(message)
    said = world.reconciler("apply", world.name, "--yes")
    assert said.code == 0, said.all
    return said.all


def live(world: World, namespace: str = NAMESPACE) -> dict[str, Any]:
    """The ApplySet's objects of a namespace, by kind and name."""
    label = f"applyset.kubernetes.io/part-of={world.name}.workloads"
    found = json.loads(world.kubectl("-n", namespace, "get", KINDS, "-l", label, "-o", "json"))["items"]
    return {f"{o['kind']} {o['metadata']['name']}": o for o in found}


def replicas(world: World, name: str) -> tuple[int, int]:
    """How many there should be, and how many are ready."""
    found = live(world)[f"StatefulSet {name}"]
    return found["spec"]["replicas"], found["status"].get("readyReplicas", 0)


@pytest.fixture(scope="module")
def environments(world: World) -> Iterator[World]:
    """One commit adds an environment of each type, of two researchers."""
    ask(world, "stats", "rstudio")
    ask(world, "lab", "jupyter")
    ask(world, "desk", "desktop", OTHER)
    applied(world, "Grace and Edsger ask for environments")
    yield world
    for path in (world.repo / "desired" / world.name / "environments").glob("*-*.yaml"):
        if path.name.startswith((OWNER, OTHER)):
            path.unlink()
    applied(world, "they are gone")
    world.kubectl("delete", "namespace", NAMESPACE, f"env-{OTHER}", "--wait=true")


def test_one_commit_makes_all_of_it_and_all_of_it_is_healthy(environments: World) -> None:
    found = live(environments)
    for name in ("stats", "lab"):
        assert {f"{kind} {name}" for kind in (*OWN, "PersistentVolumeClaim")} <= found.keys()
        assert replicas(environments, name) == (1, 1)
        assert found[f"PersistentVolumeClaim {name}"]["status"]["phase"] == "Bound"
    assert set(SHARED) <= found.keys()
    assert len(found) == 2 * (len(OWN) + 1) + len(SHARED)
    assert len(live(environments, f"env-{OTHER}")) == len(OWN) + 1 + len(SHARED)
    said = environments.reconciler("drift", environments.name)
    assert (said.code, "in sync" in said.out) == (0, True), said.all
    for text in (environments.git("grep", "-c", "", "main"), said.all):
        assert token(environments, "stats") not in text


def token(world: World, name: str) -> str:
    return base64.b64decode(live(world)[f"Secret {name}"]["data"]["token"]).decode()


def test_what_is_changed_by_hand_is_found_and_put_back(environments: World) -> None:
    kubectl = environments.kubectl
    kubectl("-n", NAMESPACE, "set", "image", "statefulset/stats", "rstudio=registry.example.org/miner:latest")
    kubectl("-n", NAMESPACE, "delete", "service", "lab")
    kubectl("-n", NAMESPACE, "patch", "networkpolicy", "lab", "--type=merge", "-p", '{"spec":{"ingress":[{}]}}')
    said = environments.reconciler("drift", environments.name)
    assert said.code == 3
    for what in (f"StatefulSet {NAMESPACE}/stats", f"Service {NAMESPACE}/lab", f"NetworkPolicy {NAMESPACE}/lab"):
        assert what in said.out, said.out
    said = environments.reconciler("apply", environments.name, "--yes")
    assert said.code == 0, said.all
    assert environments.reconciler("drift", environments.name).code == 0
    image = live(environments)["StatefulSet stats"]["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image.startswith("docker.io/rocker/rstudio")


def test_it_is_stopped_after_its_last_day_and_brought_back(environments: World) -> None:
    yesterday = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=1)
    before = token(environments, "stats")
    scale = ("--subresource=scale", "--field-manager=sid-backend", "--type=merge")
    for count in (
        0,
        1,
    ):  # the back end stops what is idle and opens it again: nobody else's business, until the last day
        argv = ("patch", "statefulset", "stats", *scale, "-p", json.dumps({"spec": {"replicas": count}}))
        environments.kubectl("-n", NAMESPACE, *argv)
    ask(environments, "stats", "rstudio", expires=yesterday.isoformat())
    said = applied(environments, "its last day was yesterday")
    assert "1 notice" in said
    assert f"Environment {OWNER}/stats" in said
    assert replicas(environments, "stats") == (0, 0)
    assert replicas(environments, "lab") == (1, 1)
    said = environments.reconciler("drift", environments.name, "-o", "json").out
    (report,) = json.loads(said)
    assert report["status"] == "in sync"
    (told,) = [f for f in report["findings"] if f["class"] == "notice"]
    assert told["resource"] == f"Environment {OWNER}/stats"
    assert told["why"].startswith(f"expired on {yesterday} (UTC): it is stopped and its volume is kept")

    ask(environments, "stats", "rstudio")
    applied(environments, "another month")
    assert replicas(environments, "stats") == (1, 1)
    assert token(environments, "stats") == before


def test_removing_the_file_prunes_exactly_that_and_the_volume_is_found_again(environments: World) -> None:
    before = live(environments)
    volume = before["PersistentVolumeClaim stats"]["metadata"]["uid"]
    drop(environments, f"{OWNER}-stats")
    applied(environments, "Grace is done with R")
    after = live(environments)
    assert before.keys() - after.keys() == {f"{kind} stats" for kind in OWN}
    assert after.keys() - before.keys() == set()
    assert after["PersistentVolumeClaim stats"]["metadata"]["uid"] == volume
    assert replicas(environments, "lab") == (1, 1)

    old = base64.b64decode(before["Secret stats"]["data"]["token"]).decode()
    ask(environments, "stats", "rstudio")
    applied(environments, "and is not")
    assert live(environments)["PersistentVolumeClaim stats"]["metadata"]["uid"] == volume
    assert token(environments, "stats") not in ("", old), "access ends with the environment; another is another's word"


def test_nobody_but_the_way_in_is_let_in(environments: World) -> None:
    """kwok moves no packets: the policies are read as data, as Kubernetes defines them (allowed is what any allows)."""
    for namespace in (NAMESPACE, f"env-{OTHER}"):
        policies = [o["spec"] for key, o in live(environments, namespace).items() if key.startswith("NetworkPolicy")]
        assert {"podSelector": {}, "policyTypes": ["Ingress"]} in policies
        ways = [way for spec in policies for rule in spec.get("ingress", []) for way in rule["from"]]
        sid = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "sid"}}}
        assert ways
        assert [way for way in ways if way != sid] == []
