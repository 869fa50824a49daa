"""A kubeconfig that the API refuses, and a version it can't reach: seen, told, and only the first one repaired."""

from __future__ import annotations

import base64
import datetime
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.world import World
from tests.unit.adapters.kubernetes.authority import DAY, Authority

pytestmark = pytest.mark.live


def test_a_kubeconfig_that_is_refused_is_fetched_from_a_machine_and_no_playbook_runs(world: World) -> None:
    servers, nodes = world.servers(), world.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.uid}")
    known_hosts = next(world.state.rglob("known_hosts")).read_bytes()
    pair = Authority().pair("kubernetes-admin", datetime.datetime.now(datetime.UTC) + DAY)
    said: Any = yaml.safe_load(world.kubeconfig.read_text())
    said["users"][0]["user"] = {
        "client-certificate-data": base64.b64encode(pair.certificate).decode(),
        "client-key-data": base64.b64encode(pair.key).decode(),
    }
    world.kubeconfig.write_text(yaml.safe_dump(said))

    logs = playbooks(world)
    planned = world.reconciler("plan", "demo", "-o", "json")
    (report,) = json.loads(planned.out)
    assert report["steps"] == []
    assert planned.code == 0, planned.all
    applied = world.reconciler("apply", "demo")
    assert applied.code == 0, applied.all
    assert "in sync" in applied.out
    assert playbooks(world) == logs
    assert world.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.uid}") == nodes
    assert world.servers() == servers
    assert next(world.state.rglob("known_hosts")).read_bytes() == known_hosts
    assert not list(world.state.rglob("fetched"))
    assert not list(world.state.rglob("regained"))
    kinds = world.observed()["components"]["kubernetes"]["certificate"]
    assert kinds == [{"id": "", "name": "api-server"}, {"id": "", "name": "kubeconfig"}]


def playbooks(world: World) -> list[Path]:
    """The logs of all that ran here."""
    return sorted(world.state.rglob("artifacts/*/stdout"))


def test_a_version_that_is_too_far_is_refused_by_validate_and_plan_alike(world: World) -> None:
    world.edit('version: "1.36.3"', 'version: "1.38.0"')
    try:
        offline = world.reconciler("validate")
        world.commit("too far")
        live = world.reconciler("plan", "demo")
    finally:
        world.edit('version: "1.38.0"', 'version: "1.36.3"')
        world.commit("back")
    for said in (offline, live):
        assert said.code == 2, said.all
        assert "spec.kubernetes.version: Kubernetes goes up one minor at a time: 1.36.3 -> 1.37.x -> 1.38.0" in said.err
    assert world.reconciler("validate").code == 0
