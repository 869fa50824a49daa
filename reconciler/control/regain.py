"""What this machine lacks of a cluster is had from the cluster's machines, over SSH: what they say of themselves, and
the kubeconfig of a control plane. Nothing is changed there, and no playbook runs."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .. import files, interrupt
from ..errors import Permanent, ReconcilerError, Transient
from ..model.desired import Cluster
from ..model.naming import NEVER_RAN
from ..model.presence import Traces
from ..model.resource import Kinds, Resource, Unknown
from ..spec import kubeconfig, machine_traces
from ..spec.render.kubernetes import Hosts, inventory, reached
from . import host_keys
from .toolkit import Toolkit
from .ways_in import balancer_of

_AT_ONCE = 8  # SSH sessions
_POLL_SECONDS = 2.0
_AGAIN_SECONDS = 3600.0  # until a kubeconfig that was refused is looked for on the machines once more
_RUNNING = "ACTIVE"
_CURES = {
    "SHUTOFF": "start",
    "PAUSED": "unpause",
    "SUSPENDED": "resume",
    "SHELVED": "unshelve",
    "SHELVED_OFFLOADED": "unshelve",
    "RESCUE": "unrescue",
}


@dataclass(frozen=True, slots=True)
class _Answer:
    """`may_come`: it is silent now, as a machine that still boots is."""

    traces: Traces | Unknown
    may_come: bool = False


@dataclass(frozen=True)
class Machines:
    """The machines of a cluster that exist, as they are asked. `servers` are the live ones, by git's names."""

    cluster: Cluster
    tools: Toolkit
    infrastructure: Kinds
    servers: Mapping[str, Resource]

    def traces(self, names: Collection[str], awaited: Collection[str] = ()) -> dict[str, Traces | Unknown]:
        """What each of these machines says of itself, asked side by side; why nobody knows for those that say nothing.
        Those `awaited` were made just now: they have the settings' time to come up. Raises Transient where a file of
        ours can't be written."""
        if names:
            there, booting = tuple(self.servers.values()), list(self.servers) if awaited else []
            host_keys.pin(self.cluster, there, self.tools, names=names, booting=booting)
        answers = self._side_by_side(names)
        deadline = time.monotonic() + self.tools.ready_seconds
        while (booting := [name for name in awaited if answers[name].may_come]) and time.monotonic() < deadline:
            interrupt.check()
            time.sleep(_POLL_SECONDS)
            answers |= self._side_by_side(booting)
        return {name: answer.traces for name, answer in answers.items()}

    def _side_by_side(self, names: Collection[str]) -> dict[str, _Answer]:
        with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="machines") as pool:
            return dict(zip(names, pool.map(self._answer, names), strict=True))

    def _answer(self, name: str) -> _Answer:
        server = self.servers[name]
        if server.fields.get(NEVER_RAN):  # nothing can be on it: to be sure of it nobody has to be asked
            return _Answer(Traces())
        status = str(server.fields.get("status", _RUNNING))
        if status != _RUNNING:
            cure = _CURES.get(status, "show")  # of the others nobody knows a cure before
            hint = f"see why, then: openstack server {cure} {server.id}; it is asked as soon as it is {_RUNNING}"
            return _Answer(Unknown(f"{name} is {status} and can't be asked", hint))
        try:
            answer = machine_traces.read(name, self._ask(name, machine_traces.SCRIPT))
        except ReconcilerError as error:
            return _Answer(Unknown(error.message, error.hint), isinstance(error, Transient))
        if answer.instance and answer.instance != server.id:
            hint = "find out which machine has that address: nothing is done before"
            return _Answer(Unknown(f"the machine at the address of {name} says that it is another server", hint))
        return _Answer(answer)

    def kubeconfig(self, names: Iterable[str]) -> None:
        """Fetch the kubeconfig from the first of these machines that gives one that is taken, rebuilt to say where we
        reach the API of that one, into the place where a playbook would put it: another one may be new, and have none.
        Raises what the last of them raised."""
        failure: ReconcilerError = Permanent("no machine has a kubeconfig")
        for name in names:
            try:
                text = machine_traces.kubeconfig(self._ask(name, machine_traces.KUBECONFIG_SCRIPT))
                rebuilt = kubeconfig.rebuilt(f"admin.conf of {name}", text.encode(), self._api(name))
                _keep(self.tools.kubespray.kubeconfig(self.cluster.name), rebuilt)
            except ReconcilerError as error:
                failure = error
            else:
                self.tools.progress.log(f"{self.cluster.name}: the kubeconfig was fetched from {name} over SSH")
                return
        raise failure

    def living(self, names: Iterable[str]) -> bool:
        """Does an API answer on one of these machines, or may it, as one of them is silent?"""
        for name in names:
            try:
                if machine_traces.living(self._ask(name, machine_traces.API_SCRIPT)):
                    return True
            except ReconcilerError:
                return True
        return False

    def _api(self, name: str) -> str:
        """Where we reach the API of this machine, or the balancer before it: never where its own file has it."""
        balancer = balancer_of(self.cluster, self.infrastructure)
        if api := reached(self.cluster, [self.servers[name]], balancer):
            return api
        raise Permanent(f"{name} has no address that its API could be reached at")

    def _ask(self, name: str, script: str) -> str:
        hosts = inventory(self.cluster, Hosts(list(self.servers.values())))
        return self.tools.machines.ask(self.cluster.name, hosts, name, script)


def _keep(place: Path, text: str) -> None:
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise files.unwritable(place, error) from None
    files.write(place, text)


def may_ask_again(tools: Toolkit, cluster: str) -> bool:
    """May a kubeconfig that is refused be looked for on the machines? Not one that somebody put there, and not the same
    one again within an hour."""
    if tools.given(cluster):
        return False
    file = _note(tools.state, cluster)
    try:
        age = time.time() - file.stat().st_mtime
        return file.read_text() != _digest(tools, cluster) or not 0 <= age < _AGAIN_SECONDS
    except OSError:
        return True


def note(tools: Toolkit, cluster: str) -> None:
    """Write down that the machines were asked, and which kubeconfig is here since. Raises Transient."""
    file = _note(tools.state, cluster)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        digest = _digest(tools, cluster)
    except OSError as error:
        raise Transient(f"cannot read the kubeconfig of {cluster}: {error.strerror}") from None
    files.write(file, digest)


def forget(state: Path, cluster: str) -> None:
    """The API answers: a later refusal is a new event."""
    _note(state, cluster).unlink(missing_ok=True)


def _digest(tools: Toolkit, cluster: str) -> str:
    return hashlib.sha256(tools.kubespray.kubeconfig(cluster).read_bytes()).hexdigest()


def _note(state: Path, cluster: str) -> Path:
    return state / cluster / "regained"
