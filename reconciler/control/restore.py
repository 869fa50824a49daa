"""Restores a cluster's etcd from a snapshot: on all members at once, with its API servers stopped.

Each part may be done again: killed anywhere, and run again from this machine or another, it ends with a whole cluster.
What is slow or can fail (fetching, opening, sending, making the new data) comes before anything is stopped.
docs/decisions/0084-restoring-is-a-sequence-of-our-own.md says why Kubespray's playbook does not do it.
"""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

from .. import interrupt
from ..clock import utc_now
from ..engine.backups import before_anew, of_the_past, raised
from ..errors import Invalid, Permanent, ReconcilerError, Transient
from ..model.backup import Backup
from ..model.resource import Resource
from ..spec.load import DesiredCluster
from ..spec.render.kubernetes import Hosts, inventory
from ..spec.render.machines import CONTROL_PLANE_GROUP, ETCD_GROUP, kubespray_groups, machines
from . import backups, etcd_scripts, host_keys
from .toolkit import Toolkit

_SHORT, _LONG = 30.0, 1800.0
_WAIT = 240.0
_MEMBER = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,62}) (?P<url>https?://[0-9A-Za-z.:\[\]-]{1,80}:[0-9]{1,5})"
    r" (?P<token>[A-Za-z0-9._-]{1,63}) (?P<free>[0-9]{1,15})\n"
)
_OBJECT = re.compile(r"[A-Za-z0-9]{1,63} [-A-Za-z0-9.<>]{1,63} [-A-Za-z0-9.:]{1,253}")
# The new data, the snapshot it is made from, and some room.
_TIMES = 3


@dataclass(frozen=True, slots=True)
class Member:
    """One of etcd's members: the machine, and what it calls itself."""

    machine: str
    name: str
    url: str
    token: str
    free: int


@dataclass(frozen=True, slots=True)
class Lost:
    """What a restore takes back: "kind namespace name" of objects that were made since, and why these are not all,
    where the API could not say."""

    objects: tuple[str, ...] = ()
    unseen: str = ""


@dataclass(frozen=True)
class Restore:
    """Of one cluster, whose live `servers` are given: all of them, also those that git does not want."""

    desired: DesiredCluster
    tools: Toolkit
    servers: Sequence[Resource]
    clock: Callable[[], datetime.datetime] = utc_now

    def lost(self, backup: Backup) -> Lost:
        """What was made since the snapshot. Changes nothing on the machines."""
        host_keys.pin(self.desired.cluster, self.servers, self.tools)
        reason = "no control-plane machine has a server in the cloud"
        script = etcd_scripts.made_since(f"{backup.taken:%Y-%m-%dT%H:%M:%SZ}")
        for machine in self._masters:
            try:
                lines = self._ask(machine, script, 120).splitlines()
            except (Transient, Permanent) as error:
                reason = error.message
                continue
            objects = tuple(line for line in lines if _OBJECT.fullmatch(line))
            if etcd_scripts.INCOMPLETE in lines:
                return Lost(objects, "some kinds of objects could not be listed")
            return Lost(objects, "there are too many" if len(lines) > etcd_scripts.MOST_MADE else "")
        return Lost(unseen=reason)

    def vouched(self, backup: Backup) -> bool:
        """Was it taken from this machine? Of others nobody here knows who wrote them."""
        return backup.name in backups.vouched(self.tools.state, self.desired.name)

    def run(self, backup: Backup) -> None:
        """Raises Transient or Permanent; before anything was stopped the cluster is as it was, and afterwards it is run
        again."""
        log = self.tools.progress.log
        with backups.draft(self.tools.state / self.desired.name) as file:
            members = self._prepared(backup, file)
        log(f"restoring {backup.name} on {', '.join(m.machine for m in members)}: the API is stopped")
        try:
            # what takes something away asks whose the cluster is; what brings it back only the clocks, for a remote
            # that is silent for a moment is no reason to leave it down
            for names, title, script in (
                (self._masters, "API servers stop", etcd_scripts.stop_control_plane()),
                (self._etcd, "etcd stops", etcd_scripts.stop_etcd()),
                (self._etcd, "snapshot", etcd_scripts.swap()),
            ):
                interrupt.check_certain()
                self._each(names, title, script, _WAIT)
            self._each(self._etcd, "etcd starts", etcd_scripts.start_etcd(), _SHORT)
            self._each(self._etcd, "etcd healthy", etcd_scripts.await_etcd(), _WAIT)
            self._each(self._masters, "API servers start", etcd_scripts.start_control_plane(), _WAIT)
            self._each(self._etcd, "tidy up", etcd_scripts.finish(), _SHORT)
        except (Transient, Permanent) as error:
            again = f"run it again: reconciler restore {self.desired.name} {backup.name}"
            raise type(error)(f"the restore stopped half-way: {error.message}", hint=again) from error
        self._register()

    def _register(self) -> None:
        """Have the machines that joined after the snapshot be nodes again. Best effort: etcd is restored."""
        try:
            known = {
                line.removeprefix("node/") for line in self._ask(self._masters[0], etcd_scripts.nodes(), _SHORT).split()
            }
            for machine in self._nodes:
                if machine not in known:
                    self.tools.progress.log(f"{machine} is not a node of the snapshot: its kubelet is started anew")
                    self._ask(machine, etcd_scripts.restart_kubelet(), _SHORT)
        except (Transient, Permanent) as error:
            warning = f"warning: machines that joined after the snapshot may be no nodes yet: {error.message}"
            self.tools.progress.log(f"{warning}; systemctl restart kubelet there makes them nodes")

    def _prepared(self, backup: Backup, file: Path) -> tuple[Member, ...]:
        """The members, each with the restored data beside what it has. Nothing is stopped yet, and is about to be: this
        took its time, so who has the lease is asked once more."""
        name, tools = self.desired.name, self.tools
        host_keys.pin(self.desired.cluster, self.servers, tools)
        members = self._members()
        for machine in self._masters:
            self._ask(machine, etcd_scripts.control_plane(), _SHORT)
        with tools.progress.task(f"fetch {backup.name}"):
            backups.store(self.desired, tools).get(name, backup, file)
        if not backups.check_whole(tools.state, name, backup, file):
            tools.progress.log(f"note: {backup.name} was not taken from this machine, so nothing here vouches for it")
        size, digest = self._opened(file)
        small = [m.machine for m in members if m.free * 1024 < size * _TIMES]
        if small:
            raise Permanent(f"there is no room for the restored data on {', '.join(small)}", hint="make room there")
        above = raised(backup, self.clock())  # once: every member's data has to be the same
        try:
            for member in members:
                self._staged(member, members, file, digest, above)
            interrupt.check_certain()
        except ReconcilerError:
            self._give_up()
            raise
        return members

    def _opened(self, file: Path) -> tuple[int, str]:
        """Size and SHA-256 of the snapshot, once all of it was opened: age vouches for it at its end only."""
        seen, size = hashlib.sha256(), 0

        def take(piece: bytes) -> None:
            nonlocal size
            size += len(piece)
            seen.update(piece)

        with file.open("rb") as encrypted:
            backups.cipher(self.tools).decrypt(encrypted, take)
        return size, seen.hexdigest()

    def _staged(self, member: Member, members: Sequence[Member], file: Path, digest: str, above: int) -> None:
        def give(pipe: IO[bytes]) -> None:
            with file.open("rb") as encrypted:
                backups.cipher(self.tools).decrypt(encrypted, lambda piece: _write(pipe, piece))

        interrupt.check_own()
        with self.tools.progress.task(f"snapshot to {member.machine}"):
            self.tools.machines.send(
                self.desired.name, self._inventory, member.machine, etcd_scripts.upload(digest), give, seconds=_LONG
            )
            urls = [f"{m.name}={m.url}" for m in members]
            self._ask(member.machine, etcd_scripts.stage(member.name, member.url, member.token, urls, above), _LONG)

    def _give_up(self) -> None:
        """Best effort: who can't be asked keeps what the next restore removes, and what lies there is another's where
        the cluster is by now."""
        for machine in self._etcd:
            try:
                self._ask(machine, etcd_scripts.give_up(), _SHORT)
            except (Transient, Permanent) as error:
                self.tools.progress.log(f"warning: {machine} was not tidied up: {error.message}")

    def _members(self) -> tuple[Member, ...]:
        """Raises Permanent where one that git wants has no server, or says what is no member; and where there is a
        machine that git wants no more: nobody stops what runs there, and an API server may go on with its etcd."""
        if unwanted := self._unwanted():
            hint = f"have git want them again, or delete their servers: {', '.join(unwanted)}; then restore"
            raise Permanent(f"git does not want {', '.join(unwanted)}, whose etcd would go on beside", hint=hint)
        wanted = self._wanted_members()
        missing = sorted(wanted - set(self._etcd))
        if missing or not wanted:
            hint = "let `reconciler apply` make the machines and install them first; then restore"
            raise Permanent(f"etcd is restored on all its machines, and there is no {', '.join(missing)}", hint=hint)
        found = tuple(member(m, self._ask(m, etcd_scripts.member(), _SHORT)) for m in self._etcd)
        if len({m.name for m in found}) < len(found) or len({m.url for m in found}) < len(found):
            raise Permanent("two machines call themselves the same member of etcd", hint="look at their /etc/etcd.env")
        return found

    def _wanted_members(self) -> set[str]:
        return {
            m.name for m in machines(self.desired.cluster) if "etcd" in kubespray_groups(self.desired.cluster, m.role)
        }

    def _unwanted(self) -> list[str]:
        wanted = {machine.name for machine in machines(self.desired.cluster)}
        ours = re.compile(rf"{re.escape(self.desired.name)}-({CONTROL_PLANE_GROUP}|{ETCD_GROUP})-[0-9]+")
        return sorted(s.name for s in self.servers if s.name not in wanted and ours.fullmatch(s.name))

    def _each(self, names: Sequence[str], title: str, script: str, seconds: float) -> None:
        with self.tools.progress.task(title) as task:
            task.total(len(names))
            for name in names:
                task.status(name)
                interrupt.check()
                self._ask(name, script, seconds)
                task.advance()

    def _ask(self, machine: str, script: str, seconds: float) -> str:
        """Raises Transient, too, where the cluster is not ours to change any more."""
        interrupt.check_own()
        return self.tools.machines.ask(self.desired.name, self._inventory, machine, script, seconds=seconds)

    @cached_property  # each question needs it
    def _inventory(self) -> dict[str, object]:
        return inventory(self.desired.cluster, Hosts(self.servers))

    @property
    def _etcd(self) -> tuple[str, ...]:
        return backups.members(self.desired.cluster, self.servers)

    @property
    def _nodes(self) -> tuple[str, ...]:
        return backups.nodes(self.desired.cluster, self.servers)

    @property
    def _masters(self) -> tuple[str, ...]:
        return backups.control_plane(self.desired.cluster, self.servers)


def member(machine: str, answer: str) -> Member:
    """What a machine says of its member, parsed. Raises Permanent for anything else: it goes into a command line of the
    other machines."""
    match = _MEMBER.fullmatch(answer)
    if match is None:
        raise Permanent(f"{machine} does not say which member of etcd it is", hint="look at its /etc/etcd.env")
    return Member(machine, match["name"], match["url"], match["token"], int(match["free"]))


def chosen(kept: Sequence[Backup], name: str, now: datetime.datetime) -> Backup:
    """The snapshot of that name, or the `latest` that counts. Raises Invalid for one that is not kept; and for the
    `latest` where etcd began anew: it may be of the empty one that took the place of what is to be restored."""
    if not kept:
        raise Invalid("there is no backup to restore", hint="reconciler backup takes one")
    counting = of_the_past(kept, now)
    if name == "latest" and (lost := before_anew(kept, now)):
        hint = f"name the one that is meant: {lost.name} is the last before, {counting[-1].name} the newest since"
        raise Invalid(f"which one is the latest is not clear: etcd began anew after {lost.name}", hint=hint)
    if name == "latest" and counting:
        return counting[-1]
    wanted = Backup.parse(name)
    if wanted is None or wanted not in kept:
        newest = max(counting or kept).name
        raise Invalid(f"there is no backup {name!r}", hint=f"the newest is {newest}; backup --list has all")
    return wanted


def _write(pipe: IO[bytes], piece: bytes) -> None:
    pipe.write(piece)
