"""The smallest Kubespray playbook for what drifted among the nodes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..model.change import Action, Class, Difference, Severity
from ..model.naming import CERTIFICATE
from ..model.plan import RENEW, Counts, Step, Tool
from ..model.resource import Component

_METADATA = ("labels.", "taints", "provider_id")


@dataclass(frozen=True, slots=True)
class Roles:
    """Which hosts git wants in which part. `etcd` are hosts of its own; left empty, it runs on the control plane.
    `installed` are the hosts of control plane and etcd that the cluster was installed on, `lost` those of them whose
    machine is gone or another one now."""

    control_plane: frozenset[str] = frozenset()
    etcd: frozenset[str] = frozenset()
    nodes: frozenset[str] = frozenset()
    installed: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()

    @property
    def members(self) -> frozenset[str]:
        """Who has a part of what can't be lost."""
        return self.control_plane | self.etcd

    @property
    def broken(self) -> frozenset[str]:
        """Members to be replaced within a cluster that lives on; when nobody is left, there is none to go on with."""
        survivors = (self.installed - self.lost) & (self.etcd or self.control_plane)
        return self.lost & self.members if survivors else frozenset()


def kubernetes_steps(
    differences: Sequence[Difference],
    roles: Roles,
    *,
    rebuilt: Collection[str],
    balancer: Action,
    reboot: frozenset[str] = frozenset(),
    absent: frozenset[str] = frozenset(),
) -> tuple[list[Step], list[Step]]:
    """Return the steps before and after infrastructure is applied.

    `rebuilt` names the servers that this same plan makes (again): their nodes have to join, whatever the API still says
    of them; `absent` those that nobody makes, which can't join. Nodes that leave are drained
    before their servers go. `balancer` is what becomes of the load balancer: all nodes and certificates name its
    address, so cluster.yml runs once it has another, and before it goes.
    """
    nodes = [d for d in differences if d.component is Component.KUBERNETES and d.key.kind == "node" and d.actionable]
    staying = [d for d in nodes if d.action is not Action.DELETE]
    before = _remove([d for d in nodes if d.action is Action.DELETE])
    if balancer is Action.DELETE:
        before.append(_playbook("cluster.yml", roles.control_plane, staying, "leave the load balancer"))
    reboot &= {d.key.name for d in staying if d.field == "ready"}
    joining = _joining(staying, rebuilt, roles) - reboot - absent
    outdated = {d.key.name for d in staying if d.field == "version"} - joining
    relabelled = {d.key.name for d in staying if d.field.startswith(_METADATA)} - joining
    # a kubelet must not be newer than the API: who joins waits for the upgrade (Kubernetes' version skew policy)
    after = [*_reboot(reboot, staying), *_upgrade(outdated, staying, roles), *_join(joining, staying, roles, balancer)]
    if relabelled:
        after.append(_metadata(relabelled, staying))
    return before, after


def fetch_steps(differences: Sequence[Difference]) -> list[Step]:
    """cluster.yml, for the kubeconfig that it fetches: the API does not take ours any more."""
    refused = tuple(d for d in differences if d.key.kind == CERTIFICATE and d.action is Action.REPLACE)
    if not refused:
        return []
    targets = tuple(str(d.key) for d in refused)
    summary = "fetch the kubeconfig again"
    return [Step(Component.KUBERNETES, Tool.KUBESPRAY, "cluster.yml", summary, targets, Counts(replace=1), refused)]


def renewal_steps(differences: Sequence[Difference], roles: Roles, *, ended_only: bool = False) -> list[Step]:
    """Renew what ends soon, on one control plane after another. With `ended_only` what has ended already: then that is
    why the API says nothing."""
    ending = tuple(
        d
        for d in differences
        if d.key.kind == CERTIFICATE
        and d.action is Action.UPDATE
        and (d.severity is Severity.CRITICAL or not ended_only)
    )
    if not ending:
        return []
    targets = tuple(sorted(roles.control_plane))
    summary = f"renew the certificates of {_names(targets)}, one after another"
    return [Step(Component.KUBERNETES, Tool.KUBERNETES, RENEW, summary, targets, Counts(update=len(ending)), ending)]


def _joining(staying: Sequence[Difference], rebuilt: Collection[str], roles: Roles) -> frozenset[str]:
    """Hosts that are missing, that never became ready, or whose server is another than the node remembers."""
    missing = {d.key.name for d in staying if d.action is Action.CREATE or d.field == "ready"}
    moved = {d.key.name for d in staying if d.field == "provider_id" and d.live}
    fresh = roles.etcd - roles.installed if roles.installed else frozenset()
    return frozenset(missing | moved | fresh | roles.broken | (set(rebuilt) & (roles.members | roles.nodes)))


def _join(joining: frozenset[str], staying: Sequence[Difference], roles: Roles, balancer: Action) -> Iterator[Step]:
    """scale.yml for workers; whatever touches the control plane or etcd is cluster.yml's."""
    if roles.broken:
        summary = f"put {_names(roles.broken)} out of etcd and the control plane"
        yield _playbook("recover-control-plane.yml", roles.broken, staying, summary)
    if joining & roles.members:
        yield _playbook("cluster.yml", joining, staying, "install or repair the control plane and its nodes")
    elif balancer in (Action.CREATE, Action.REPLACE):
        yield _playbook("cluster.yml", joining | roles.control_plane, staying, "go through the new load balancer")
    elif joining:
        yield _playbook("scale.yml", joining, staying, f"join {_names(joining)}")


def _reboot(names: Collection[str], staying: Sequence[Difference]) -> Iterator[Step]:
    if names:
        targets = tuple(sorted(names))
        mine = tuple(d for d in staying if d.key.name in names and d.field == "ready")
        counts, summary = Counts(update=len(targets)), f"reboot {_names(targets)}, not Ready for too long"
        yield Step(Component.KUBERNETES, Tool.OPENSTACK, "reboot", summary, targets, counts, mine)


def _upgrade(outdated: Collection[str], staying: Sequence[Difference], roles: Roles) -> Iterator[Step]:
    """Kubespray takes the control plane first and workers in batches. Workers alone are a run limited to them."""
    if outdated:
        limited = not set(outdated) & roles.control_plane
        yield _playbook("upgrade-cluster.yml", outdated, staying, f"upgrade {_names(outdated)}", limited=limited)


def _remove(leaving: Sequence[Difference]) -> list[Step]:
    if not leaving:
        return []
    names = sorted({d.key.name for d in leaving})
    summary = f"drain and remove {_names(names)}"
    counts = Counts(delete=len(names))
    return [
        Step(Component.KUBERNETES, Tool.KUBESPRAY, "remove-node.yml", summary, tuple(names), counts, tuple(leaving))
    ]


def _playbook(
    name: str, hosts: Iterable[str], differences: Sequence[Difference], summary: str, *, limited: bool = False
) -> Step:
    targets = tuple(sorted(hosts))
    mine = tuple(d for d in differences if d.key.name in targets)
    stale = sorted({d.key.name for d in mine if d.action is not Action.CREATE and d.cls is not Class.UNKNOWN})
    counts = Counts(create=len(targets) - len(stale), update=len(stale))
    limit = {"limit": ",".join(targets)} if limited or name == "scale.yml" else {}
    return Step(Component.KUBERNETES, Tool.KUBESPRAY, name, summary, targets, counts, mine, limit)


def _metadata(names: Iterable[str], differences: Sequence[Difference]) -> Step:
    targets = tuple(sorted(names))
    mine = tuple(d for d in differences if d.key.name in targets and d.field.startswith(_METADATA))
    summary = f"set labels, taints or providerID of {_names(targets)}"
    return Step(Component.KUBERNETES, Tool.KUBERNETES, "label", summary, targets, Counts(update=len(targets)), mine)


def _names(names: Iterable[str]) -> str:
    several = sorted(names)
    return ", ".join(several) if len(several) <= 5 else f"{', '.join(several[:4])} and {len(several) - 4} more"
