"""What this machine has for one cluster, what it would get by itself, and what it may not: the lines of
`reconciler doctor --cluster`. Changes nothing but which host keys are insisted on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import ReconcilerError
from ..model.check import Check
from ..model.host_key import Source
from ..model.lease import Lease
from ..model.naming import NEVER_RAN
from ..model.presence import Nothing, Traces
from ..model.resource import Known, Resource, Unknown
from ..spec.load import DesiredCluster
from ..spec.render.kubernetes import Hosts, hosts_of, inventory
from ..spec.render.machines import machines
from ..spec.render.state import backend
from . import backups, host_keys, locks
from .login import servers_of
from .machine_lock import MachineLock
from .presence import offering
from .regain import Machines
from .toolkit import Toolkit
from .unlock import workspaces


@dataclass(frozen=True)
class Scene:
    """One cluster as this machine sees it. `servers` are live; `answers` has what each machine that was asked
    says of itself, or why it says nothing."""

    desired: DesiredCluster
    tools: Toolkit
    key: Path
    servers: Sequence[Resource] = ()
    hosts: Mapping[str, object] = field(default_factory=dict)
    answers: Mapping[str, Traces | Unknown] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The machines of the inventory, without a bastion."""
        return hosts_of(self.hosts) if self.hosts else ()


def checks(desired: DesiredCluster, tools: Toolkit, key: Path) -> Iterator[Check]:
    """Every line about one cluster, in the order in which they matter. `key` is the private key that logs in. Raises
    nothing of ours: what can't be seen is a line."""
    scene = Scene(desired, tools, key)
    yield _key(scene)
    try:
        scene = _looked(scene)
    except ReconcilerError as error:
        yield Check("machines", None, error.message, error.hint or "")
    for part in _PARTS:
        try:
            yield from part(scene)
        except ReconcilerError as error:
            yield Check(part.__name__.strip("_").replace("_", " "), None, error.message, error.hint or "")


def _looked(scene: Scene) -> Scene:
    """With what the cloud and the machines say. Raises what the cloud raises."""
    cluster = scene.desired.cluster
    servers = servers_of(cluster, scene.tools)
    hosts, live = inventory(cluster, Hosts(servers)), {server.name: server for server in servers}
    there = Machines(cluster, scene.tools, {"server": Known(tuple(servers))}, live)
    answers = there.traces([name for name in hosts_of(hosts) if name in live])
    return replace(scene, servers=servers, hosts=hosts, answers=answers)


def _key(scene: Scene) -> Check:
    if not scene.key.is_file():
        return Check("ssh key", False, f"there is no {scene.key}", "say in the settings where it lies (sshKey)")
    if scene.key.stat().st_mode & 0o077:
        return Check("ssh key", False, f"others may read {scene.key}", f"chmod 600 {scene.key}")
    return Check("ssh key", True, str(scene.key))


def _machines(scene: Scene) -> Iterator[Check]:
    """Whether each machine answers, and lets root do things without a password."""
    idle = {server.name for server in scene.servers if server.fields.get(NEVER_RAN)}
    for name, answer in scene.answers.items():
        what = f"machine {name}"
        if name in idle:
            yield Check(what, True, "never ran, the next apply makes it again")
        elif isinstance(answer, Unknown):
            yield Check(what, False, answer.reason, answer.hint or "")
        else:
            yield Check(what, True, "answers, and its user is root without a password")
    missing = sorted({m.name for m in machines(scene.desired.cluster)} - {s.name for s in scene.servers})
    if scene.hosts and missing:
        yield Check("machines", True, f"not there, the next apply makes them: {', '.join(missing)}")


def _host_keys(scene: Scene) -> Iterator[Check]:
    """Who vouches for each machine's key."""
    if not scene.servers:
        return
    known = host_keys.learned(scene.desired.cluster, scene.servers, scene.tools)
    for server in scene.servers:
        what = f"host key {server.name}"
        if server.id not in known:
            yield Check(what, None, "not known yet: whoever answers first is believed", optional=True)
            continue
        vouched = known[server.id].vouched
        hint = "compare it with the machine's console; a verified record keeps it" if _met(vouched.source) else ""
        words = f"{vouched.fingerprints}, by {vouched.source}"
        yield Check(what, None if _met(vouched.source) else True, words, hint, optional=True)


def _met(source: Source) -> bool:
    return source is Source.CONTACT


def _kubeconfig(scene: Scene) -> Iterator[Check]:
    """The one that is here, or where it would be read."""
    tools, name = scene.tools, scene.desired.name
    if own := tools.given(name):
        yield Check("kubeconfig", True, f"of an account of its own: {own}")
    elif (fetched := tools.kubespray.kubeconfig(name)).exists():
        yield Check("kubeconfig", True, f"the administrator's, fetched before: {fetched}")
    else:
        yield _elsewhere(scene)


def _api(scene: Scene) -> Iterator[Check]:
    """What its API says to the kubeconfig that is here."""
    access = scene.tools.api(scene.desired.name)
    if not access.kubeconfig.exists():
        return
    listing = scene.tools.kubernetes(access).nodes()
    if isinstance(listing, Known):
        yield Check("kubernetes", True, f"answers, and takes the kubeconfig: {len(listing.resources)} nodes")
    else:
        yield Check("kubernetes", None, listing.reason, listing.hint or "")


def _elsewhere(scene: Scene) -> Check:
    """Where a kubeconfig that is not here could be had."""
    if not scene.hosts:
        words = "not here, and nobody knows whether a machine has one"
        return Check("kubeconfig", None, words, "make the machines answer: see their lines")
    having = offering(scene.desired.cluster, [s.name for s in scene.servers], scene.answers)
    if isinstance(having, Unknown):
        return Check("kubeconfig", None, having.reason, having.hint or "")
    if isinstance(having, Nothing):
        return Check("kubeconfig", True, "not here, and nothing on the machines: Kubernetes is not installed yet")
    return Check("kubeconfig", True, f"not here; would be read over SSH from {having[0]}")


def _facts(scene: Scene) -> Iterator[Check]:
    if not scene.names:
        return
    lacking = scene.tools.kubespray.without_facts(scene.desired.name, scene.names)
    there = f"cached of {len(scene.names) - len(lacking)} machines"
    more = f"; gathered when a limited playbook needs them: {', '.join(lacking)}" if lacking else ""
    yield Check("facts", True, there + more)


def _terraform(scene: Scene) -> Iterator[Check]:
    """Where each of the cluster's states is, and what keeps this machine from writing one."""
    state = scene.desired.state
    if state.encrypted and not scene.tools.sealing:
        hint = "name it in the settings: terraform: {keyFile: …} or {keyVariable: …}"
        yield Check("terraform state key", False, "git wants the state encrypted, and there is no key here", hint)
    if state.local and scene.tools.ephemeral:
        hint = "name in desired/fleet.yaml where the state is kept, or set terraform: {keepsDisk: true} in the settings"
        yield Check(
            "terraform state place", False, "this is a CI job, whose disk goes with it, and the state too", hint
        )
    for name in workspaces(scene.desired):
        kept = backend(state, scene.desired.name, name)
        ids = scene.tools.terraform_state(scene.tools.workspace(scene.desired.name, name))
        place = f"in {kept.kind}" if kept else "in a folder of this machine"
        if ids is not None:
            words = f"{place}, {len(ids.by_address)} resources when it was last read here"
        elif kept:
            words = f"{place}, not read here yet: the next apply reads it"
        else:
            words = "not here: would be imported from what is live"
        yield Check(f"terraform state {name}", True, words)


def _records(scene: Scene) -> Iterator[Check]:
    repository = scene.tools.repository
    if repository.verified():
        yield Check("records", True, "verified: what known keys signed is believed")
        return
    hint = "git.recordSigners names the keys whose records are believed"
    yield Check("records", None, "not verified: what other machines recorded decides words only", hint, optional=True)


def _lease(scene: Scene) -> Iterator[Check]:
    terms = scene.tools.leases
    if terms is None or not terms.store.shared():
        yield Check("lease", True, "there is no remote: none is needed")
        return
    there = terms.store.read(scene.desired.name)
    lease = there[1] if there else None
    if lease is None or (isinstance(lease, Lease) and (lease.released or lease.expires < terms.clock())):
        yield Check("lease", True, "free")
    else:
        yield Check("lease", isinstance(lease, Lease), f"held by {lease}", "wait for it; it expires by itself")


def _lock(scene: Scene) -> Iterator[Check]:
    """Who has the lock of this clone's folder, and who the one of this machine, which is for all clones and users."""
    tools, name = scene.tools, scene.desired.name
    process = locks.holder(tools.state / name / "lock")
    yield Check("lock of this folder", True, f"held by process {process}: a cycle runs" if process else "free")
    if tools.neighbours is None:
        return
    project = tools.neighbours.project(scene.desired.cluster.spec.cloud)
    holder = MachineLock(project, name, tools.neighbours.clone).holder()
    answers = holder is None or holder.says is not None
    said = f"held by {holder}" if holder else "free"
    yield Check("lock of this machine", answers or None, said, holder.hint if holder else "")


def _backups(scene: Scene) -> Iterator[Check]:
    """Whether snapshots of etcd could be kept from here, where git wants them, and which are there."""
    if scene.desired.cluster.spec.kubernetes.backup is None:
        return
    backups.cipher(scene.tools)
    kept = backups.store(scene.desired, scene.tools).list(scene.desired.name)
    words = f"{len(kept)} snapshots of etcd, the last {max(kept).name}" if kept else "no snapshot of etcd yet"
    yield Check("backups", True, words)


def _kubespray(scene: Scene) -> Iterator[Check]:
    here = bool(scene.tools.kubespray.versions())
    yield Check("kubespray", True, "here" if here else "not here or without its checksums: got when a playbook runs")


_PARTS: tuple[Callable[[Scene], Iterator[Check]], ...] = (
    _machines,
    _host_keys,
    _kubeconfig,
    _api,
    _facts,
    _terraform,
    _records,
    _lease,
    _lock,
    _backups,
    _kubespray,
)
