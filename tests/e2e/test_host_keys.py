"""Machines prove who they are: by their console where nothing is known here, and not at all with another key."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
import yaml

from tests.e2e.world import World

pytestmark = pytest.mark.live


def only(world: World, name: str) -> Path:
    (file,) = world.state.rglob(name)
    return file


def doctor(world: World) -> tuple[int, dict[str, dict[str, Any]]]:
    said = world.reconciler("doctor", "--cluster", world.name, "--output", "json")
    (document,) = json.loads(said.out)
    return said.code, {line["what"]: line for line in document["checks"]}


def key_of(world: World, machine: str) -> str:
    """What the machine's SSH server really has, by the sandbox's own files."""
    home = world.sandbox.root / "machines.d" / world.servers()[machine]
    return " ".join((home / ".ssh/ssh_host_ed25519_key.pub").read_text().split()[:2])


@pytest.fixture
def lost(world: World) -> Iterator[World]:
    """The shared cluster on a machine that has lost what it knew of host keys; afterwards as before."""
    kept = {only(world, name): only(world, name).read_text() for name in ("known_hosts", "host-keys.yaml")}
    for file in kept:
        file.unlink()
    yield world
    for file, text in kept.items():
        file.write_text(text)


def test_an_apply_took_every_key_from_the_console_and_recorded_it(world: World) -> None:
    machine = f"{world.name}-worker-1"
    recorded = yaml.safe_load(world.git("show", f"observed:{world.name}/hosts.yaml"))
    entry = recorded[world.servers()[machine]]
    assert entry["keys"] == [key_of(world, machine)]
    assert {e["source"] for e in recorded.values()} == {"console"}
    assert "first contact" not in world.reconciler("plan", world.name).all


def test_what_was_lost_comes_from_the_console_before_anybody_answers(lost: World) -> None:
    machine = f"{lost.name}-worker-1"
    code, lines = doctor(lost)
    assert code == 0, lines
    assert lines[f"host key {machine}"]["said"].endswith("by its console log in Nova")
    assert lines[f"machine {machine}"]["state"] == "ok"
    pinned = only(lost, "known_hosts").read_text().splitlines()
    assert all(line.endswith(" console") for line in pinned)
    assert key_of(lost, machine) in "\n".join(pinned)


def test_a_machine_with_another_key_is_refused_and_who_says_otherwise_is_named(lost: World) -> None:
    machine = f"{lost.name}-worker-1"
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    doctor(lost)
    known = only(lost, "known_hosts")
    known.write_text(known.read_text().replace(key_of(lost, machine), other))
    code, lines = doctor(lost)
    assert code == 1
    line = lines[f"machine {machine}"]
    assert line["state"] == "bad"
    assert "another machine answers there than before" in line["hint"]
    assert "its console log in Nova says SHA256:" in line["hint"]
    assert lines[f"machine {lost.name}-worker-2"]["state"] == "ok"


def test_doctor_says_what_is_here_and_what_would_be_fetched(world: World) -> None:
    code, lines = doctor(world)
    assert code == 0, lines
    assert {line["state"] for line in lines.values()} <= {"ok", "unknown"}
    assert "fetched before" in lines["kubeconfig"]["said"]
    assert lines["lease"]["said"] == "free"
    assert lines["facts"]["said"].startswith("cached of 3 machines")
    text = world.reconciler("doctor", "--cluster", world.name)
    assert text.code == 0
    for secret in ("PRIVATE KEY", "client-key-data", "token"):
        assert secret not in text.all
    kubeconfig = world.kubeconfig
    aside = kubeconfig.with_suffix(".aside")
    shutil.move(kubeconfig, aside)
    try:
        _, lines = doctor(world)
        assert lines["kubeconfig"]["said"] == f"not here; would be read over SSH from {world.name}-cp-1"
    finally:
        shutil.move(aside, kubeconfig)
