"""Kubespray's playbooks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol, TypeAlias

from ..model.host_key import Vouched
from ..model.login import Login
from .progress import Progress

# Where a machine answers: address and port of its SSH server.
Place: TypeAlias = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Playbook:
    """One run of one of Kubespray's playbooks. `inventory` has Ansible's YAML shape. `api` is where we reach the API:
    the kubeconfig that the playbook fetches is made to say so. `login` is how the cloud is logged in to: what
    Terraform is given."""

    name: str
    inventory: Mapping[str, object]
    limit: tuple[str, ...] = ()
    variables: Mapping[str, object] = field(default_factory=dict)
    api: str | None = None
    login: Login | None = None


class Kubespray(Protocol):
    """Kubespray through Ansible, with one private folder per cluster."""

    def run(self, cluster: str, playbook: Playbook, progress: Progress) -> None:
        """Run to the end. Raises Transient (a host unreachable) or Permanent, naming host, task and message."""

    def forget(self, cluster: str, addresses: Collection[str]) -> None:
        """Drop what is pinned of the machines that had these addresses before: others are there now."""

    def host_keys(self, cluster: str, places: Collection[Place]) -> Mapping[Place, Vouched]:
        """The SSH host keys that are insisted on at these places, and who vouched for them; a place where whoever
        answers first is believed is left out."""

    def pin(self, cluster: str, keys: Mapping[Place, Vouched]) -> None:
        """From now on insist on these keys, and no others, at these places. Raises Transient where that can't be
        written."""

    def without_facts(self, cluster: str, hosts: Collection[str]) -> tuple[str, ...]:
        """Those of the hosts of which no facts are kept here that a limited run could use, in their order."""

    def versions(self) -> Collection[str]:
        """The Kubernetes versions it installs, such as 1.35.4; empty where it does not say."""

    def kubeconfig(self, cluster: str) -> Path:
        """Where the cluster's kubeconfig lies once a playbook fetched it (it may not exist yet)."""


class Logins(Protocol):
    """How people log in to machines: as the playbooks do."""

    def login(
        self, cluster: str, inventory: Mapping[str, object], machine: str, command: Sequence[str]
    ) -> list[str] | None:
        """The command line by which a person logs in to a machine of the inventory, or runs a command there; None for
        a machine that is not in it. Raises Invalid for a missing key."""


class Machines(Protocol):
    """The machines of a cluster, asked over SSH as root: with the playbooks' key and user, through the bastion, host
    keys insisted on."""

    def ask(
        self, cluster: str, inventory: Mapping[str, object], machine: str, script: str, *, seconds: float = 20
    ) -> str:
        """Run a shell script on a machine of the inventory and return its stdout: what a machine says is a stranger's
        word, of 1 MiB at the most. `seconds` is for all of it.

        Raises Invalid for a missing key, Transient for a machine that is silent or lets nobody in, Permanent for a
        script that failed, for sudo that asks for a password, and for an answer that is too long.
        """

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
        """Run a shell script on a machine and hand its stdout to `take` as it comes, in bytes of any number: it is for
        `take` to stop reading, by an exception that is passed on: a Transient, for what ended too early, only where
        neither the script nor SSH says why. Raises as `ask` besides."""

    def send(
        self,
        cluster: str,
        inventory: Mapping[str, object],
        machine: str,
        script: str,
        give: Callable[[IO[bytes]], None],
        *,
        seconds: float,
    ) -> None:
        """Run a shell script on a machine, whose stdin `give` writes. The script is an argument there, which others on
        that machine may read: no secret is in it. Raises as `ask`, and what `give` raises."""
