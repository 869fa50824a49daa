"""Machines answer a script of root's over SSH, through a bastion too, within bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.adapters.kubespray import Given, Kubespray
from reconciler.errors import Permanent, Transient

from .fleet import PORT, Fleet

pytestmark = pytest.mark.live


def inventory(fleet: Fleet, *names: str, bastion: str = "") -> dict[str, object]:
    def host(name: str) -> dict[str, object]:
        return {"ansible_host": fleet.address(name), "ansible_port": PORT, "ansible_user": "cloud"}

    children: dict[str, object] = {"kube_control_plane": {"hosts": {name: {} for name in names}}}
    if bastion:
        children["bastion"] = {"hosts": {bastion: host(bastion)}}
    return {"all": {"hosts": {name: host(name) for name in names}, "children": children}}


@pytest.fixture
def kubespray(fleet: Fleet, tmp_path: Path) -> Kubespray:
    given = Given(tmp_path / "playbooks", tmp_path / "cache")
    return Kubespray(given, state=tmp_path / "state", private_key=fleet.key, timeout=60, environment={})


def test_roots_paths_are_the_machines_own(fleet: Fleet, kubespray: Kubespray) -> None:
    for name in ("m-1", "m-2"):
        fleet.put(name)
    hosts = inventory(fleet, "m-1", bastion="m-2")
    script = "cat /var/lib/cloud/data/instance-id; test -e /etc/kubernetes/admin.conf || echo none"
    assert kubespray.ask("demo", hosts, "m-1", script) == f"{fleet.id('m-1')}\nnone\n"


def test_who_does_not_answer_is_told_from_who_says_no(fleet: Fleet, kubespray: Kubespray) -> None:
    fleet.put("m-1")
    hosts = inventory(fleet, "m-1", "m-3")
    with pytest.raises(Permanent, match="m-1 could not answer: nobody home") as refused:
        kubespray.ask("demo", hosts, "m-1", "echo nobody home >&2; exit 3")
    assert not isinstance(refused.value, Transient)
    with pytest.raises(Transient, match=r"m-3 can't be asked over SSH: .*refused"):
        kubespray.ask("demo", hosts, "m-3", "true")
    with pytest.raises(Permanent, match=r"more than 1 MiB$"):
        kubespray.ask("demo", hosts, "m-1", "head -c 3000000 /dev/zero")
    with pytest.raises(Permanent, match="m-9 has no server"):
        kubespray.ask("demo", hosts, "m-9", "true")
