"""Snapshots in a cycle: taken where one is due, before what risks etcd, and never from what a machine only claims."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

import pytest

from reconciler import interrupt
from reconciler.adapters.backup_folder import BackupFolder
from reconciler.control.backups import Backups, check_whole, received, vouched
from reconciler.control.board import Board, last_of
from reconciler.control.cycle import Cycle
from reconciler.engine.schedule import Slot, Trigger
from reconciler.errors import Invalid, Permanent, ReconcilerError, Transient
from reconciler.model.backup import Backup
from reconciler.model.change import Severity
from reconciler.model.host_key import Source
from reconciler.model.outcome import Outcome
from reconciler.serve.metrics import Metrics
from tests.unit.control.world import FILES, World
from tests.unit.engine.test_host_keys import block, ed25519
from tests.unit.examples import FILE

WANTED = '    version: "1.36.3"\n    backup: {schedule: 6h, keep: 2, to: folder}\n'
SNAPSHOT = b"\0etcd\xff" * 1000


def sent(data: bytes = SNAPSHOT, *, size: int | None = None, digest: str = "", status: str = "") -> bytes:
    """What a machine prints."""
    said = digest or hashlib.sha256(data).hexdigest()
    text = status or json.dumps({"hash": 1, "revision": 42, "totalKey": 3, "totalSize": 4})
    return f"reconciler-snapshot {len(data) if size is None else size} {said} {text}\n".encode() + data


class Plain:
    """No encryption."""

    def encrypt(self, clear: IO[bytes], encrypted: IO[bytes]) -> None:
        while piece := clear.read(512):
            encrypted.write(piece)

    def decrypt(self, encrypted: IO[bytes], clear: Callable[[bytes], None]) -> None:
        clear(encrypted.read())


@dataclass
class Machines:
    """Machines that print `answer`, or fail; asked in turn."""

    answer: bytes = field(default_factory=sent)
    error: ReconcilerError | None = None
    asked: list[str] = field(default_factory=list)

    def ask(self, *_: object, **__: object) -> str:
        raise NotImplementedError

    def send(self, *_: object, **__: object) -> None:
        raise NotImplementedError

    def receive(
        self,
        cluster: str,
        inventory: Mapping[str, object],
        machine: str,
        script: str,
        take: Callable[[IO[bytes]], None],
        *,
        seconds: float,
    ) -> None:
        self.asked.append(machine)
        if self.error:
            raise self.error
        take(io.BytesIO(self.answer))


@dataclass
class Scene:
    world: World
    machines: Machines
    folder: Path

    def cycle(self) -> Cycle:
        cycle = self.world.cycle()
        tools = replace(
            cycle.tools, machines=self.machines, backup_store=lambda *_: BackupFolder(self.folder, "p"), cipher=Plain()
        )
        return replace(cycle, tools=tools)

    def reconcile(self) -> Outcome:
        return self.cycle().reconcile()[0]

    def names(self) -> list[str]:
        return sorted(file.name for file in (self.folder / "p" / "demo").glob("*"))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    world = World(tmp_path)
    world.settle()
    world.take({**FILES, FILE: FILES[FILE].replace('    version: "1.36.3"\n', WANTED)})
    folder = tmp_path / "backups"
    folder.mkdir()
    return Scene(world, Machines(), folder)


def upgraded(world: World) -> None:
    files = {path: text.decode() for path, text in world.files.items()}
    world.take({**files, FILE: files[FILE].replace('"1.36.3"', '"1.36.4"')})


def notice(outcome: Outcome) -> tuple[Severity, str]:
    return next((d.severity, d.why) for d in outcome.after.notices if d.key.kind == "backup")


def test_one_that_is_due_is_taken_beside_a_cluster_that_is_in_sync(scene: Scene) -> None:
    outcome = scene.reconcile()
    assert (outcome.status, outcome.steps) == ("in sync", ())
    (name,) = scene.names()
    assert name == "20261124T120000Z-42.db.age"
    assert notice(outcome) == (
        Severity.INFO,
        f"the newest snapshot of etcd is {name}, taken 2026-11-24 12:00 UTC; the schedule is 6h",
    )
    scene.reconcile()
    assert len(scene.machines.asked) == 1, "it is young"


def test_a_look_takes_none_and_says_what_there_is(scene: Scene) -> None:
    plan, _ = scene.cycle().check()
    assert [d.severity for d in plan.notices] == [Severity.HIGH]
    assert plan.in_sync
    assert scene.machines.asked == []


def test_a_suspended_cluster_is_left_alone(scene: Scene) -> None:
    files = {path: text.decode() for path, text in scene.world.files.items()}
    scene.world.take({**files, FILE: files[FILE] + "  suspend: true\n"})
    assert scene.reconcile().status == "suspended"
    assert scene.machines.asked == []


def test_one_that_fails_is_said_and_the_cluster_is_in_sync(scene: Scene) -> None:
    scene.machines.error = Transient("it is off")
    outcome = scene.reconcile()
    assert outcome.status == "in sync"
    assert notice(outcome) == (Severity.HIGH, "there is no snapshot of etcd, and none could be taken: it is off")


def test_before_an_upgrade_one_is_taken_however_young_the_newest_is(scene: Scene) -> None:
    scene.reconcile()
    scene.machines.asked.clear()
    upgraded(scene.world)
    scene.reconcile()
    assert len(scene.machines.asked) == 1
    assert [p.name for p in scene.world.playbooks] == ["upgrade-cluster.yml"]


def test_an_upgrade_waits_for_a_snapshot_that_fails_until_somebody_lets_it(scene: Scene) -> None:
    scene.reconcile()
    upgraded(scene.world)
    scene.machines.error = Permanent("no room")
    outcome = scene.reconcile()
    (refusal,) = outcome.after.refusals
    assert (outcome.status, refusal.guard, scene.world.playbooks) == ("blocked", "backup", [])
    assert "without a snapshot of etcd, which could not be taken: no room" in refusal.message
    digest = refusal.approval.partition("plan: '")[2].partition("'")[0]
    scene.world.approve(digest, "backup")
    scene.reconcile()
    assert [p.name for p in scene.world.playbooks] == ["upgrade-cluster.yml"]


def test_only_as_many_stay_as_git_says_and_nothing_of_others_goes(scene: Scene) -> None:
    scene.reconcile()
    (scene.folder / "p" / "demo" / "notes.txt").write_text("mine")
    backups = Backups(scene.world.desired, scene.cycle().tools, lambda: scene.world.now)
    old = [Backup(scene.world.now.replace(day=day), day) for day in (1, 2, 3)]
    for each in old:
        (scene.folder / "p" / "demo" / each.name).write_bytes(b"x")
    scene.world.now = scene.world.now.replace(hour=23)
    taken = backups.take(scene.world.resources)
    assert scene.names() == ["20261124T120000Z-42.db.age", taken.name, "notes.txt"]


def test_who_lost_the_lease_takes_none_and_removes_none(scene: Scene) -> None:
    backups = Backups(scene.world.desired, scene.cycle().tools, lambda: scene.world.now)
    old = [Backup(scene.world.now.replace(day=day), day).name for day in (1, 2, 3)]
    (scene.folder / "p" / "demo").mkdir(parents=True)
    for name in old:
        (scene.folder / "p" / "demo" / name).write_bytes(b"x")
    with interrupt.unless(certain=lambda: "the lease was lost"), pytest.raises(Transient, match="was lost"):
        backups.take(scene.world.resources)
    assert (scene.machines.asked, scene.names()) == ([], old)
    lost_meanwhile = interrupt.unless(lambda: "the lease was lost" if scene.machines.asked else "")
    with lost_meanwhile, pytest.raises(Transient, match="was lost"):
        backups.take(scene.world.resources)
    assert (len(scene.machines.asked), scene.names()) == (1, old)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "sent no snapshot"),
        (b"Welcome to Ubuntu\n", "sent no snapshot"),
        (sent()[:-1], "cut off"),
        (sent() + b"x", "sent more"),
        (sent(digest="0" * 64), "cut off"),
        (sent(size=10**11), "more than 16 GiB"),
        (sent(status='{"revision": "42"}'), "no revision"),
        (sent(status='{"revision": true}'), "no revision"),
        (sent(status='{"revision": -1}'), "no revision"),
        (sent(status="{" + "[" * 1500 + "}"), "no revision"),
        (sent(status='{"a": "' + "a" * 5000 + '"}'), "sent no snapshot"),
    ],
)
def test_what_is_no_whole_snapshot_is_never_kept(scene: Scene, answer: bytes, error: str) -> None:
    scene.machines.answer = answer
    with pytest.raises((Transient, Permanent), match=error):
        received(io.BytesIO(answer), lambda clear: Plain().encrypt(clear, io.BytesIO()))
    scene.reconcile()
    assert scene.names() == []
    assert not list(scene.cycle().tools.state.rglob("*.part"))


def test_a_file_that_is_another_than_was_kept_is_known(scene: Scene, tmp_path: Path) -> None:
    scene.reconcile()
    (name,) = scene.names()
    backup, state = Backup.parse(name), scene.cycle().tools.state
    assert backup is not None
    assert list(vouched(state, "demo")) == [name]
    assert check_whole(state, "demo", backup, scene.folder / "p" / "demo" / name)
    other = tmp_path / "other"
    other.write_bytes(b"another cluster's")
    with pytest.raises(Permanent, match="is not the file that was kept"):
        check_whole(state, "demo", backup, other)
    assert not check_whole(state, "demo", replace(backup, revision=1), other)


def test_a_daemons_status_and_metrics_say_when_it_was_taken(scene: Scene) -> None:
    board = Board()
    board.scheduled("demo", Slot(600.0, 0.0), 0.0)
    board.ended("demo", last_of(scene.reconcile(), Trigger.CHECK, "c0ffee", 1.0, ""), "")
    (entry,) = board.document()["clusters"]
    assert entry["last"]["backup"] == "2026-11-24T12:00:00.000Z"
    told = 'reconciler_backup_timestamp_seconds{cluster="demo"} 1.7955216e+09'
    assert told in Metrics([board], lambda: 0).page().decode()


def test_a_folder_that_is_not_there_is_not_one_without_backups(scene: Scene) -> None:
    scene.folder.rmdir()
    outcome = scene.reconcile()
    assert scene.machines.asked == []
    assert "not known: there is no folder" in notice(outcome)[1]


def test_where_the_settings_say_nothing_that_is_said(scene: Scene) -> None:
    cycle = scene.world.cycle()
    plan, _ = cycle.check()
    assert "there is no place for backups here" in plan.notices[0].why
    with pytest.raises(Invalid, match="no place for backups"):
        cycle.backups.store()


def test_a_snapshot_of_a_cluster_that_ends_takes_no_others_along(scene: Scene) -> None:
    scene.reconcile()
    scene.world.now = scene.world.now.replace(hour=23)
    backups = Backups(scene.world.desired, scene.cycle().tools, lambda: scene.world.now, off=True)
    taken = backups.take(scene.world.resources)
    assert scene.names() == ["20261124T120000Z-42.db.age", taken.name]
    assert backups.notices() == ()


def test_a_disk_without_room_here_is_said_and_asks_no_other_member(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Plain, "encrypt", full)
    outcome = scene.reconcile()
    assert outcome.status == "in sync"
    assert "none could be taken: cannot write" in notice(outcome)[1]
    assert "No space left on device" in notice(outcome)[1]
    assert len(scene.machines.asked) == 1


def test_an_old_one_that_stays_is_no_failure_of_the_new_one(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object) -> None:
        raise Transient("it is locked")

    monkeypatch.setattr(BackupFolder, "delete", locked)
    for hour in (1, 8, 15):
        scene.world.now = scene.world.now.replace(hour=hour)
        outcome = scene.reconcile()
    assert len(scene.names()) == 3
    assert notice(outcome)[0] is Severity.INFO


def test_a_machine_that_was_never_met_is_asked_by_the_key_its_console_has(scene: Scene, tmp_path: Path) -> None:
    world = scene.world
    servers = [r for r in world.resources if r.kind == "server"]
    world.consoles[servers[0].id] = block(ed25519(1))
    world.known_hosts.clear()
    tools = replace(scene.cycle().tools, state=tmp_path / "elsewhere")
    scene.machines.error = Transient("it is another one")
    with pytest.raises(Transient):
        Backups(world.desired, tools, lambda: world.now).take(servers)
    assert [v.source for v in world.known_hosts.values()] == [Source.CONSOLE]
