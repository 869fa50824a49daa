"""Somebody who may push to the observed branch, and not to main, calls what they made by hand applied."""

from __future__ import annotations

import json
import subprocess
import uuid
from typing import Any

import pytest
import yaml

from .world import World

pytestmark = pytest.mark.live

RULE = "demo-node ingress IPv4 tcp 22 from 0.0.0.0/0"
FIELDS = {
    "security_group": "demo-node",
    "direction": "ingress",
    "ethertype": "IPv4",
    "protocol": "tcp",
    "port_min": 22,
    "port_max": 22,
    "remote_ip_prefix": "0.0.0.0/0",
    "remote_group": None,
}


def test_a_rule_that_a_forged_record_calls_applied_is_critical_and_goes_for_real(world: World) -> None:
    argv = ("--ingress", "--protocol", "tcp", "--dst-port", "22", "--remote-ip", "0.0.0.0/0", "-f", "json")
    rule = json.loads(world.openstack("security", "group", "rule", "create", *argv, "demo-node"))["id"]
    canary = uuid.uuid4().hex
    applied: dict[str, Any] = yaml.safe_load(world.git("show", "observed:demo/applied.yaml"))
    applied["infrastructure"].append({"kind": "security_group_rule", "name": RULE, "fields": FIELDS})
    forge(world, "applied.yaml", yaml.safe_dump(applied), canary)
    subprocess.run(["git", "-C", world.repo, "fetch", "-q", "origin", "observed"], check=True)

    (report,) = json.loads(world.reconciler("drift", "demo", "-o", "json").out)
    (found,) = report["findings"]
    assert (found["resource"], found["severity"]) == (f"security_group_rule {RULE}", "critical")
    said = world.reconciler("apply", "demo")
    assert said.code == 0, said.all
    assert rule not in world.openstack("security", "group", "rule", "list", "demo-node", "-f", "value", "-c", "ID")
    assert RULE not in world.git("show", "observed:demo/applied.yaml")
    assert canary in world.git("log", "--format=%B", "observed"), "the record was made on top of the forged one"


def forge(world: World, name: str, text: str, message: str) -> None:
    """Push a file of demo's folder to the observed branch, by plumbing."""
    blob = made(world, text, "hash-object", "-w", "--stdin")
    folder, root = (world.git("ls-tree", f"observed{at}").splitlines() for at in (":demo", ""))
    inner = [line for line in folder if not line.endswith(f"\t{name}")]
    tree = made(world, "\n".join([*inner, f"100644 blob {blob}\t{name}\n"]), "mktree")
    outer = [line for line in root if not line.endswith("\tdemo")]
    whole = made(world, "\n".join([*outer, f"040000 tree {tree}\tdemo\n"]), "mktree")
    who = ("-c", "user.name=eve", "-c", "user.email=eve@example.org")
    world.git("update-ref", "refs/heads/observed",
              world.git(*who, "commit-tree", "-m", message, "-p", "observed", whole).strip())  # fmt: skip


def made(world: World, text: str, *argv: str) -> str:
    done = subprocess.run(["git", *argv], cwd=world.remote, input=text, capture_output=True, text=True, check=True)
    return done.stdout.strip()
