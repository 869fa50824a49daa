"""One login for all that log in: the one the look used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reconciler.model.login import Login

from .world import World

LOGIN = Login("sandbox", "v3applicationcredential", {"auth_url": "https://keystone.example/v3"}, "north")


def test_terraform_and_ansible_get_the_one_that_the_look_used(tmp_path: Path) -> None:
    world = World(tmp_path)
    cycle = world.cycle()
    asked: list[str] = []

    def login(cloud: str) -> Login:
        asked.append(cloud)
        return LOGIN

    replace(cycle, tools=replace(cycle.tools, login=login)).reconcile()
    assert set(asked) == {"sandbox"}
    infrastructure = [w.login for w in world.workspaces if w.directory.name == "infrastructure"]
    elsewhere = [w.login for w in world.workspaces if w.directory.name != "infrastructure"]
    assert infrastructure == [LOGIN] * len(infrastructure) != []
    assert elsewhere == [None] * len(elsewhere) != []  # an OpenShift's run has no business in the cloud
    assert [p.login for p in world.playbooks] == [LOGIN] * len(world.playbooks) != []
