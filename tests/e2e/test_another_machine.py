"""Any machine can carry on: with git, the clouds' login and the SSH key, and nothing else of the one before."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from reconciler.sandbox import gitops
from tests.contract.fleet import wait_until
from tests.e2e.world import World
from tests.slowness import burden

pytestmark = pytest.mark.live
_SECONDS = 10.0  # of an idle core


class Elsewhere(World):
    """Another machine: a fresh clone of the same remote, another home, and no state."""

    def __init__(self, world: World, folder: Path) -> None:
        self.sandbox, self.name, self.remote = world.sandbox, world.name, world.remote
        self.repo, self.state, self.home = folder / "somewhere" / "clone", folder / "fresh", folder / "home"
        self.config = folder / "settings.yaml"
        self.home.mkdir()
        settings = yaml.safe_load(world.config.read_text()) | {"state": str(self.state)}
        self.config.write_text(yaml.safe_dump(settings))
        gitops.git("clone", "--quiet", str(world.remote), str(self.repo))

    @property
    def env(self) -> dict[str, str]:
        return {"HOME": str(self.home), "XDG_STATE_HOME": str(self.home / "s"), "XDG_CONFIG_HOME": str(self.home / "c")}

    def playbooks(self) -> list[str]:
        """Which ran here, oldest first."""
        logs = sorted(self.state.rglob("artifacts/*/stdout"), key=lambda log: log.stat().st_mtime)
        return [log.parent.name.partition(".yml")[0] for log in logs]


@pytest.fixture
def elsewhere(world: World, tmp_path: Path) -> Iterator[Elsewhere]:
    before, servers = world.head(), world.servers()
    there = Elsewhere(world, tmp_path)
    yield there
    world.back_to(before)
    assert world.servers().keys() == servers.keys()


def test_a_fresh_machine_says_in_sync_at_once_and_runs_no_playbook(elsewhere: Elsewhere) -> None:
    slow, began = burden(), time.monotonic()
    said = elsewhere.reconciler("plan", elsewhere.name, "-o", "json", env=elsewhere.env)
    took = (time.monotonic() - began) / slow
    assert said.code == 0, said.all
    (report,) = json.loads(said.out)
    assert (report["steps"], report["findings"]) == ([], [])
    assert took < _SECONDS
    assert elsewhere.playbooks() == []
    assert elsewhere.kubeconfig.stat().st_mode & 0o777 == 0o600
    (installed,) = elsewhere.state.rglob("installed.json")
    servers = elsewhere.servers()
    assert json.loads(installed.read_text()) == {n: i for n, i in servers.items() if "-cp-" in n}


def test_labels_refusals_and_drains_go_on_from_there(elsewhere: Elsewhere) -> None:
    world = elsewhere
    world.edit("hub.jupyter.org/node-purpose: user", "hub.jupyter.org/node-purpose: core")
    world.commit("another label")
    said = world.reconciler("apply", world.name, env=world.env)
    assert said.code == 0, said.all
    assert world.playbooks() == []
    label = "{.items[*].metadata.labels.hub\\.jupyter\\.org/node-purpose}"
    assert "core" in world.kubectl("get", "nodes", "-o", f"jsonpath={label}")

    for asked, code, words in (("1.35.9", 2, "Kubernetes does not go down"), ("1.38.0", 2, "one minor at a time")):
        for file in world.state.rglob("admin.conf"):
            file.unlink()
        world.edit('version: "1.36.3"', f'version: "{asked}"')
        world.commit(asked)
        said = world.reconciler("plan", world.name, env=world.env)
        assert (said.code, words in said.err) == (code, True), said.all
        world.edit(f'version: "{asked}"', 'version: "1.36.3"')
    world.commit("as before")

    # one more first: on the two that are there lies the environment's volume, and a guard would ask about that
    for before, after in (("count: 2", "count: 3"), ("count: 3", "count: 2")):
        world.edit(before, after)
        world.commit(after)
        said = world.reconciler("apply", world.name, env=world.env)
        assert said.code == 0, said.all
    assert world.playbooks() == ["facts", "scale", "remove-node"]
    (log,) = world.state.rglob("artifacts/remove-node*/stdout")
    assert "Drain the node" in log.read_text()


def test_a_control_plane_that_says_nothing_is_not_one_without_a_kubernetes(elsewhere: Elsewhere) -> None:
    world = elsewhere
    compute, master = world.mischief().connection.compute, world.servers()[f"{world.name}-cp-1"]
    compute.stop_server(master)
    try:
        wait_until(lambda: compute.get_server(master).status == "SHUTOFF", 60, "a machine that is off")
        said = world.reconciler("plan", world.name, "-o", "json", env=world.env)
        assert (said.code, said.out != "") == (1, True), said.all
        (report,) = json.loads(said.out)
        assert not [s for s in report["steps"] if s["component"] in ("kubernetes", "workloads")], report["steps"]
        assert f"there is no kubeconfig of {world.name} here, and" in said.all
        assert "openstack server start" in said.all
    finally:
        compute.start_server(master)
        wait_until(lambda: compute.get_server(master).status == "ACTIVE", 60, "a machine that is on")
        wait_until(lambda: world.reconciler("plan", world.name, env=world.env).code == 0, 180, "its API")


def test_without_the_key_it_is_unknown_and_the_message_says_so(elsewhere: Elsewhere) -> None:
    settings = yaml.safe_load(elsewhere.config.read_text())
    elsewhere.config.write_text(yaml.safe_dump(settings | {"sshKey": os.devnull}))
    said = elsewhere.reconciler("plan", elsewhere.name, env=elsewhere.env)
    assert said.code == 1, said.all
    assert "there is no private key /dev/null" in said.all
    assert "cluster.yml" not in said.all
