"""A real `reconciler` process whose machines are files: git, leases, plans and records are the real ones.

Ten processes on twenty clusters of real machines are more than a laptop carries. What takes their place here does what
it is told, slowly, and every process sees the same: a file for each cluster holds what is live in it.
"""

from __future__ import annotations

import os
import pickle
import random
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from reconciler import cli
from reconciler.adapters.git import GitRepository
from reconciler.app import App
from reconciler.cli import context
from reconciler.control.cycle import Cycle
from reconciler.model.guest import Guest
from reconciler.model.host_key import Vouched
from reconciler.model.quota import Quota
from reconciler.model.resource import Key, Known, Listing, Resource, Symptom, Unknown
from reconciler.model.session import Session
from reconciler.ports import CloudSnapshot, Comparison, Manifest, Place, Playbook, Progress, Workspace
from reconciler.spec.load import DesiredCluster
from reconciler.spec.render import objects
from reconciler.spec.render.infrastructure import infrastructure
from reconciler.spec.render.kubernetes import nodes
from reconciler.spec.render.terraform import KINDS

PLACE = "RECONCILER_SOAK_MACHINES"  # the folder of these files
PROJECT_ID = "RECONCILER_SOAK_PROJECT"  # of the cloud, where processes share one machine
STOPS = "RECONCILER_SOAK_STOPS"  # where a process stops itself once, as if its machine slept
BEGUN = ".begun"  # the file with what was begun to be changed, and by which process
_SLOWEST_SECONDS = 0.6


def _stops_at(point: str) -> None:
    if os.environ.get(STOPS) == point:
        del os.environ[STOPS]
        os.kill(os.getpid(), signal.SIGSTOP)


@dataclass
class Live:
    """What is there of one cluster."""

    resources: list[Resource] = field(default_factory=list)
    nodes: list[Resource] = field(default_factory=list)
    objects: dict[Key, Manifest] = field(default_factory=dict)


def read(place: Path, cluster: str) -> Live:
    """What is live in a cluster."""
    try:
        found: Live = pickle.loads((place / cluster).read_bytes())
    except FileNotFoundError:
        return Live()
    return found


def write(place: Path, cluster: str, live: Live) -> None:
    draft = place / f".{cluster}.{os.getpid()}"
    draft.write_bytes(pickle.dumps(live))
    draft.replace(place / cluster)


@dataclass(frozen=True)
class Machines:
    """One cluster behind every port but git's."""

    place: Path
    cluster: DesiredCluster

    @contextmanager
    def changed(self, what: str) -> Iterator[Live]:
        """Work takes its time, and a kill in the middle of it leaves half of it."""
        with (self.place / BEGUN).open("a") as log:
            log.write(f"{os.getpid()} {what}\n")
        _stops_at(what)
        time.sleep(random.uniform(0, _SLOWEST_SECONDS))
        live = read(self.place, self.cluster.name)
        yield live
        write(self.place, self.cluster.name, live)
        time.sleep(random.uniform(0, _SLOWEST_SECONDS))

    # Terraform

    def apply_terraform(self) -> None:
        with self.changed("terraform") as live:
            there = {r.key: r for r in live.resources}
            wanted = infrastructure(self.cluster.cluster)
            live.resources = [_made(r, n, self.cluster.name, there.get(r.key)) for n, r in enumerate(wanted, 1)]

    # Kubespray

    def run(self, cluster: str, playbook: Playbook, progress: Progress) -> None:
        if playbook.name == "facts.yml":
            return
        with self.changed("playbook") as live:
            servers = [r for r in live.resources if r.kind == "server"]
            live.nodes = [replace(n, id=f"uid-{n.name}") for n in nodes(self.cluster.cluster, servers)]
        self.kubeconfig(cluster).touch()

    def forget(self, cluster: str, addresses: Collection[str]) -> None:
        pass

    def host_keys(self, cluster: str, places: Collection[Place]) -> Mapping[Place, Vouched]:
        return {}

    def pin(self, cluster: str, keys: Mapping[Place, Vouched]) -> None:
        pass

    def without_facts(self, cluster: str, hosts: Collection[str]) -> tuple[str, ...]:
        return tuple(hosts)

    def versions(self) -> Collection[str]:
        return ()

    def kubeconfig(self, cluster: str) -> Path:
        return self.place / f".{cluster}.kubeconfig"

    def ask(
        self, cluster: str, inventory: Mapping[str, object], machine: str, script: str, *, seconds: float = 20
    ) -> str:
        there = "yes" if self.kubeconfig(cluster).exists() else "no"
        return f"traces: etcd={there} kubelet={there} kubeconfig={there} instance= members=\n"

    def receive(self, *_: object, **__: object) -> None:
        raise AssertionError("nobody gives a snapshot here")

    def send(self, *_: object, **__: object) -> None:
        raise AssertionError("nobody takes a snapshot here")

    # Kubernetes

    def nodes(self) -> Listing:
        return Known(tuple(read(self.place, self.cluster.name).nodes))

    def certificates(self) -> tuple[Resource, ...]:
        return ()

    def guests(self, nodes: Collection[str]) -> tuple[Guest, ...]:
        return ()

    def symptoms(self, nodes: Collection[str]) -> tuple[Symptom, ...]:
        return ()

    def compare(self, part_of: str, manifests: Sequence[Manifest], before: Sequence[Resource], *_: Any) -> Comparison:
        wanted = {objects.key(m): m for m in manifests}
        there = read(self.place, self.cluster.name).objects
        expected, live = [], []
        for key in sorted({*wanted, *there}):
            same = wanted.get(key) == there.get(key)
            if key in wanted:
                expected.append(Resource(key.kind, key.name, {} if same else {"data": str(wanted[key].get("data"))}))
            if key in there:
                body = {} if same else {"data": str(there[key].get("data"))}
                live.append(Resource(key.kind, key.name, body, f"uid-{key.name}"))
        kinds = {k.kind for k in (*wanted, *there)} | {r.kind for r in before}
        return Comparison(tuple(expected), {k: Known(tuple(r for r in live if r.kind == k)) for k in kinds})

    def apply(self, part_of: str, manifests: Sequence[Manifest], progress: Progress, *_: Any) -> None:
        with self.changed("objects") as live:
            live.objects |= {objects.key(m): m for m in manifests}

    def settle(self, part_of: str, manifests: Sequence[Manifest], progress: Progress, *_: Any) -> None:
        pass

    def lookup(self, asked: Sequence[Manifest]) -> tuple[Manifest | Unknown | None, ...]:
        there = read(self.place, self.cluster.name).objects
        return tuple(there.get(objects.key(m)) for m in asked)

    def left_alone(self, manifests: Sequence[Manifest], fields: Mapping[Key, Collection[str]]) -> tuple[Manifest, ...]:
        return tuple(manifests)

    def prune(self, resources: Sequence[Resource]) -> None:
        with self.changed("prune") as live:
            for r in resources:
                live.objects.pop(r.key, None)

    def label_nodes(self, nodes: Sequence[Resource]) -> None:
        pass

    def cordon(self, leaving: Collection[str]) -> None:
        pass

    def sessions(self) -> tuple[Session, ...]:
        return ()

    def outliving(self) -> tuple[Resource, ...]:
        return ()

    def retain(self, volumes: Sequence[str]) -> None:
        pass

    def mark_sessions(self, movable: Mapping[str, bool]) -> None:
        pass


@dataclass(frozen=True)
class Terraform:
    machines: Machines

    def apply(self, workspace: Workspace, progress: Progress) -> None:
        self.machines.apply_terraform()

    def take(self, workspace: Workspace, progress: Progress) -> int:
        return 0

    def unlock(self, workspace: Workspace, lock: str, progress: Progress) -> None:
        pass


@dataclass(frozen=True)
class Cloud:
    """All clusters of the project."""

    place: Path

    def observe(self, clusters: Sequence[str]) -> CloudSnapshot:
        found = [r for file in sorted(self.place.glob("[!.]*")) for r in read(self.place, file.name).resources]
        kinds: Mapping[str, Listing] = {k: Known(tuple(r for r in found if r.kind == k)) for k in KINDS}
        flavors, images, networks = (
            Known(tuple(Resource("x", n) for n in names)) for names in (("m1.medium",), ("ubuntu-24.04",), ("public",))
        )
        return CloudSnapshot(kinds, flavors, images, networks, Known())

    def project(self) -> str:
        """Each process stands for a machine of its own, kept apart by leases, unless a project is named."""
        return os.environ.get(PROJECT_ID) or f"soak of {os.getpid()}"

    def touched(self, since: object) -> tuple[Any, ...]:
        return ()

    def login(self) -> None:
        """Terraform's stand-in needs none."""

    def console(self, server: str) -> Unknown:
        return Unknown("no machine is behind it")

    def quota(self) -> Quota:
        return {}


def _made(wanted: Resource, number: int, owner: str, before: Resource | None) -> Resource:
    address = {"fixed_ip": f"10.20.0.{number}", "address": f"192.0.2.{number}"} if wanted.kind == "server" else {}
    id_ = before.id if before else f"{wanted.kind}-{wanted.name}"
    return Resource(wanted.kind, wanted.name, {**(before.fields if before else address), **wanted.fields}, id_, owner)


class SoakApp(App):
    """The real composition, with the machines in the place of OpenStack, Terraform, Kubespray and Kubernetes."""

    def cycle(self, state: Any, cluster: DesiredCluster, *args: Any, **more: Any) -> Cycle:
        made = super().cycle(state, cluster, *args, **more)
        machines = Machines(Path(os.environ[PLACE]), cluster)
        leases = made.tools.leases
        if STOPS in os.environ and leases:  # one clock for all
            leases = replace(leases, grace=1.0)
        tools: Any = replace(
            made.tools, leases=leases,
            kubernetes=lambda _: machines, terraform=lambda: Terraform(machines), kubespray=machines, machines=machines,
            terraform_state=lambda _: None, ready_seconds=0.0,
        )  # fmt: skip
        return replace(made, tools=tools)

    @cached_property
    def repository(self) -> GitRepository:
        made = super().repository
        record, advance = made.record, made._advance

        def recorded(*args: Any) -> Any:
            _stops_at("record")
            return record(*args)

        def advanced(branch: Any, folder: str, make: Callable[[str | None], str | None]) -> Any:
            def pushed_later(parent: str | None) -> str | None:
                commit = make(parent)
                _stops_at("push")
                return commit

            return advance(branch, folder, pushed_later)

        made.record, made._advance = recorded, advanced  # type: ignore[assignment,method-assign]
        return made

    def _cloud(self, name: str) -> Any:
        return Cloud(Path(os.environ[PLACE]))


def main() -> None:
    """What `python -m reconciler` does."""
    setattr(context, "App", SoakApp)  # noqa: B010 - the composition root's one place
    cli.main()
