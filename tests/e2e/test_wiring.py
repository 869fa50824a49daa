"""The front end and the middleware on OpenShift through Terraform: they find each other and the back end by wiring."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from .world import BACKEND, Said, World, edited

pytestmark = pytest.mark.live

SPACE = "sid-web"
FIRST, SECOND = "198.51.100.7", "198.51.100.8"
ADDRESS = "${cluster.services.sid.backend.address}"


@pytest.fixture
def wired(world: World) -> Iterator[World]:
    """The demo with a back end behind a load balancer, which the middleware is told of, and a middleware whose host the
    router chooses. Put back afterwards."""
    before = world.head()
    with edited(world.repo / BACKEND, "Service") as service:
        service["spec"]["type"] = "LoadBalancer"
    with edited(world.repo / "desired/demo/applications/sid-middleware.yaml", "Application") as application:
        del application["spec"]["host"]
        application["spec"]["secrets"] = {"SESSION_KEY": {"generate": True}}
        application["spec"]["env"]["SID_BACKEND"] = ADDRESS
    world.commit("the back end has an address")
    yield world
    world.back_to(before)


def test_the_address_reaches_those_who_need_it_and_when_it_moves_nobody_else_is_touched(wired: World) -> None:
    said = wired.reconciler("plan", "demo")
    assert said.code == 3, said.all
    assert f"waits for {ADDRESS}, which is not there yet" in " ".join(said.out.split())

    with ThreadPoolExecutor(1) as pool:
        applying = pool.submit(wired.reconciler, "apply", "demo")
        served(wired, FIRST, applying)
        said = applying.result()
    assert said.code == 0, said.all

    admitted(wired, "sid-middleware", "sid-middleware-sid-web.apps.example.org")
    said = wired.reconciler("apply", "demo")
    assert said.code == 0, said.all
    assert settings(wired, "sid-middleware")["SID_BACKEND"] == FIRST
    assert settings(wired, "sid-frontend")["SID_API_URL"] == "https://sid-middleware-sid-web.apps.example.org"
    assert f"services.sid.backend.address: {FIRST}" in wired.git("show", "observed:demo/outputs.yaml")

    key = secret(wired, "sid-middleware-session-key")
    assert len(key) > 30
    state = next(wired.state.rglob("applications-moc"))
    assert not [f for f in state.rglob("*") if f.is_file() and key.encode() in f.read_bytes()]

    before = objects(wired)
    moved(wired, SECOND)
    (report,) = json.loads(wired.reconciler("plan", "demo", "-o", "json").out)
    dependents = {"ConfigMap sid-web/sid-middleware", "Deployment sid-web/sid-middleware"}
    assert {f["resource"] for f in report["findings"]} == dependents
    said = wired.reconciler("apply", "demo")
    assert said.code == 0, said.all
    after = objects(wired)
    assert {name for name in after if after[name] != before.get(name)} == dependents
    assert settings(wired, "sid-middleware")["SID_BACKEND"] == SECOND


def served(world: World, address: str, applying: Future[Said]) -> None:
    """Give the Service its address as soon as it asks for one: until then, no cloud would, and nobody may write it."""
    while world.kubectl("-n", "sid", "get", "service", "backend", "-o", "jsonpath={.spec.type}") != "LoadBalancer":
        assert not applying.done(), applying.result().all
        time.sleep(0.2)
    moved(world, address)


def moved(world: World, address: str) -> None:
    """What a cloud's load balancer would write."""
    status = {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}
    world.kubectl(
        "-n", "sid", "patch", "service", "backend", "--subresource=status", "--type=merge", "-p", json.dumps(status)
    )


def admitted(world: World, route: str, host: str) -> None:
    """What OpenShift's router would write."""
    status = json.dumps({"status": {"ingress": [{"host": host}]}})
    route = f"routes.route.openshift.io/{route}"
    world.kubectl("-n", SPACE, "patch", route, "--subresource=status", "--type=merge", "-p", status)


def listed(world: World, kind: str) -> list[dict[str, Any]]:
    return list(json.loads(world.kubectl("-n", SPACE, "get", kind, "-o", "json"))["items"])


def settings(world: World, name: str) -> dict[str, str]:
    return next(dict(m["data"]) for m in listed(world, "configmaps") if m["metadata"]["name"] == name)


def secret(world: World, name: str) -> str:
    return next(str(m["data"]["token"]) for m in listed(world, "secrets") if m["metadata"]["name"] == name)


def objects(world: World) -> dict[str, str]:
    """What each of our objects is: a Deployment by its generation, since its status may be written at any time."""
    kinds = ("configmaps", "secrets", "services", "deployments", "routes.route.openshift.io", "networkpolicies")
    return {
        f"{m['kind']} {SPACE}/{m['metadata']['name']}": f"{m['metadata']['uid']} "
        + str(m["metadata"]["generation" if m["kind"] == "Deployment" else "resourceVersion"])
        for kind in kinds
        for m in listed(world, kind)
        if "applyset.kubernetes.io/part-of" in (m["metadata"].get("labels") or {})
    }
