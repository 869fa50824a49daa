"""Chosen drift becomes a branch, and nothing invalid ever does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.control.adopt import chosen_by, proposal, propose, shown
from reconciler.errors import Invalid
from reconciler.spec.adopt import Adoption
from reconciler.spec.edit import Edit
from tests.unit.control.world import World
from tests.unit.examples import FILE


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.settle()
    for number, r in enumerate(made.resources):
        if r.kind == "subnet":
            made.resources[number] = replace(r, fields={**r.fields, "dns_servers": ("192.0.2.53",)})
        if r.kind == "network":
            made.resources[number] = replace(r, fields={**r.fields, "admin_state_up": False})
    return made


def test_what_is_chosen_is_shown_and_proposed(world: World) -> None:
    change = proposal(world.cycle(), world.files)
    assert [a.file for a in change.adoptions] == [FILE]
    assert [x.difference.key.kind for x in change.left] == ["network"]
    assert "+    dnsServers:\n+      - 192.0.2.53\n" in shown(change)
    assert propose(change, world, change.branch, push=True) == "proposed"
    assert world.log == [f"propose {change.branch} on c0ffee: {FILE}"]
    assert "subnet demo dns_servers: drift" in change.message
    assert change.branch == proposal(world.cycle(), world.files).branch


def test_only_what_a_pattern_names(world: World) -> None:
    assert proposal(world.cycle(), world.files, ("server *",)).adoptions == ()
    assert len(proposal(world.cycle(), world.files, ("* dns_servers",)).adoptions) == 1
    (difference, *_) = world.cycle().check()[0].open
    assert chosen_by(difference, ())


def test_a_change_that_makes_git_invalid_is_refused(world: World) -> None:
    change = proposal(world.cycle(), world.files)
    wrong = Adoption((), FILE, (Edit(("spec", "network", "cidr"), "10.233.0.0/16"),), "nonsense")
    with pytest.raises(Invalid) as caught:
        propose(replace(change, adoptions=(wrong,)), world, "b", push=True)
    assert any("overlaps" in p.message for p in caught.value.problems)
    assert world.log == []
