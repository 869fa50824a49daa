"""A restore in its order: nothing is stopped before everything that can fail did not, and every part may come twice."""

from __future__ import annotations

import datetime
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

import pytest

from reconciler import interrupt
from reconciler.adapters.backup_folder import BackupFolder
from reconciler.control import etcd_scripts, host_keys
from reconciler.control.restore import Restore, chosen, member
from reconciler.errors import Invalid, Permanent, ReconcilerError, Transient
from reconciler.model.backup import Backup
from reconciler.model.resource import Resource
from tests.unit.control.world import World

from .test_backups import Plain

BACKUP = Backup.parse("20261129T120000Z-7.db.age")
OLDER = Backup.parse("20261128T120000Z-5.db.age")
NOW = datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC)
SCRIPTS = {
    etcd_scripts.member(): "who",
    etcd_scripts.control_plane(): "check",
    etcd_scripts.stop_control_plane(): "stop api",
    etcd_scripts.start_control_plane(): "start api",
    etcd_scripts.stop_etcd(): "stop etcd",
    etcd_scripts.swap(): "swap",
    etcd_scripts.start_etcd(): "start etcd",
    etcd_scripts.await_etcd(): "await etcd",
    etcd_scripts.finish(): "finish",
    etcd_scripts.give_up(): "give up",
    etcd_scripts.nodes(): "nodes",
    etcd_scripts.restart_kubelet(): "kubelet",
}
PARTS = ["stop api", "stop etcd", "swap", "start etcd", "await etcd", "start api", "finish", "nodes"]


@dataclass
class Machines:
    """Remembers what ran; `fails` by the part's name."""

    fails: dict[str, ReconcilerError] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    answer: str = "etcd1 https://10.20.0.5:2380 k8s_etcd 4000000\n"
    sent: bytes = b""
    scripts: list[str] = field(default_factory=list)
    nodes: str = "node/demo-cp-1\nnode/demo-worker-1\nnode/demo-worker-2\n"
    anew: list[str] = field(default_factory=list)
    made: str = "Pod default web\n\x1b[2Jx y z\nConfigMap default a:b\n\n"

    def ask(self, _: str, __: Mapping[str, object], machine: str, script: str, *, seconds: float = 20) -> str:
        part = SCRIPTS.get(script, "stage" if "snapshot restore" in script else "since")
        self.ran.append(part)
        self.scripts.append(script)
        if part == "kubelet":
            self.anew.append(machine)
        if part in self.fails:
            raise self.fails.pop(part)
        return {"nodes": self.nodes, "who": self.answer, "since": self.made}.get(part, "")

    def receive(self, *_: object, **__: object) -> None:
        raise NotImplementedError

    def send(
        self,
        _: str,
        __: Mapping[str, object],
        machine: str,
        script: str,
        give: Callable[[IO[bytes]], None],
        *,
        seconds: float,
    ) -> None:
        self.ran.append("upload")
        pipe = io.BytesIO()
        give(pipe)
        self.sent = pipe.getvalue()


@pytest.fixture
def machines() -> Machines:
    return Machines()


@pytest.fixture
def restore(tmp_path: Path, machines: Machines) -> Restore:
    world = World(tmp_path)
    world.settle()
    folder = tmp_path / "backups"
    (folder / "p" / "demo").mkdir(parents=True)
    assert BACKUP is not None
    (folder / "p" / "demo" / BACKUP.name).write_bytes(b"snapshot")
    files = {path: text.decode() for path, text in world.files.items()}
    path = "desired/demo/cluster.yaml"
    backup = '"1.36.3"\n    backup: {to: folder}'
    world.take({**files, path: files[path].replace('"1.36.3"', backup)})
    tools = replace(
        world.cycle().tools, machines=machines, backup_store=lambda *_: BackupFolder(folder, "p"), cipher=Plain()
    )
    servers = [r for r in world.resources if r.kind == "server"]
    return Restore(world.desired, tools, servers)


def test_everything_is_ready_before_anything_stops(restore: Restore, machines: Machines) -> None:
    assert BACKUP is not None
    restore.run(BACKUP)
    assert machines.ran == ["who", "check", "upload", "stage", *PARTS]
    assert machines.sent == b"snapshot"
    assert "--initial-cluster etcd1=https://10.20.0.5:2380 " in next(
        s for s in machines.scripts if 'restoring" --' in s
    )
    assert not list(restore.tools.state.rglob("*.part"))


@pytest.mark.parametrize("part", ["who", "check", "stage"])
def test_what_fails_before_stops_nothing(restore: Restore, machines: Machines, part: str) -> None:
    assert BACKUP is not None
    machines.fails[part] = Permanent("no")
    with pytest.raises(Permanent, match=r"^no$"):
        restore.run(BACKUP)
    assert not set(machines.ran) & set(PARTS)


@pytest.mark.parametrize("part", PARTS[:-1])
def test_what_fails_in_the_middle_is_run_again_from_the_start(restore: Restore, machines: Machines, part: str) -> None:
    assert BACKUP is not None
    machines.fails[part] = Transient("gone")
    with pytest.raises(Transient, match="half-way: gone") as stopped:
        restore.run(BACKUP)
    assert f"reconciler restore demo {BACKUP.name}" in str(stopped.value.hint)
    machines.ran.clear()
    restore.run(BACKUP)
    assert machines.ran[-len(PARTS) :] == PARTS


def test_no_room_or_a_missing_machine_is_said_first(restore: Restore, machines: Machines) -> None:
    assert BACKUP is not None
    with pytest.raises(Permanent, match="there is no demo-cp-1"):
        replace(restore, servers=()).run(BACKUP)
    machines.answer = "etcd1 https://10.20.0.5:2380 k8s_etcd 0\n"
    with pytest.raises(Permanent, match="no room"):
        restore.run(BACKUP)
    assert not set(machines.ran) & set(PARTS)


@pytest.mark.parametrize("verb", ["run", "lost"])
def test_no_machine_is_asked_before_its_key_is_pinned(
    restore: Restore, machines: Machines, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    assert BACKUP is not None

    def refuse(*_: object) -> None:
        assert machines.ran == []
        raise Permanent("it is another machine")

    monkeypatch.setattr(host_keys, "pin", refuse)
    with pytest.raises(Permanent, match="it is another machine"):
        getattr(restore, verb)(BACKUP)


def test_a_machine_that_git_wants_no_more_is_not_left_with_the_old_etcd(restore: Restore, machines: Machines) -> None:
    assert BACKUP is not None
    names = ("demo-cp-2", "demo-etcd-1", "demo-etcd-x-1", "demo-cp-2-old", "other-cp-2")
    more = [Resource("server", name, {}, name) for name in names]
    with pytest.raises(Permanent, match="git does not want demo-cp-2, demo-etcd-1, whose etcd would go on"):
        replace(restore, servers=[*restore.servers, *more]).run(BACKUP)
    assert machines.ran == []


def test_a_lease_that_was_lost_while_all_was_prepared_stops_nothing(restore: Restore, machines: Machines) -> None:
    assert BACKUP is not None
    with interrupt.unless(certain=lambda: "the lease was lost"), pytest.raises(Transient, match="the lease was lost"):
        restore.run(BACKUP)
    assert machines.ran == ["who", "check", "upload", "stage", "give up"]


def test_a_machine_that_joined_after_the_snapshot_is_made_a_node_again(restore: Restore, machines: Machines) -> None:
    assert BACKUP is not None
    machines.nodes = "node/demo-cp-1\nnode/long-gone\n"
    restore.run(BACKUP)
    assert machines.anew == ["demo-worker-1", "demo-worker-2"]
    for part in ("nodes", "kubelet"):
        machines.fails[part] = Transient("it is off")
        restore.run(BACKUP)


def test_revisions_begin_where_no_client_was_before(restore: Restore, machines: Machines) -> None:
    assert BACKUP is not None
    replace(restore, clock=lambda: NOW).run(BACKUP)
    (stage,) = (script for script in machines.scripts if "snapshot restore" in script)
    assert f"--bump-revision {int(NOW.timestamp()) * 1000 - 7} " in stage


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "etcd1 https://10.20.0.5:2380 k8s_etcd\n",
        "--force https://10.20.0.5:2380 t 1\n",
        "a;reboot https://10.20.0.5:2380 t 1\n",
        "a https://10.20.0.5:2380,https://1.1.1.1:2380 t 1\n",
        "a https://$(reboot):2380 t 1\n",
        "a file:///etc/passwd:1 t 1\n",
        "a https://10.20.0.5:2380 t 1\nb https://10.20.0.6:2380 t 1\n",
        "a https://10.20.0.5:2380 'x' 1\n",
    ],
)
def test_what_is_no_member_reaches_no_command_line(answer: str) -> None:
    with pytest.raises(Permanent, match="does not say which member"):
        member("demo-etcd-1", answer)


def test_two_that_call_themselves_the_same_are_no_cluster() -> None:
    script = etcd_scripts.stage("a'b", "https://x:1", "t", ["a'b=https://x:1"], 7)
    assert "--name 'a'\"'\"'b'" in script


def test_what_is_lost_is_listed_as_far_as_it_is_text(restore: Restore, machines: Machines) -> None:
    assert BACKUP is not None
    assert restore.lost(BACKUP).objects == ("Pod default web", "ConfigMap default a:b")
    assert restore.lost(BACKUP).unseen == ""
    machines.made += f"{etcd_scripts.INCOMPLETE}\n"
    assert (len(restore.lost(BACKUP).objects), restore.lost(BACKUP).unseen[:10]) == (2, "some kinds")
    machines.made = "Pod default web\n" * 1000 + "\n"
    assert restore.lost(BACKUP).unseen == "there are too many"
    machines.fails["since"] = Transient("its API does not answer")
    assert restore.lost(BACKUP).unseen == "its API does not answer"


def test_one_is_chosen_by_its_name() -> None:
    assert BACKUP is not None
    assert OLDER is not None
    assert chosen([BACKUP, OLDER], "latest", NOW) == BACKUP
    assert chosen([OLDER, BACKUP], OLDER.name, NOW) == OLDER
    for name in ("20261127T120000Z-5.db.age", "../x", "", "LATEST"):
        with pytest.raises(Invalid, match="there is no backup"):
            chosen([OLDER], name, NOW)
    with pytest.raises(Invalid, match="no backup to restore"):
        chosen([], "latest", NOW)


@pytest.mark.parametrize("part", ["stop api", "stop etcd"])
def test_who_lost_the_lease_by_the_remotes_word_takes_nothing_more_away(
    restore: Restore, machines: Machines, part: str
) -> None:
    assert BACKUP is not None
    with (
        interrupt.unless(certain=lambda: "the lease was lost" if part in machines.ran else ""),
        pytest.raises(Transient, match=r"half-way: the lease was lost") as told,
    ):
        restore.run(BACKUP)
    assert machines.ran[-1] == part
    assert "reconciler restore demo" in str(told.value.hint)


@pytest.mark.parametrize("part", PARTS[:-2])  # behind the last but one nothing is left that must be
def test_who_slept_past_the_lease_starts_no_part_more(restore: Restore, machines: Machines, part: str) -> None:
    assert BACKUP is not None
    with (
        interrupt.unless(lambda: "the lease was lost" if part in machines.ran else ""),
        pytest.raises(Transient, match="the lease was lost"),
    ):
        restore.run(BACKUP)
    assert machines.ran[-1] == part


def test_a_remote_that_is_silent_while_all_is_put_back_keeps_nothing_down(restore: Restore, machines: Machines) -> None:
    assert BACKUP is not None
    with interrupt.unless(certain=lambda: "nobody can say" if "swap" in machines.ran else ""):
        restore.run(BACKUP)
    assert machines.ran[-len(PARTS) :] == PARTS


def test_who_lost_the_lease_removes_nothing_that_another_may_have_prepared(
    restore: Restore, machines: Machines
) -> None:
    assert BACKUP is not None
    machines.fails["stage"] = Permanent("no")
    with interrupt.unless(lambda: "the lease was lost" if "stage" in machines.ran else ""), pytest.raises(Permanent):
        restore.run(BACKUP)
    assert machines.ran[-1] == "stage"


def test_who_slept_past_the_lease_sends_nothing_over_what_another_prepares(
    restore: Restore, machines: Machines
) -> None:
    assert BACKUP is not None
    lost = interrupt.unless(lambda: "the lease was lost" if "check" in machines.ran else "")
    with lost, pytest.raises(Transient, match="the lease was lost"):
        restore.run(BACKUP)
    assert machines.ran == ["who", "check"]


def test_the_latest_is_none_of_the_future() -> None:
    odd = Backup(NOW.replace(year=9999), 7)
    assert BACKUP is not None
    assert chosen([BACKUP, odd], "latest", NOW) == BACKUP
    assert chosen([BACKUP, odd], odd.name, NOW) == odd
    with pytest.raises(Invalid, match="there is no backup 'latest'"):
        chosen([odd], "latest", NOW)


def test_the_latest_is_not_the_empty_one_that_took_its_place() -> None:
    assert BACKUP is not None
    empty = Backup(NOW, 3)
    with pytest.raises(Invalid, match=f"etcd began anew after {BACKUP.name}") as refused:
        chosen([BACKUP, empty], "latest", NOW)
    assert f"{empty.name} the newest since" in str(refused.value.hint)
    assert chosen([BACKUP, empty], BACKUP.name, NOW) == BACKUP
