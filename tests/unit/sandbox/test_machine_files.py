"""Nova's side of the machines: every server has one whole file and an address nobody else has."""

from __future__ import annotations

import importlib.util
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox.openstack.environment import GUEST


@pytest.fixture(scope="module")
def guest() -> Any:
    """The module as the other environment's interpreter would import it."""
    spec = importlib.util.spec_from_file_location("machine_files", GUEST / "machine_files.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def files(guest: Any, tmp_path: Path) -> Any:
    return guest.MachineFiles(tmp_path, "127.10.0.0/28")


def read(folder: Path, id: str) -> dict[str, Any]:
    return dict(json.loads((folder / f"{id}.json").read_text()))


def test_the_file_is_what_the_daemon_reads(files: Any, tmp_path: Path) -> None:
    files.add("a", name="w-1", authorized_keys=["ssh-ed25519 A"], metadata={"k": "v"})
    assert read(tmp_path, "a") == {
        "id": "a",
        "name": "w-1",
        "address": "127.10.0.2",
        "port": 2222,
        "user": "cloud",
        "authorized_keys": ["ssh-ed25519 A"],
        "power": "on",
        "boots": 0,
        "metadata": {"k": "v"},
    }


def test_the_first_free_address_is_taken_and_the_ends_are_not(files: Any) -> None:
    taken = [files.add(str(number)) for number in range(13)]
    assert taken == [f"127.10.0.{last}" for last in range(2, 15)]
    with pytest.raises(RuntimeError, match="no address is left"):
        files.add("one too many")
    files.remove("4")
    assert files.add("next") == "127.10.0.6"


def test_adding_again_changes_nothing(files: Any, tmp_path: Path) -> None:
    address = files.add("a", name="w-1")
    files.reboot("a")
    assert files.add("a", name="w-1") == address
    assert read(tmp_path, "a")["boots"] == 1


@pytest.mark.parametrize(("wanted", "given"), [(9, 9), (2, 3), (1, 3), (15, 3)])
def test_a_wanted_address_is_given_if_it_is_free_and_ours(files: Any, wanted: int, given: int) -> None:
    files.add("first")
    assert files.add("second", wanted_address=f"127.10.0.{wanted}") == f"127.10.0.{given}"


def test_servers_made_at_once_get_different_addresses(guest: Any, tmp_path: Path) -> None:
    hosts = [guest.MachineFiles(tmp_path, "127.10.0.0/24") for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda number: hosts[number % 4].add(str(number)), range(100)))
    assert len(set(given)) == 100
    assert {read(tmp_path, str(number))["address"] for number in range(100)} == set(given)


def test_power(files: Any, tmp_path: Path) -> None:
    files.add("a")
    files.change("a", power="off")
    assert read(tmp_path, "a")["power"] == "off"
    files.reboot("a")
    assert (read(tmp_path, "a")["power"], read(tmp_path, "a")["boots"]) == ("on", 1)


def test_a_machine_that_is_gone_does_not_come_back(files: Any, tmp_path: Path) -> None:
    files.add("a")
    files.remove("a")
    files.remove("a")
    files.change("a", power="off")
    files.reboot("a")
    assert list(tmp_path.iterdir()) == []


def test_what_a_crash_left_is_cleared(files: Any, tmp_path: Path) -> None:
    files.add("lives")
    files.add("deleted")
    (tmp_path / "half.tmp").write_text("{")
    files.keep_only({"lives", "not yet made"})
    assert [path.name for path in tmp_path.iterdir()] == ["lives.json"]
