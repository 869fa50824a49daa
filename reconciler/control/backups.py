"""Takes snapshots of a cluster's etcd: from a member, through encryption, to where git says; and removes old ones."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from .. import files, interrupt
from ..engine.backups import Kept, due, notices, risky, surplus
from ..errors import Permanent, ReconcilerError, Transient
from ..model.backup import Backup
from ..model.change import Difference
from ..model.desired import Backups as Wanted
from ..model.desired import Cluster
from ..model.naming import BACKUP
from ..model.plan import Plan, Step
from ..model.resource import Resource
from ..ports import BackupStore, Cipher
from ..spec.load import DesiredCluster
from ..spec.render.kubernetes import Hosts, inventory
from . import etcd_scripts, host_keys
from .toolkit import Toolkit

_SECONDS = 1800.0
_LARGEST = 16 * 1024**3  # bytes: twice the most that etcd's own documentation lets it grow to
_LONGEST_HEADER = 4096
_HEADER = re.compile(
    rb"reconciler-snapshot +(?P<size>[0-9]{1,12}) (?P<digest>[0-9a-f]{64}) (?P<status>\{.{1,2000}\})\n"
)


@dataclass
class Backups:
    """The snapshots of one cluster, during one cycle or verb. What is kept is asked for once, and again after one was
    taken. `tried`: one was begun; `failed` says why it could not be taken.
    `off`: the cluster comes to its end."""

    desired: DesiredCluster
    tools: Toolkit
    clock: Callable[[], datetime.datetime]
    failed: str = ""
    tried: bool = False
    off: bool = False
    _kept: Kept | None = field(default=None, repr=False)

    @property
    def wanted(self) -> Wanted | None:
        """What git says of them; None where none is taken by itself."""
        return None if self.off else self._in_git

    @property
    def _in_git(self) -> Wanted | None:
        return self.desired.cluster.spec.kubernetes.backup

    def kept(self) -> Kept:
        """Those that are there, or why that can't be told."""
        if self._kept is None:
            try:
                self._kept = Kept(self.store().list(self.desired.name))
            except ReconcilerError as error:
                self._kept = Kept(unknown=error.message, hint=error.hint or "")
        return self._kept

    def store(self) -> BackupStore:
        """Where git says that they are kept. Raises Invalid where git or this machine's settings don't say."""
        return store(self.desired, self.tools)

    def due(self, nodes: Sequence[Resource]) -> bool:
        """Is it time for one, and none was tried yet? Where no node is seen, nobody knows of an etcd either."""
        wanted = self.wanted
        return wanted is not None and not self.tried and bool(nodes) and due(self.kept(), wanted, self.clock())

    def before(self, steps: Iterable[Step], servers: Sequence[Resource]) -> bool:
        """Take one where nobody wants to begin these steps without; False where that fails, the first time it is tried:
        what goes on then, somebody let go on who knew."""
        safe = self.wanted is None or self.tried or not any(map(risky, steps))
        return safe or self._try(servers)

    def beside(self, plan: Plan, nodes: Sequence[Resource], servers: Sequence[Resource]) -> Plan:
        """Take one where it is due, which is no step of the plan, and have the plan say how that went."""
        if not self.due(nodes):
            return plan
        self._try(servers)
        others = (d for d in plan.differences if d.key.kind != BACKUP)
        told = (*others, *self.notices())
        return replace(plan, differences=tuple(sorted(told, key=lambda d: d.order)))

    def notices(self) -> tuple[Difference, ...]:
        """What reports say."""
        wanted = self.wanted
        if wanted is None:
            return ()
        kept = self.kept()
        return notices(Kept(kept.backups, kept.unknown, self.failed, kept.hint), wanted, self.clock())

    def _try(self, servers: Sequence[Resource]) -> bool:
        """Take one; where that fails, it is logged and `failed` says why."""
        self.tried = True
        try:
            self.take(servers)
        except ReconcilerError as error:
            self.failed = error.message
            self.tools.progress.log(f"warning: no snapshot of etcd: {error.message}")
        return not self.failed

    def take(self, servers: Sequence[Resource]) -> Backup:
        """Take one from the first member that gives one, keep it, and remove those beyond `keep`. `servers` are the
        live ones. Raises what the ports raise, Permanent for a snapshot that is no whole one, Transient where the
        cluster is not ours to change any more."""
        interrupt.check_certain()
        in_git, keeping = self._in_git, self.store()
        host_keys.pin(self.desired.cluster, servers, self.tools)
        place = inventory(self.desired.cluster, Hosts(servers))
        with self.tools.progress.task("snapshot of etcd"), draft(self.tools.state / self.desired.name) as file:
            try:
                backup = self._saved(place, members(self.desired.cluster, servers), file)
                digest = _digest(file)
            except OSError as error:
                raise files.unwritable(file, error) from None
            interrupt.check_own()
            keeping.put(self.desired.name, backup, file)
        _vouch(self.tools.state, self.desired.name, backup, digest)
        self.failed, self._kept = "", None
        self.tools.progress.log(f"snapshot of etcd: {backup.name}")
        if in_git:
            self._remove(surplus(self.kept().backups, in_git.keep, self.clock()), keeping)
        return backup

    def _remove(self, old: Iterable[Backup], keeping: BackupStore) -> None:
        """The new one is there all the same where an old one can't be removed; the next time tries again."""
        try:
            for each in old:
                interrupt.check_own()
                keeping.delete(self.desired.name, each)
        except ReconcilerError as error:
            self.tools.progress.log(f"warning: an old snapshot of etcd was not removed: {error.message}")
        self._kept = None

    def _saved(self, place: dict[str, object], names: Sequence[str], file: Path) -> Backup:
        """From a member of a quorum, else from any: what one still has is better than nothing. Raises OSError where it
        can't be written here: no other member changes that."""
        last: ReconcilerError = Transient("no etcd member has a server in the cloud")
        for healthy in (True, False):
            for name in names:
                try:
                    return self._from(place, name, file, healthy=healthy)
                except (Transient, Permanent) as error:
                    last = error
        raise last

    def _from(self, place: dict[str, object], name: str, file: Path, *, healthy: bool) -> Backup:
        taken, revisions = self.clock().astimezone(datetime.UTC).replace(microsecond=0), []

        def keep(pipe: IO[bytes]) -> None:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
                revisions.append(received(pipe, lambda clear: cipher(self.tools).encrypt(clear, target)))

        script = etcd_scripts.save(healthy=healthy)
        self.tools.machines.receive(self.desired.name, place, name, script, keep, seconds=_SECONDS)
        return Backup(taken, revisions[0])


def received(pipe: IO[bytes], encrypt: Callable[[IO[bytes]], None]) -> int:
    """Read what `etcd_scripts.save` prints, hand the snapshot to `encrypt`, and return its revision. It is a stranger's
    word: raises Permanent for what is too large or of another shape, Transient for what was cut off."""
    line = pipe.readline(_LONGEST_HEADER)
    header = _HEADER.fullmatch(line)
    if header is None:
        raise Transient("the machine sent no snapshot") if not line else Permanent("the machine sent no snapshot")
    size = int(header["size"])
    if size > _LARGEST:
        raise Permanent(f"a snapshot of {size} bytes is more than {_LARGEST >> 30} GiB")
    counted = _Counted(pipe, size)
    encrypt(counted)  # type: ignore[arg-type]  # age reads, and does nothing else
    if counted.left or counted.digest != header["digest"].decode():
        raise Transient("the snapshot was cut off on its way")
    if pipe.read(1):
        raise Permanent("the machine sent more than the snapshot")
    return _revision(header["status"])


def _revision(status: bytes) -> int:
    try:
        revision = json.loads(status)["revision"]
    except (ValueError, LookupError, TypeError, RecursionError):
        revision = None
    if not isinstance(revision, int) or isinstance(revision, bool) or not 0 < revision < 10**18:
        raise Permanent("etcdutl says no revision of the snapshot")
    return revision


class _Counted:
    """So many bytes of a stream, and their SHA-256."""

    def __init__(self, pipe: IO[bytes], size: int) -> None:
        self._pipe, self.left, self._sum = pipe, size, hashlib.sha256()

    def read(self, most: int = -1) -> bytes:
        piece = self._pipe.read(self.left if most < 0 else min(most, self.left))
        self.left -= len(piece)
        self._sum.update(piece)
        return piece

    @property
    def digest(self) -> str:
        return self._sum.hexdigest()


@contextlib.contextmanager
def draft(folder: Path) -> Iterator[Path]:
    """Where a file may be written for a while, in the cluster's folder of state: what is there goes first, and
    afterwards. What is written to it is encrypted."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "backup.part"
    path.unlink(missing_ok=True)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def store(desired: DesiredCluster, tools: Toolkit) -> BackupStore:
    """Where git says that a cluster's snapshots are kept. Raises Invalid where git or the settings don't say."""
    wanted = desired.cluster.spec.kubernetes.backup
    if wanted is None:
        place = f"desired/{desired.name}/cluster.yaml"
        raise Permanent(f"git wants no backups of {desired.name!r}", hint=f"say so in {place}: kubernetes: backup:")
    return tools.backup_store(wanted.to, desired.cluster.spec.cloud)


def members(cluster: Cluster, servers: Sequence[Resource]) -> tuple[str, ...]:
    """The machines that etcd runs on, as far as they have a server."""
    return _group(cluster, servers, "etcd")


def control_plane(cluster: Cluster, servers: Sequence[Resource]) -> tuple[str, ...]:
    """The machines that API servers run on, as far as they have a server."""
    return _group(cluster, servers, "kube_control_plane")


def nodes(cluster: Cluster, servers: Sequence[Resource]) -> tuple[str, ...]:
    """The machines that have a kubelet, as far as they have a server."""
    workers = _group(cluster, servers, "kube_node")
    return tuple(dict.fromkeys((*control_plane(cluster, servers), *workers)))


def _group(cluster: Cluster, servers: Sequence[Resource], group: str) -> tuple[str, ...]:
    rendered = inventory(cluster, Hosts(servers))["all"]
    children = rendered["children"] if isinstance(rendered, dict) else {}
    return tuple(children[group]["hosts"])


def cipher(tools: Toolkit) -> Cipher:
    """What snapshots are encrypted by. Raises Permanent where the settings don't say."""
    if tools.cipher is None:
        message = "no snapshot of etcd can be taken from here: nobody is named for whom it is encrypted"
        raise Permanent(message, hint="backups.recipients, in the settings")
    return tools.cipher


def vouched(state: Path, cluster: str) -> dict[str, str]:
    """The SHA-256 of each encrypted snapshot that was taken from this machine, by name."""
    try:
        kept = json.loads(_record(state, cluster).read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(name): str(digest) for name, digest in kept.items()} if isinstance(kept, dict) else {}


def _vouch(state: Path, cluster: str, backup: Backup, digest: str) -> None:
    recent = sorted({**vouched(state, cluster), backup.name: digest}.items())[-1000:]
    files.write(_record(state, cluster), json.dumps(dict(recent)))


def _record(state: Path, cluster: str) -> Path:
    return state / cluster / "backups.json"


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def check_whole(state: Path, cluster: str, backup: Backup, file: Path) -> bool:
    """Whether the encrypted file is known to be the one that was kept from this machine. Raises Permanent when it is
    known to be another one: whoever may write to where it lay could put another cluster's objects into this one."""
    known = vouched(state, cluster).get(backup.name)
    if known is not None and known != _digest(file):
        hint = "somebody wrote to where backups are kept: restore an older one, and look who may"
        raise Permanent(f"{backup.name} is not the file that was kept", hint=hint)
    return known is not None
