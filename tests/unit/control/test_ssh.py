"""Which machine is meant, and where it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from reconciler.control.login import command_line
from reconciler.errors import Invalid, Permanent, Transient
from reconciler.model.resource import Unknown
from tests.unit.control.world import World


class Logins:
    """Notes what it is asked for; knows the hosts of the inventory."""

    def login(
        self, cluster: str, inventory: Mapping[str, Any], machine: str, command: Sequence[str]
    ) -> list[str] | None:
        hosts = inventory["all"]["hosts"]
        return ["ssh", hosts[machine]["ansible_host"], *command] if machine in hosts else None


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.settle()
    return made


def ask(world: World, machine: str, *command: str) -> list[str]:
    return command_line(world.desired, machine, command, world.cycle().tools, Logins())


def test_by_its_whole_name_or_without_the_clusters(world: World) -> None:
    (server,) = (r for r in world.resources if (r.kind, r.name) == ("server", "demo-worker-1"))
    assert ask(world, "worker-1", "uptime") == ["ssh", server.fields["address"], "uptime"]
    assert ask(world, "demo-worker-1", "uptime") == ["ssh", server.fields["address"], "uptime"]


def test_what_git_does_not_have_is_refused_with_what_is_near(world: World) -> None:
    with pytest.raises(Invalid, match="no machine 'demo-wroker-1'") as caught:
        ask(world, "demo-wroker-1")
    assert caught.value.hint == "did you mean demo-worker-1?"


@pytest.mark.parametrize("name", ["-oProxyCommand=x", "", "demo-worker-1; reboot", "*"])
def test_a_name_is_one_of_gits_or_none(world: World, name: str) -> None:
    with pytest.raises(Invalid):
        ask(world, name)


def test_a_machine_without_a_server_is_told_from_one_that_nobody_could_see(world: World) -> None:
    world.lose("server", "demo-worker-1")
    with pytest.raises(Permanent, match="has no server in the cloud"):
        ask(world, "worker-1")
    world.kinds["server"] = Unknown("nova does not answer")
    with pytest.raises(Transient, match="nova does not answer"):
        ask(world, "worker-1")
