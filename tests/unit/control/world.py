"""A small world behind the ports: it does what it is told, remembers what it was told, and fails where asked to."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from reconciler.adapters.kubernetes.keeping import keeping
from reconciler.control.cycle import Cycle
from reconciler.control.survey import Survey
from reconciler.control.toolkit import Access, Toolkit
from reconciler.errors import Blocked, ReconcilerError
from reconciler.model.guest import Guest
from reconciler.model.host_key import Vouched
from reconciler.model.quota import Allotment
from reconciler.model.resource import Addition, Key, Known, Listing, Owner, Resource, Symptom, Unknown
from reconciler.model.session import Session
from reconciler.ports import (
    Allowance,
    CloudSnapshot,
    Comparison,
    Files,
    Ids,
    Manifest,
    Place,
    Playbook,
    Progress,
    Snapshot,
    Workspace,
)
from reconciler.progress import QuietProgress
from reconciler.spec import desired_state
from reconciler.spec.machine_traces import API_SCRIPT, KUBECONFIG_SCRIPT
from reconciler.spec.render import objects
from reconciler.spec.render.infrastructure import infrastructure
from reconciler.spec.render.kubernetes import nodes
from reconciler.spec.render.machines import machines
from reconciler.spec.render.terraform import KINDS, address
from tests.unit.examples import CLUSTER, FILE, application

FILES = {
    FILE: CLUSTER + "  workloads:\n    - {name: sid, path: manifests/sid, namespace: sid}\n",
    "manifests/sid/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: '1'}\n",
    "desired/demo/applications/web.yaml": application("web", 'env: {API: "${cluster.api.endpoint}"}'),
    "terraform/openstack-cluster/main.tf": "# cluster",
    "terraform/openshift-app/main.tf": "# app",
}


@dataclass
class Api:
    """A Kubernetes API: objects by their key, compared by everything but metadata. `spaced` says of kinds whether they
    have namespaces here; the others are as git has them. `asked_for` has the types of what was applied before, `kept`
    what Terraform never made, and so leaves alone. `added` are fields that others added, with who did."""

    world: World
    name: str
    objects: dict[Key, Manifest] = field(default_factory=dict)
    owners: dict[Key, Owner] = field(default_factory=dict)
    allowances: list[Allowance] = field(default_factory=list)
    spaced: dict[str, bool] = field(default_factory=dict)
    asked_for: set[str] = field(default_factory=set)
    kept: set[Key] = field(default_factory=set)
    added: dict[Key, dict[str, Addition]] = field(default_factory=dict)

    def key(self, m: Manifest) -> Key:
        named, metadata = objects.key(m), m["metadata"]
        if named.kind not in self.spaced:
            return named
        space = f"{metadata.get('namespace') or 'default'}/" if self.spaced[named.kind] else ""
        return Key(named.kind, f"{space}{metadata['name']}")

    def nodes(self) -> Listing:
        return self.world.nodes if isinstance(self.world.nodes, Listing) else Known(tuple(self.world.nodes))

    def certificates(self) -> tuple[Resource, ...]:
        return tuple(self.world.certificates)

    def symptoms(self, nodes: Collection[str]) -> tuple[Symptom, ...]:
        return tuple(p for p in self.world.pods if not p.node or p.node in nodes)

    def guests(self, nodes: Collection[str]) -> tuple[Guest, ...]:
        return tuple(g for g in self.world.guests if g.node in nodes)

    def compare(
        self, part_of: str, manifests: Sequence[Manifest], before: Sequence[Resource], manager: str = ""
    ) -> Comparison:
        self.asked_for |= {r.type for r in before}
        wanted = {self.key(m): m for m in manifests}
        kinds = {k.kind for k in (*wanted, *self.objects)} | {r.kind for r in before}
        expected, live = [], []
        for key in sorted({*wanted, *self.objects}):
            sides = _body(wanted.get(key)), _body(self.objects.get(key))
            fields = [{} if sides[0] == sides[1] else {"body": side} for side in sides]
            if key in wanted:
                expected.append(Resource(key.kind, key.name, fields[0]))
            if key in self.objects:
                owners = {"body": self.owners[key]} if key in self.owners else {}
                added = self.added.get(key, {}) if key in wanted else {}
                if added:
                    expected[-1] = replace(expected[-1], fields={**fields[0], **dict.fromkeys(added)})
                there = {**fields[1], **dict.fromkeys(added, "theirs")}
                live.append(Resource(key.kind, key.name, there, f"uid-{key.name}", owners=owners, added=added))
        return Comparison(tuple(expected), {k: Known(tuple(r for r in live if r.kind == k)) for k in kinds})

    def apply(
        self,
        part_of: str,
        manifests: Sequence[Manifest],
        progress: Progress,
        allowance: Allowance | None = None,
        manager: str = "",
    ) -> None:
        self.allowances.append(allowance or Allowance())
        as_whom = f" as {manager}" if manager else ""
        if self.world.did(f"{self.name} apply {' '.join(str(objects.key(m)) for m in manifests)}{as_whom}"):
            self.objects.update({self.key(m): m for m in manifests})
            for key, gone in self.allowances[-1].removing.items():
                self.added[key] = {f: a for f, a in self.added.get(key, {}).items() if f not in gone}

    def settle(
        self, part_of: str, manifests: Sequence[Manifest], progress: Progress, allowance: Allowance | None = None
    ) -> None:
        self.world.did(f"{self.name} settle {' '.join(str(objects.key(m)) for m in manifests)}")

    def lookup(self, asked: Sequence[Manifest]) -> tuple[Manifest | Unknown | None, ...]:
        return tuple(self.world.unseen or self.objects.get(objects.key(m)) for m in asked)

    def left_alone(self, manifests: Sequence[Manifest], fields: Mapping[Key, Collection[str]]) -> tuple[Manifest, ...]:
        """Nobody keeps books here, so that nothing has to be sent to stay."""
        at = [(m, objects.key(m)) for m in manifests]
        return tuple(keeping(m, self.objects[k], fields.get(k, ()), "") if k in self.objects else m for m, k in at)

    def prune(self, resources: Sequence[Resource]) -> None:
        if self.world.did(f"{self.name} prune {' '.join(f'{r.key} {r.id}' for r in resources)}"):
            for r in resources:
                self.objects.pop(r.key, None)
            gone = {r.id for r in resources} | {r.name for r in resources if r.kind == "PersistentVolumeClaim"}
            left = (r for r in self.world.outliving if r.id not in gone and r.fields.get("claim") not in gone)
            self.world.outliving = list(left)

    def cordon(self, leaving: Collection[str]) -> None:
        self.world.did(f"cordon {' '.join(sorted(leaving))}")

    def sessions(self) -> tuple[Session, ...] | Unknown:
        return tuple(self.world.sessions)

    def outliving(self) -> tuple[Resource, ...] | Unknown:
        return self.world.unseen or tuple(self.world.outliving)

    def retain(self, volumes: Sequence[str]) -> None:
        self.world.did(f"{self.name} retain {' '.join(volumes)}")

    def mark_sessions(self, movable: Mapping[str, bool]) -> None:
        self.world.did(f"mark {movable}")

    def label_nodes(self, nodes: Sequence[Resource]) -> None:
        self.world.labelled += nodes
        self.world.did(f"label {' '.join(n.name for n in nodes)}")


def _body(manifest: Manifest | None) -> str:
    return json.dumps({k: v for k, v in (manifest or {}).items() if k not in ("metadata", "status")}, sort_keys=True)


class World:
    """The cloud, the APIs, Terraform, Kubespray and git of one cluster, all in memory.

    `log` has what was done; an action that starts with a key of `fails` raises, one of `useless` changes nothing.
    """

    def __init__(self, root: Path, files: Mapping[str, str] = FILES) -> None:
        self.root = root
        self.resources: list[Resource] = []
        self.nodes: list[Resource] | Listing = []
        self.kinds: dict[str, Listing] = {}
        self.log: list[str] = []
        self.fails: dict[str, ReconcilerError] = {}
        self.useless: set[str] = set()
        self.workspaces: list[Workspace] = []
        self.playbooks: list[Playbook] = []
        self.labelled: list[Resource] = []
        self.recorded: list[tuple[dict[str, str], str]] = []
        self.before_apply: Callable[[], None] = lambda: None
        self.apis = {"own": Api(self, "own"), "moc": Api(self, "moc")}
        self.known: dict[str, str] | None = None
        self.newer: set[str] = set()
        self.unsigned = False
        self.fetched = 0
        self.offered: tuple[str, ...] = ()
        self.certificates: list[Resource] = []
        self.unseen: Unknown | None = None
        self.allowed: dict[str, Allotment] = {}
        self.now = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
        self.pods: tuple[Symptom, ...] = ()
        self.guests: tuple[Guest, ...] = ()
        self.sessions: list[Session] = []
        self.outliving: list[Resource] = []
        self.consoles: dict[str, str | Unknown] = {}
        self.consoles_asked: list[str] = []
        self.known_hosts: dict[Place, Vouched] = {}
        self.cached_facts: set[str] = set()
        self.versions: list[tuple[str, dict[str, str]]] = []
        self.disregarded: list[tuple[str, str]] = []
        self.named = ""
        self.signed = False
        self.number = 0
        self.fences: list[str] = []
        self.past: dict[str, set[str]] = {}
        self.machines = Machines(self)
        (root / "moc").touch()
        self.take(files)

    def take(self, files: Mapping[str, str]) -> None:
        """Let git say something else."""
        self.files = {path: text.encode() for path, text in files.items()}
        (self.desired,) = desired_state.load(self.files)

    def cycle(self, *, ready: float = 0.0, survey: Survey | None = None) -> Cycle:
        tools = Toolkit(
            repository=self, cloud=lambda _: self, kubernetes=self._api, terraform=lambda: Terraform(self),
            kubespray=Kubespray(self), machines=self.machines, openshift={"moc": Access(self.root / "moc")},
            progress=QuietProgress(),
            state=self.root / "state", environment={"A": "b"}, ready_seconds=ready,
            guests=lambda _, nodes: self.apis["own"].guests(nodes),
            quota=lambda _: self.allowed,
            terraform_state=lambda folder: Ids(self.known) if self.known is not None else None,
        )  # fmt: skip
        survey = survey or Survey(lambda _: self, ("demo",))
        return Cycle(self.desired, "c0ffee", self.files, tools, survey, lambda: self.now)

    def approve(self, digest: str, *guards: str, expires: str = "2026-12-01") -> None:
        """A reviewed line in git says yes to a plan."""
        text = self.files[FILE].decode()
        line = f"{{plan: '{digest}', guards: [{', '.join(guards)}], expires: '{expires}'}}"
        self.take(
            {**{p: t.decode() for p, t in self.files.items()}, FILE: f"{text}  guards: {{approvals: [{line}]}}\n"}
        )

    def settle(self) -> None:
        """Reconcile until there is nothing to do, and forget how it was done."""
        outcome, _ = self.cycle().reconcile()
        assert outcome.status == "in sync", (outcome.error, outcome.after.open)
        for told in (self.log, self.workspaces, self.playbooks, self.labelled, self.recorded):
            told.clear()

    def held(self) -> None:
        """Let Terraform's states on this machine hold what is live, as far as Terraform makes such."""
        moc = self.apis["moc"]
        made = (key for key in moc.objects if key.kind != "Secret" and key not in moc.kept)
        self.known = {address(r.kind, r.name): r.id for r in self.resources} | {objects.address(k): "" for k in made}

    def lose(self, kind: str, name: str) -> None:
        self.resources = [r for r in self.resources if (r.kind, r.name) != (kind, name)]

    def did(self, action: str) -> bool:
        """Note an action; say whether it has its effect."""
        self.log.append(action)
        for start, error in self.fails.items():
            if action.startswith(start):
                raise error
        return not any(action.startswith(start) for start in self.useless)

    def _api(self, access: Access) -> Api:
        return self.apis["moc" if access.kubeconfig.name == "moc" else "own"]

    # Cloud

    def observe(self, clusters: Sequence[str]) -> CloudSnapshot:
        kinds: dict[str, Listing] = {k: Known(tuple(r for r in self.resources if r.kind == k)) for k in KINDS}
        names = {
            kind: Known(tuple(Resource(kind, n) for n in found))
            for kind, found in (("f", ("m1.medium", "m1.large")), ("i", ("ubuntu-24.04", "b")), ("n", ("public",)))
        }
        return CloudSnapshot({**kinds, **self.kinds}, names["f"], names["i"], names["n"], Known())

    def prune(self, kind: str, id: str) -> None:
        if self.did(f"cloud prune {kind} {id}"):
            self.resources = [r for r in self.resources if r.id != id]

    def join(self, port: str, subnet: str) -> None:
        self.did(f"cloud join {port} {subnet}")

    def reboot(self, server: str) -> None:
        self.did(f"cloud reboot {server}")

    def console(self, server: str) -> str | Unknown:
        self.consoles_asked.append(server)
        return self.consoles.get(server, Unknown("consoles are not for everybody"))

    # Repository

    def resolve(self, ref: str) -> str:
        return ref

    def snapshot(self, commit: str, roots: tuple[str, ...], only: Collection[str] | None = None) -> Snapshot:
        return Snapshot(self.files)

    def observed(self, folder: str) -> Mapping[str, bytes]:
        last = self.recorded_state
        return {path: text.encode() for path, text in last.items()}

    recorded_state: Mapping[str, str] = {}
    records_signed = False
    signing = False

    def verified(self) -> bool:
        return self.records_signed

    def history(self, path: str) -> Iterator[tuple[str, bytes]]:
        return ((when, files[path].encode()) for when, files in reversed(self.versions) if path in files)

    def disregard(self, path: str, content: bytes, why: str) -> None:
        self.disregarded.append((path, why))

    def last_recorded(self, folder: str) -> str:
        return self.named

    def observed_at(self, folder: str) -> datetime.datetime | None:
        said = self.recorded[-1][1].partition("\nObserved-At: ")[2].strip() if self.recorded else ""
        return datetime.datetime.fromisoformat(said) if said else None

    def lease_number(self, folder: str) -> int:
        return self.number

    def descends(self, commit: str, ancestor: str) -> bool | None:
        return commit == ancestor or (ancestor in self.past[commit] if commit in self.past else None)

    def fetch(self) -> None:
        self.fetched += 1

    def superseded(self, commit: str, by: str) -> bool:
        return by in self.newer

    def verify(self, commit: str) -> None:
        if self.unsigned:
            raise Blocked(f"commit {commit} is not signed")

    def record(self, folder: str, files: Files, message: str) -> str | None:
        wanted = files(self.observed(folder)) if callable(files) else files
        if wanted is None:
            return None
        files = wanted
        self.recorded.append((dict(files), message))
        self.recorded_state = dict(files)
        self.versions.append((self.now.isoformat(), dict(files)))
        return "commit"

    def fence(self, folder: str, message: str) -> None:
        self.fences.append(message)

    def propose(self, branch: str, base: str, files: Mapping[str, bytes], message: str, *, push: bool = True) -> str:
        self.did(f"propose {branch} on {base}: {' '.join(sorted(files))}")
        return "proposed"


@dataclass
class Terraform:
    world: World

    def apply(self, workspace: Workspace, progress: Progress) -> None:
        self.world.workspaces.append(workspace)
        self.world.before_apply()
        if not self.world.did(f"terraform {workspace.directory.name}"):
            return
        if workspace.directory.name == "infrastructure":
            self._infrastructure(workspace)
        else:
            said: Any = workspace.variables["manifests"]
            api = self.world.apis["moc"]
            secrets = {key: m for key, m in api.objects.items() if key.kind == "Secret" or key in api.kept}
            api.objects = {**secrets, **{objects.key(m): m for m in map(yaml.safe_load, said.values())}}
        if self.world.known is not None:
            self.world.held()

    def unlock(self, workspace: Workspace, lock: str, progress: Progress) -> None:
        self.world.did(f"terraform unlock {workspace.directory.name} {lock}")

    def take(self, workspace: Workspace, progress: Progress) -> int:
        self.world.workspaces.append(workspace)
        return 0

    def _infrastructure(self, workspace: Workspace) -> None:
        """As git says: all of it, or what the run may touch; what is left out of the variables is not there."""
        world, only = self.world, workspace.only
        there = {r.key: r for r in world.resources}
        strays = [r for r in world.resources if r.id.startswith("stray")]
        servers: Any = workspace.variables["servers"]
        asked = [r for r in infrastructure(world.desired.cluster) if r.kind not in _OWN or r.name in servers]
        wanted = {r.key: r for r in asked if r.kind != "server" or not servers[r.name]["held"]}
        made = {key: _live(r, n, there.get(key)) for n, (key, r) in enumerate(wanted.items(), 1)}
        if only is not None:
            touched = {key: r for key, r in made.items() if address(r.kind, r.name) in only}
            kept = {key: r for key, r in there.items() if address(key.kind, key.name) not in only}
            made = {**kept, **touched}
        world.resources = [*(r for r in made.values() if not r.id.startswith("stray")), *strays]


_OWN = ("server", "port", "floating_ip")


def _live(wanted: Resource, number: int, before: Resource | None) -> Resource:
    address = {"fixed_ip": f"10.20.0.{number}", "address": f"192.0.2.{number}"} if wanted.kind == "server" else {}
    id = before.id if before else f"{wanted.kind}-{wanted.name}"
    kept = before.fields if before else address
    return Resource(wanted.kind, wanted.name, {**kept, **wanted.fields}, id, "demo")


@dataclass
class Machines:
    """What machines say over SSH: those of `installed`, by server id, have all that an installation leaves there, where
    `says` has no other line; those of `silent` say nothing. `kubeconfig` is what a control plane has; on those that are
    `living` an API answers."""

    world: World
    installed: set[str] = field(default_factory=set)
    says: dict[str, str] = field(default_factory=dict)
    silent: dict[str, ReconcilerError] = field(default_factory=dict)
    kubeconfig: str = ""
    asked: list[str] = field(default_factory=list)
    living: set[str] = field(default_factory=set)

    def ask(
        self, cluster: str, inventory: Mapping[str, object], machine: str, script: str, *, seconds: float = 20
    ) -> str:
        asked = {KUBECONFIG_SCRIPT: "kubeconfig", API_SCRIPT: "api"}.get(script, "traces")
        self.asked.append(f"{machine} {asked}")
        if machine in self.silent:
            raise self.silent[machine]
        if script == API_SCRIPT:
            return "api: ok\n" if machine in self.living else "api: \n"
        if script == KUBECONFIG_SCRIPT:
            return self.kubeconfig
        server = next(r for r in self.world.resources if (r.kind, r.name) == ("server", machine))
        there = "yes" if server.id in self.installed else "no"
        line = f"traces: etcd={there} kubelet={there} kubeconfig={there} instance= members=\n"
        return self.says.get(machine, line)

    def receive(self, *_: object, **__: object) -> None:
        raise AssertionError("nobody gives a snapshot here")

    def send(self, *_: object, **__: object) -> None:
        raise AssertionError("nobody takes a snapshot here")


@dataclass
class Kubespray:
    world: World

    def run(self, cluster: str, playbook: Playbook, progress: Progress) -> None:
        world = self.world
        world.playbooks.append(playbook)
        if not world.did(f"kubespray {playbook.name}") or playbook.name == "facts.yml":
            return
        if not isinstance(world.nodes, list):  # the playbook brings a kubeconfig that is taken
            world.nodes = []
        gone = str(playbook.variables.get("node", "")).split(",")
        world.nodes = [n for n in world.nodes if n.name not in gone]
        if playbook.name != "remove-node.yml":
            servers = [r for r in world.resources if r.kind == "server"]
            made = nodes(world.desired.cluster, servers)
            world.nodes = [replace(n, id=f"uid-{n.name}") for n in made]
            members = {m.name for m in machines(world.desired.cluster) if m.role in ("control-plane", "etcd")}
            world.machines.installed |= {s.id for s in servers if s.name in members}
            self.kubeconfig(cluster).touch()

    def host_keys(self, cluster: str, places: Collection[Place]) -> Mapping[Place, Vouched]:
        return {place: self.world.known_hosts[place] for place in places if place in self.world.known_hosts}

    def pin(self, cluster: str, keys: Mapping[Place, Vouched]) -> None:
        self.world.known_hosts |= keys

    def without_facts(self, cluster: str, hosts: Collection[str]) -> tuple[str, ...]:
        return tuple(host for host in hosts if host not in self.world.cached_facts)

    def forget(self, cluster: str, addresses: Collection[str]) -> None:
        gone = [place for place in self.world.known_hosts if place[0] in addresses]
        for place in gone:
            del self.world.known_hosts[place]
        self.world.did(f"forget {' '.join(addresses)}")

    def versions(self) -> Collection[str]:
        return self.world.offered

    def kubeconfig(self, cluster: str) -> Path:
        return self.world.root / "kubeconfig"
