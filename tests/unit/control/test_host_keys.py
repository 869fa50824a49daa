"""Whose word counts for a machine's host key: a verified record's, its console's, and else the first answer's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.control import host_keys
from reconciler.errors import Transient
from reconciler.model.host_key import Source, Vouched, machines, parse
from reconciler.model.resource import Resource
from tests.unit.control.test_executor import altered, nodes_of
from tests.unit.control.world import World
from tests.unit.engine.test_host_keys import block, ed25519

PLACE = ("192.0.2.7", 22)
SERVER = Resource("server", "demo-cp-1", {"address": PLACE[0]}, "id-1", "demo")


def vouched(filling: int, source: Source) -> Vouched:
    key = parse(ed25519(filling))
    assert key
    return Vouched(machines([key]), source)


def record(filling: int, id: str = "id-1") -> dict[str, str]:
    return {"demo/hosts.yaml": f"{id}:\n  keys: [{ed25519(filling)}]\n  source: contact\n"}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(host_keys, "_BOOT_SECONDS", 0.0)
    monkeypatch.setattr(host_keys, "_POLL_SECONDS", 0.0)
    return World(tmp_path)


def pin(world: World, *servers: Resource) -> None:
    host_keys.pin(world.desired.cluster, servers or (SERVER,), world.cycle().tools)


def notices(world: World, server: Resource = SERVER) -> int:
    return len(host_keys.notices(world.desired.cluster, (server,), world.cycle().tools))


def recorded(world: World, there: bytes = b"", server: Resource = SERVER) -> str:
    return host_keys.text(world.desired.cluster, (server,), world.cycle().tools, there)


def test_the_console_is_asked_once_and_comes_before_the_first_contact(world: World) -> None:
    world.consoles["id-1"] = block(ed25519(1))
    for _ in range(2):
        pin(world)
    assert world.known_hosts == {PLACE: vouched(1, Source.CONSOLE)}
    assert world.consoles_asked == ["id-1"]
    assert notices(world) == 0
    assert ed25519(1) in recorded(world)


def test_known_hosts_that_is_lost_comes_back_from_memory(world: World) -> None:
    world.consoles["id-1"] = block(ed25519(1))
    pin(world)
    world.known_hosts.clear()
    pin(world)
    assert world.known_hosts == {PLACE: vouched(1, Source.CONSOLE)}


def test_what_a_person_writes_into_known_hosts_stands(world: World) -> None:
    world.consoles["id-1"] = block(ed25519(1))
    pin(world)
    world.known_hosts[PLACE] = vouched(5, Source.CONTACT)
    pin(world)
    assert world.known_hosts == {PLACE: vouched(5, Source.CONTACT)}


def test_a_verified_record_comes_first_and_an_unverified_one_never(world: World) -> None:
    world.recorded_state = record(2)
    world.consoles["id-1"] = block(ed25519(1))
    pin(world)
    assert world.known_hosts == {PLACE: vouched(1, Source.CONSOLE)}
    world.records_signed = True
    pin(world)
    assert world.known_hosts == {PLACE: vouched(2, Source.RECORD)}


def test_a_verified_record_of_another_server_says_nothing_of_this_one(world: World) -> None:
    world.recorded_state, world.records_signed = record(2, "id-0"), True
    pin(world)
    assert world.known_hosts == {}


def test_a_first_contact_is_told_until_it_stands_in_a_verified_record(world: World) -> None:
    pin(world)
    world.known_hosts[PLACE] = vouched(3, Source.CONTACT)  # ssh learned it
    assert notices(world) == 1
    world.recorded_state = {"demo/hosts.yaml": recorded(world)}
    assert notices(world) == 1  # anybody may have pushed that
    world.records_signed = True
    assert notices(world) == 0


def test_who_is_known_from_a_first_contact_only_has_its_console_asked_once_more(world: World) -> None:
    world.known_hosts[PLACE] = vouched(3, Source.CONTACT)  # by an earlier version, or before the console had it
    assert notices(world) == 1
    world.consoles["id-1"] = block(ed25519(1))
    pin(world)
    assert world.known_hosts == {PLACE: vouched(1, Source.CONSOLE)}
    assert notices(world) == 0


def test_a_console_that_says_nothing_is_not_asked_for_ever(world: World) -> None:
    world.known_hosts[PLACE] = vouched(3, Source.CONTACT)
    for _ in range(3):
        pin(world)
    assert world.consoles_asked == ["id-1"]


def test_a_server_made_again_at_the_same_address_is_another(world: World) -> None:
    world.consoles["id-1"] = block(ed25519(1))
    pin(world)
    again = replace(SERVER, id="id-2")
    assert notices(world, again) == 0  # the key is of who had the address before
    assert "id-2" not in recorded(world, server=again)
    world.consoles["id-2"] = block(ed25519(2))
    pin(world, again)
    assert world.known_hosts == {PLACE: vouched(2, Source.CONSOLE)}


OTHER = Resource("server", "demo-cp-2", {"address": "192.0.2.8"}, "id-2", "demo")


def test_only_who_boots_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log of a machine that runs for long has lost its beginning: nothing more will be printed there."""
    world.consoles["id-1"] = "login: "
    monkeypatch.setattr(host_keys, "_BOOT_SECONDS", 0.05)
    tools = world.cycle().tools
    host_keys.pin(world.desired.cluster, (SERVER,), tools)
    assert len(world.consoles_asked) == 1
    host_keys.pin(world.desired.cluster, (SERVER,), tools, booting=[SERVER.name])
    assert len(world.consoles_asked) > 2


def test_only_who_is_going_to_be_asked_has_its_console_read(world: World) -> None:
    tools = world.cycle().tools
    host_keys.pin(world.desired.cluster, (SERVER, OTHER), tools, names=[OTHER.name])
    assert world.consoles_asked == ["id-2"]


def test_a_key_goes_with_its_server_to_another_address_and_is_not_the_next_ones_there(world: World) -> None:
    """A floating IP that was moved."""
    world.known_hosts[PLACE] = vouched(1, Source.CONTACT)
    pin(world)
    moved, next_there = replace(SERVER, fields={"address": "192.0.2.9"}), replace(OTHER, fields=SERVER.fields)
    tools = world.cycle().tools
    assert "id-2" not in host_keys.learned(world.desired.cluster, (moved, next_there), tools)
    host_keys.pin(world.desired.cluster, (moved, next_there), tools, names=[OTHER.name])
    assert world.known_hosts == {("192.0.2.9", 22): vouched(1, Source.CONTACT)}
    world.known_hosts[PLACE] = vouched(2, Source.CONTACT)  # ssh learned it
    pin(world, moved, next_there)
    known = host_keys.learned(world.desired.cluster, (moved, next_there), tools)
    assert {id: k.vouched for id, k in known.items()} == {
        "id-1": vouched(1, Source.CONTACT),
        "id-2": vouched(2, Source.CONTACT),
    }


def test_two_that_exchanged_their_addresses_keep_their_keys(world: World) -> None:
    world.known_hosts = {PLACE: vouched(1, Source.CONTACT), ("192.0.2.8", 22): vouched(2, Source.CONTACT)}
    pin(world, SERVER, OTHER)
    pin(world, replace(SERVER, fields=OTHER.fields), replace(OTHER, fields=SERVER.fields))
    assert world.known_hosts == {PLACE: vouched(2, Source.CONTACT), ("192.0.2.8", 22): vouched(1, Source.CONTACT)}


def test_of_a_record_that_is_there_only_what_is_verified_is_signed_again(world: World) -> None:
    foreign = record(9)["demo/hosts.yaml"].encode()
    assert ed25519(9) in recorded(world, foreign)  # unsigned: nobody believes it for our sake
    world.signing = True
    assert recorded(world, foreign) == ""
    world.records_signed = True
    assert ed25519(9) in recorded(world, foreign)
    assert recorded(world, foreign, replace(SERVER, id="id-2")) == ""


def test_servers_that_cannot_be_listed_are_remembered_as_they_were(world: World) -> None:
    world.consoles["id-1"] = block(ed25519(1))
    pin(world)
    there = recorded(world).encode()
    tools = world.cycle().tools
    host_keys.pin(world.desired.cluster, (), tools)
    host_keys.pin(world.desired.cluster, (replace(SERVER, fields={}),), tools)  # without an address for a moment
    assert host_keys.text(world.desired.cluster, (), tools, there) == there.decode()
    assert world.known_hosts == {PLACE: vouched(1, Source.CONSOLE)}


def test_a_state_folder_that_cannot_be_written_stops_no_plan(world: World) -> None:
    world.known_hosts[PLACE] = vouched(3, Source.CONTACT)
    world.cycle().tools.state.write_text("no folder")
    assert notices(world) == 1
    with pytest.raises(Transient, match="cannot write"):
        pin(world)


@pytest.mark.parametrize(
    "content",
    [
        "- list",
        "id-1: {keys: []}",
        "id-1: {keys: [ssh-ed25519 AAAA]}",
        f"id-1: {{keys: [{ed25519(1)}, {ed25519(2)}]}}",
        f"'../id': {{keys: [{ed25519(1)}]}}",
        "id-1: {keys: ['" + "A" * 5000 + "']}",
        f"id-1: {{keys: [{ed25519(1)}], source: root}}",
        "id-1: *x",
    ],
)
def test_a_record_with_anything_else_counts_as_none(content: str) -> None:
    doubts: list[str] = []
    assert host_keys.read(content.encode(), doubts.append) == {}
    assert doubts


def test_a_cycle_pins_before_its_playbook_and_records_what_it_pinned(world: World) -> None:
    world.settle()
    altered(world, "server", "demo-worker-1", id="new", address="192.0.2.77")
    world.consoles["new"] = block(ed25519(4))
    world.cycle().reconcile()
    assert world.known_hosts[("192.0.2.77", 22)] == vouched(4, Source.CONSOLE)
    assert ed25519(4) in world.recorded[-1][0]["demo/hosts.yaml"]


def test_facts_are_gathered_of_whom_they_lack_and_of_nobody_else(world: World) -> None:
    world.settle()
    world.nodes = [replace(n, fields={**n.fields, "ready": n.name != "demo-worker-1"}) for n in nodes_of(world)]
    world.cached_facts = {"demo-cp-1", "demo-cp-2", "demo-cp-3", "demo-worker-2"}
    world.cycle().reconcile()
    assert [(p.name, p.limit) for p in world.playbooks[-2:]] == [
        ("facts.yml", ("demo-worker-1",)),
        ("scale.yml", ("demo-worker-1",)),
    ]


def test_no_facts_are_gathered_where_none_are_missing(world: World) -> None:
    world.settle()
    world.nodes = [replace(n, fields={**n.fields, "ready": n.name != "demo-worker-1"}) for n in nodes_of(world)]
    world.cached_facts = {r.name for r in world.resources if r.kind == "server"}
    before = len(world.playbooks)
    world.cycle().reconcile()
    assert [p.name for p in world.playbooks[before:]] == ["scale.yml"]
