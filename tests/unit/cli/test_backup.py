"""`reconciler backup` and `restore` as people and scripts meet them: lists, the name typed, exit codes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.adapters.backup_folder import BackupFolder
from reconciler.app import App
from reconciler.cli import backup
from reconciler.cli.context import Context
from reconciler.control.cycle import Cycle
from reconciler.control.login import servers_of
from reconciler.control.one_cycle import one_cycle
from reconciler.control.revision import Desired
from reconciler.control.toolkit import Toolkit
from reconciler.errors import Transient
from reconciler.model.desired import Cluster
from reconciler.model.resource import Resource
from tests.unit.control.test_backups import WANTED, Plain
from tests.unit.control.test_backups import Machines as Saving
from tests.unit.control.test_restore import PARTS, Machines
from tests.unit.control.world import FILES, World
from tests.unit.examples import FILE

from .conftest import Run

NAME = "20261124T120000Z-42.db.age"


class Both(Machines):
    """Machines that give snapshots, and take them."""

    receive = Saving().receive  # type: ignore[assignment]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)
    made.settle()
    made.take({**FILES, FILE: FILES[FILE].replace('    version: "1.36.3"\n', WANTED)})
    monkeypatch.setattr(Context, "fetch", lambda _: None)  # there is no clone, and the tests' own folder is none of it
    monkeypatch.setattr(Context, "mention_uncommitted", lambda *_: None)
    monkeypatch.setattr(App, "at", lambda *_: Desired("c0ffee", made.files, (made.desired,)))
    return made


@pytest.fixture
def machines(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Both:
    there, folder = Both(), tmp_path / "backups"
    folder.mkdir()

    def cycle(*_: object, **__: object) -> Cycle:
        cycle = world.cycle()
        store = BackupFolder(folder, "p")
        return replace(cycle, tools=replace(cycle.tools, machines=there, backup_store=lambda *_: store, cipher=Plain()))

    monkeypatch.setattr(App, "cycle", cycle)
    return there


def say(world: World, text: str) -> None:
    files = {path: content.decode() for path, content in world.files.items()}
    world.take({**files, FILE: f"{files[FILE]}  {text}\n"})


@pytest.mark.usefixtures("machines")
def test_one_is_taken_and_listed(run: Run) -> None:
    assert run("backup", "demo", "--list").out == "none yet\n"
    assert run("backup", "demo", "--list", "-o", "json").out == "[]\n"
    assert run("-q", "backup", "demo").out == f"demo: {NAME}\n"
    assert run("backup", "demo", "--list").out.startswith(f"{NAME}  ")
    (row,) = json.loads(run("backup", "demo", "--list", "-o", "json").out)
    assert row == {"name": NAME, "taken": "2026-11-24T12:00:00+00:00", "revision": 42}


@pytest.mark.usefixtures("machines")
def test_a_cluster_of_which_git_wants_none_has_none(run: Run, world: World) -> None:
    world.take(FILES)
    for verb in (("backup", "demo"), ("backup", "demo", "--list"), ("restore", "demo", "latest", "--yes", "demo")):
        said = run(*verb)
        assert (said.code, "git wants no backups of 'demo'" in said.err) == (1, True), said.err


def test_nobody_at_a_terminal_and_no_name_is_no(run: Run, machines: Both) -> None:
    run("-q", "backup", "demo")
    for words in ((), ("--yes", "physics")):
        said = run("restore", "demo", "latest", *words)
        assert said.code == 2
        assert "--yes demo" in said.err
    assert machines.ran == []


def test_it_can_only_be_said(run: Run, machines: Both) -> None:
    run("-q", "backup", "demo")
    said = run("restore", "demo", "latest", "--plan-only")
    assert said.code == 0
    assert "goes back to 2026-11-24 12:00:00 UTC (revision 42)" in said.out
    assert "Made since then, and lost: 2\n  Pod default web" in said.out
    assert "not taken from this machine" not in said.out
    assert not set(machines.ran) & set(PARTS)


def test_one_that_was_taken_elsewhere_is_said_to_be(run: Run, machines: Both, tmp_path: Path) -> None:
    run("-q", "backup", "demo")
    (record,) = tmp_path.rglob("backups.json")
    record.unlink()
    said = run("restore", "demo", "latest", "--plan-only")
    assert (said.code, "It was not taken from this machine" in said.out) == (0, True)
    assert not set(machines.ran) & set(PARTS)


def test_with_its_name_it_is_restored(run: Run, machines: Both) -> None:
    run("-q", "backup", "demo")
    said = run("-q", "restore", "demo", NAME, "--yes", "demo")
    assert said.code == 0, said.err
    assert machines.ran[-len(PARTS) :] == PARTS
    assert "reconciler plan demo says what differs now" in said.out


def test_which_machines_there_are_is_asked_once_others_are_kept_off(
    run: Run, machines: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("-q", "backup", "demo")
    kept_off: list[bool] = []

    def asked(cluster: Cluster, tools: Toolkit) -> Sequence[Resource]:
        try:
            with one_cycle(tools.state, cluster.name):
                kept_off.append(False)
        except Transient:
            kept_off.append(True)
        return servers_of(cluster, tools)

    monkeypatch.setattr(backup, "servers_of", asked)
    assert run("-q", "restore", "demo", NAME, "--yes", "demo").code == 0
    assert kept_off == [True]


@pytest.mark.parametrize("words", ["suspend: true", "mode: report", "lifecycle: destroy"])
def test_a_cluster_that_nobody_may_change_or_that_ends_is_not_restored(
    run: Run, world: World, machines: Both, words: str
) -> None:
    run("-q", "backup", "demo")
    say(world, words)
    said = run("restore", "demo", "latest", "--yes", "demo")
    assert (said.code, f"git says {words}" in said.err) == (4, True)
    assert "desired/demo/cluster.yaml:" in said.err
    assert machines.ran == []


def test_an_unknown_name_is_no_backup(run: Run, machines: Both) -> None:
    run("-q", "backup", "demo")
    said = run("restore", "demo", "../../etc/passwd", "--yes", "demo")
    assert (said.code, "there is no backup" in said.err) == (2, True)
    assert machines.ran == []
