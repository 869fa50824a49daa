"""What Nova, Glance and the quotas say, as fields: bounded, and only where there is something to say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.adapters.openstack import conditions, images, quotas
from reconciler.adapters.openstack.login import explain
from reconciler.errors import Permanent, Transient
from reconciler.model.naming import FAULT, IMAGE_ID, LOCKED, NEVER_RAN
from reconciler.model.quota import Allotment


def server(**said: Any) -> Any:
    return SimpleNamespace(**{"status": "ACTIVE", "is_locked": False, "fault": None, "launched_at": "2026", **said})


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ({}, {IMAGE_ID: "i"}),
        ({"is_locked": True}, {IMAGE_ID: "i", LOCKED: True}),
        ({"launched_at": None, "status": "BUILD"}, {IMAGE_ID: "i"}),
        ({"status": "ERROR", "launched_at": None}, {IMAGE_ID: "i", NEVER_RAN: True}),
        (
            {"status": "ERROR", "fault": {"message": "No valid host\nTraceback"}},
            {IMAGE_ID: "i", FAULT: "No valid host"},
        ),
    ],
)
def test_a_servers_condition(said: dict[str, Any], fields: dict[str, Any]) -> None:
    assert conditions.of(server(**said), "i") == fields


def test_a_server_that_no_list_shows_is_found_by_the_port_it_holds() -> None:
    def port(device: str, owner: str = "compute:nova") -> Any:
        return SimpleNamespace(device_id=device, device_owner=owner)

    there = {"soft": server(status="SOFT_DELETED"), "odd": server(status="ACTIVE")}
    asked: list[str] = []

    def fetch(id: str) -> Any:
        asked.append(id)
        return there.get(id)

    ports = [port("listed"), port("soft"), port("odd"), port("gone"), port("router", "network:router_interface")]
    found = conditions.unlisted(ports, [SimpleNamespace(id="listed")], fetch)
    assert (found, asked) == ([there["soft"]], ["gone", "odd", "soft"])


def test_only_images_that_make_machines_are_offered_the_newest_first() -> None:
    def image(name: str, made: str, status: str = "active") -> Any:
        return SimpleNamespace(name=name, created_at=made, status=status, id=f"{name}{made}")

    listed = [image("a", "1"), image("a", "3", "deactivated"), image("a", "2"), image("b", "1", "queued")]
    assert [i.id for i in images.usable(listed)] == ["a2", "a1"]


def test_a_quota_is_what_could_be_asked() -> None:
    limits = SimpleNamespace(
        instances=10, instances_used=3, total_cores=-1, total_cores_used=6, total_ram="?", total_ram_used=1
    )

    def refused(*_: Any, **__: Any) -> Any:
        raise RuntimeError("403")

    connection = SimpleNamespace(
        compute=SimpleNamespace(get_limits=lambda: SimpleNamespace(absolute=limits)),
        network=SimpleNamespace(get=refused),
        current_project_id="p",
        endpoint_for=lambda service: None,
    )
    assert quotas.quota(connection) == {"instances": Allotment(3, 10), "cores": Allotment(6, -1)}


class Conflict(Exception):
    http_status = 409


@pytest.mark.parametrize(
    ("said", "error", "hint"),
    [
        ("Instance 0b1c is locked", Permanent, "openstack server unlock"),
        ("Cannot 'delete' instance 0b1c while it is in vm_state soft-delete", Permanent, "openstack server restore"),
        ("Load balancer 0b1c is immutable and cannot be updated", Transient, "try again"),
    ],
)
def test_a_lasting_refusal_is_told_from_a_passing_one(said: str, error: type[Exception], hint: str) -> None:
    told = explain("sandbox", Conflict(said))
    assert type(told) is error
    assert hint in (told.hint or "")


def test_only_servers_in_error_without_a_word_are_asked_for_by_id() -> None:
    told = {"message": "No valid host"}
    servers = [
        server(id="a"),
        server(id="b", status="ERROR", fault=told),
        server(id="c", status="ERROR"),
        server(id="d", status="ERROR"),
    ]
    asked: list[str] = []

    def fetch(id: str) -> Any:
        asked.append(id)
        return server(id=id, status="ERROR", fault=told) if id == "c" else None

    found = conditions.with_faults(servers, fetch)
    assert asked == ["c", "d"]
    assert [(s.id, s.fault) for s in found] == [("a", None), ("b", told), ("c", told), ("d", None)]


@pytest.mark.parametrize(
    ("status", "task", "shown"),
    [
        ("ACTIVE", None, "ACTIVE"),
        ("ACTIVE", "deleting", "DELETING"),
        ("SHUTOFF", "deleting", "DELETING"),
        ("ACTIVE", "soft-deleting", "DELETING"),
        ("ACTIVE", "rebooting", "ACTIVE"),
    ],
)
def test_a_server_on_its_way_out_is_not_active(status: str, task: str | None, shown: str) -> None:
    assert conditions.status(server(status=status, task_state=task)) == shown


def test_without_a_task_the_status_is_novas() -> None:
    assert conditions.status(server()) == "ACTIVE"
