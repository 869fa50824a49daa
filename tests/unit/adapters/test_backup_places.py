"""Where snapshots are kept and how they are encrypted: folder, object storage (with one of our own beside), age."""

from __future__ import annotations

import io
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import openstack.exceptions
import pyrage
import pytest
from pydantic import ValidationError

from reconciler.adapters.age import Age
from reconciler.adapters.backup_folder import BackupFolder
from reconciler.adapters.openstack import containers
from reconciler.adapters.openstack.containers import BackupContainers, container
from reconciler.connections import Connections
from reconciler.errors import Invalid, Permanent, Transient
from reconciler.model.backup import Backup
from reconciler.model.desired import Backups
from reconciler.ports import BackupStore
from reconciler.settings import BackupPlaces, Settings

BACKUP = Backup.parse("20261129T120000Z-7.db.age")
assert BACKUP is not None
KEY = "age1" + "q" * 58


@dataclass
class Storage:
    """Swift, as the SDK shows it. `full` says why nothing can be put."""

    containers: dict[str, dict[str, bytes]] = field(default_factory=dict)
    full: Exception | None = None

    def objects(self, container: str) -> Iterator[SimpleNamespace]:
        if container not in self.containers:
            raise openstack.exceptions.NotFoundException("no such container")
        yield from (SimpleNamespace(name=name) for name in self.containers[container])

    def create_container(self, name: str) -> None:
        self.containers.setdefault(name, {})

    def upload_object(self, container: str, name: str, filename: str, segment_size: int) -> None:
        assert segment_size == 5 * 1024**3
        if self.full:
            raise self.full
        self.containers[container][name] = Path(filename).read_bytes()

    def stream_object(self, obj: str, container: str, chunk_size: int) -> Iterator[bytes]:
        if obj not in self.containers.get(container, {}):
            raise openstack.exceptions.NotFoundException("no such object")
        yield self.containers[container][obj]

    def delete_object(self, obj: str, ignore_missing: bool, container: str) -> None:
        self.containers[container].pop(obj, None)


@dataclass
class Connection:
    object_store: Storage = field(default_factory=Storage)
    there: bool = True

    def endpoint_for(self, service: str) -> str | None:
        return "https://swift.example.org" if self.there and service == "object-store" else None


@pytest.fixture(params=["folder", "objects"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BackupStore:
    if request.param == "folder":
        (tmp_path / "root").mkdir()
        return BackupFolder(tmp_path / "root", "p")
    connection = Connection()
    return BackupContainers("moc", lambda: connection)


def test_what_is_put_is_there_until_it_is_deleted(store: BackupStore, tmp_path: Path) -> None:
    assert BACKUP is not None
    file, again = tmp_path / "file", tmp_path / "again"
    file.write_bytes(b"sealed")
    assert store.list("demo") == ()
    store.put("demo", BACKUP, file)
    store.put("demo", BACKUP, file)
    assert store.list("demo") == (BACKUP,)
    assert store.list("physics") == ()
    store.get("demo", BACKUP, again)
    assert again.read_bytes() == b"sealed"
    assert stat.S_IMODE(again.stat().st_mode) == 0o600
    store.delete("demo", BACKUP)
    store.delete("demo", BACKUP)
    assert store.list("demo") == ()
    with pytest.raises(Permanent):
        store.get("demo", BACKUP, tmp_path / "third")


def test_half_a_file_and_what_others_put_there_never_count(tmp_path: Path) -> None:
    assert BACKUP is not None
    folder = BackupFolder(tmp_path, "p")
    (tmp_path / "p" / "demo").mkdir(parents=True)
    for name in (f".{BACKUP.name}.part", f"{BACKUP.name}.part", "notes.txt"):
        (tmp_path / "p" / "demo" / name).write_bytes(b"half")
    (tmp_path / "p" / "demo" / BACKUP.name).symlink_to("/etc/passwd")
    assert folder.list("demo") == ()
    with pytest.raises(Transient, match="cannot write"):
        folder.put("demo", BACKUP, tmp_path / "missing")
    assert not (tmp_path / "p" / "demo" / f".{BACKUP.name}.part").exists()


def test_clusters_of_one_name_in_two_projects_have_a_folder_each(tmp_path: Path) -> None:
    assert BACKUP is not None
    (tmp_path / "file").write_bytes(b"whole")
    BackupFolder(tmp_path, "p").put("demo", BACKUP, tmp_path / "file")
    other = BackupFolder(tmp_path, "q")
    assert other.list("demo") == ()
    other.delete("demo", BACKUP)
    assert BackupFolder(tmp_path, "p").list("demo") == (BACKUP,)


def test_what_was_left_by_one_who_was_killed_while_copying_goes_with_the_next(tmp_path: Path) -> None:
    assert BACKUP is not None
    (tmp_path / "p" / "demo").mkdir(parents=True)
    stay = (".20261128T130000Z-6.db.age.part", ".notes.part", "20261101T120000Z-5.db.age")
    for name in (*stay, ".20261128T110000Z-6.db.age.part"):
        (tmp_path / "p" / "demo" / name).write_bytes(b"half")
    (tmp_path / "file").write_bytes(b"whole")
    BackupFolder(tmp_path, "p").put("demo", BACKUP, tmp_path / "file")
    assert sorted(path.name for path in (tmp_path / "p" / "demo").iterdir()) == sorted((*stay, BACKUP.name))


def test_a_folder_that_may_not_be_looked_at_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_dir", refuse)
    with pytest.raises(Permanent, match="cannot read"):
        BackupFolder(tmp_path, "p").list("demo")


def test_a_cloud_that_fails_or_has_no_object_storage_says_so(tmp_path: Path) -> None:
    assert BACKUP is not None
    connection = Connection(there=False)
    store = BackupContainers("moc", lambda: connection)
    with pytest.raises(Permanent, match="'moc' has no object storage"):
        store.list("demo")
    connection.there = True
    connection.object_store.full = openstack.exceptions.HttpException("quota")
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(Transient, match="moc"):
        store.put("demo", BACKUP, tmp_path / "file")
    assert store.list("demo") == ()


def test_an_object_without_an_end_does_not_fill_this_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert BACKUP is not None
    monkeypatch.setattr(containers, "_LARGEST", 5)
    connection = Connection(Storage({container("demo"): {BACKUP.name: b"123456"}}))
    with pytest.raises(Permanent, match="is larger than a snapshot"):
        BackupContainers("moc", lambda: connection).get("demo", BACKUP, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b""


def test_git_names_no_path_no_container_and_no_key() -> None:
    for to in ("/etc", {"folder": "/etc"}, {"objectStorage": {"container": "others"}}, "s3", ""):
        with pytest.raises(ValidationError):
            Backups.model_validate({"to": to})
    with pytest.raises(ValidationError):
        Backups.model_validate({"to": "folder", "recipients": [KEY]})
    assert container("demo") == "demo-etcd-backups"


@pytest.mark.parametrize("schedule", ["", "0h", "-1h", "1", "1m", "1w", "1000h", "100d", "1.5h", "0 2 * * *", "6h\n"])
def test_a_schedule_is_an_age_in_hours_or_days(schedule: str) -> None:
    with pytest.raises(ValidationError):
        Backups.model_validate({"to": "folder", "schedule": schedule})


def test_without_a_recipient_there_is_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CI", "GITHUB_ACTIONS", "GITLAB_CI"):
        monkeypatch.delenv(name, raising=False)

    class Project:
        def project(self) -> str:
            return "1a2b"

    monkeypatch.setattr(Connections, "cloud", lambda *_: Project())

    def place(**said: object) -> BackupStore:
        settings = Settings(backups=BackupPlaces.model_validate(said))
        return Connections(settings, tmp_path, lambda: pytest.fail("no tool is needed")).backup_store("folder", "moc")

    with pytest.raises(Invalid, match="nobody for whom"):
        place(folder=tmp_path)
    with pytest.raises(Invalid, match="no folder"):
        place(recipients=(KEY,))
    assert isinstance(place(folder=tmp_path, recipients=(KEY,)), BackupFolder)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(Invalid, match="goes with its disk"):
        place(folder=tmp_path, recipients=(KEY,))
    with pytest.raises(ValidationError):
        BackupPlaces.model_validate({"recipients": ("ssh-ed25519 AAAA",)})


@pytest.fixture
def identity(tmp_path: Path) -> tuple[Path, str]:
    key = pyrage.x25519.Identity.generate()
    file = tmp_path / "age.txt"
    file.touch(mode=0o600)
    file.write_text(f"# public key: {key.to_public()}\n{key}\n")
    return file, str(key.to_public())


def test_only_the_key_of_a_recipient_opens_it_and_only_whole(identity: tuple[Path, str], tmp_path: Path) -> None:
    file, public = identity
    age, sealed, clear = Age([public], file), io.BytesIO(), bytearray()
    age.encrypt(io.BytesIO(b"secret" * 100_000), sealed)
    assert b"secret" not in sealed.getvalue()
    age.decrypt(io.BytesIO(sealed.getvalue()), clear.extend)
    assert bytes(clear) == b"secret" * 100_000
    broken = bytearray(sealed.getvalue())
    broken[-5] ^= 1
    for text in (bytes(broken), sealed.getvalue()[:-1], sealed.getvalue()[:70000], b"", b"age-encryption.org/v1\n"):
        with pytest.raises(Permanent, match="can't be opened"):
            age.decrypt(io.BytesIO(text), lambda _: None)
    other = tmp_path / "other.txt"
    other.touch(mode=0o600)
    other.write_text(str(pyrage.x25519.Identity.generate()))
    with pytest.raises(Permanent, match="can't be opened"):
        Age([], other).decrypt(io.BytesIO(sealed.getvalue()), lambda _: None)


def test_what_the_reader_raises_comes_through(identity: tuple[Path, str]) -> None:
    file, public = identity
    sealed = io.BytesIO()
    Age([public]).encrypt(io.BytesIO(b"x"), sealed)

    def stop(_: bytes) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        Age([public], file).decrypt(io.BytesIO(sealed.getvalue()), stop)


def test_a_key_that_others_may_read_or_that_is_none_is_refused(identity: tuple[Path, str], tmp_path: Path) -> None:
    file, public = identity
    for age in (Age([public]), Age([public], tmp_path / "missing")):
        with pytest.raises(Invalid):
            age.decrypt(io.BytesIO(b""), lambda _: None)
    with pytest.raises(Invalid, match="nobody is named"):
        Age([]).encrypt(io.BytesIO(b""), io.BytesIO())
    with pytest.raises(Invalid, match=r"backups\.recipients"):
        Age([KEY]).encrypt(io.BytesIO(b""), io.BytesIO())
    file.chmod(0o640)
    with pytest.raises(Invalid, match="others can read"):
        Age([public], file).decrypt(io.BytesIO(b""), lambda _: None)
    file.chmod(0o600)
    file.write_text("AGE-SECRET-KEY-1NONSENSE\n")
    with pytest.raises(Invalid, match="holds no age key"):
        Age([public], file).decrypt(io.BytesIO(b""), lambda _: None)
