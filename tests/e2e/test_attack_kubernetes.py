"""Programs hidden where a machine or a pull request can put them: none of them runs on the reconciler's machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.world import World

pytestmark = pytest.mark.live


def hidden(text: str, program: Path) -> str:
    """The kubeconfig with a program as a second way to log in; its certificate stays."""
    content: Any = yaml.safe_load(text)
    content["users"][0]["user"]["exec"] = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": str(program),
        "interactiveMode": "Never",
    }
    return yaml.safe_dump(content, width=100_000)


@contextmanager
def replaced(file: Path, text: str) -> Iterator[None]:
    before = file.read_bytes()
    file.write_text(text)
    try:
        yield
    finally:
        file.write_bytes(before)


def test_a_program_in_the_administrators_file_never_runs_here(world: World, tmp_path: Path) -> None:
    """It is put into the file on the control plane, into the one that a playbook makes that file from, and into the one
    that was fetched before: a refused one is fetched again, and that one is refused too. Machines of the sandbox run on
    this host, and their own kubectl may run it: it tells us apart by our environment."""
    canary, program = tmp_path / "canary", tmp_path / "program"
    token = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "none"}}
    program.write_text(f'#!/bin/sh\n[ -z "$CANARY" ] || touch "$CANARY"\necho \'{json.dumps(token)}\'\n')
    program.chmod(0o755)
    home = world.sandbox.root / "machines.d" / world.servers()["demo-cp-1"]
    admin, (source,) = home / "etc" / "kubernetes" / "admin.conf", home.rglob("kubernetes-admin.conf")
    environment, reason = {"CANARY": str(canary)}, "users.0.user.exec: would run a program on this machine"

    with (
        replaced(world.kubeconfig, hidden(world.kubeconfig.read_text(), program)),
        replaced(admin, hidden(admin.read_text(), program)),
        replaced(source, hidden(source.read_text(), program)),
    ):
        looked = world.reconciler("drift", "demo", "-o", "json", env=environment)
        applied = world.reconciler("apply", "demo", env=environment)
        world.kubeconfig.unlink()
        without = world.reconciler("drift", "demo", "-o", "json", env=environment)
    assert reason in looked.out
    assert applied.code not in (0, 3), applied.all
    assert reason in applied.all
    assert "admin.conf of demo-cp-1" in without.out
    assert reason in without.out
    for said in (looked, applied, without):
        assert "Traceback" not in said.all
    assert not canary.exists()
    assert [path.name for path in world.state.rglob("admin.conf")] == ["admin.conf"]
    assert world.reconciler("drift", "demo", env=environment).code == 0


TEMPLATE = "{{{{ lookup('pipe', 'touch {}') }}}}"


@pytest.mark.parametrize(
    ("key", "line", "messages"),
    [
        (
            "    version: ",
            f'    variables: {{{{x: [{{{{y: "{TEMPLATE}"}}}}], ansible_connection: local}}}}',
            ("holds a template", "'ansible_connection' changes how Ansible connects"),
        ),
        ("    user: ", f'    user: "{TEMPLATE}"', ("does not have the right form",)),
    ],
    ids=["variables", "user"],
)
def test_what_would_run_a_program_is_refused_at_its_line(
    world: World, tmp_path: Path, key: str, line: str, messages: tuple[str, ...]
) -> None:
    canary, before = tmp_path / "canary", world.cluster_file.read_text()
    lines = before.splitlines()
    (number,) = [n for n, text in enumerate(lines) if text.startswith(key)]
    lines[number:number] = [line.format(canary)]
    if key == "    user: ":
        del lines[number + 1]
    try:
        world.cluster_file.write_text("\n".join(lines) + "\n")
        offline = world.reconciler("validate")
        world.commit("hostile")
        live = world.reconciler("plan", "demo")
    finally:
        world.cluster_file.write_text(before)
        world.commit("as before")
    for said in (offline, live):
        assert said.code == 2, said.all
        for message in messages:
            assert message in said.err
        assert said.err.count(f"desired/demo/cluster.yaml:{number + 1}:") == len(messages)
        assert "Traceback" not in said.all
    assert not canary.exists()
