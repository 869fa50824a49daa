"""Carries out steps: each by the tool the planner named, with what the newest look at the cluster found."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from .. import interrupt
from ..engine.diff import MAYBE_DONE, meant
from ..errors import Permanent, ReconcilerError, Transient
from ..model.change import Action, Difference
from ..model.desired import Cluster
from ..model.login import Login
from ..model.naming import CERTIFICATE
from ..model.outcome import StepOutcome
from ..model.plan import JOIN, RENEW, Step, Tool
from ..model.presence import Nothing
from ..model.resource import Component, Resource, Value
from ..ports import Allowance, Kubernetes, Playbook, Workspace
from ..spec.load import DesiredCluster
from ..spec.render import objects
from ..spec.render.infrastructure import infrastructure
from ..spec.render.kubernetes import Hosts, hosts_of, inventory, nodes, reached
from ..spec.render.state import backend
from ..spec.render.terraform import PARTS, UNREAD, address, association, kept, variables
from ..spec.tree import below
from . import drains, fetched, host_keys, installed, kubeconfigs, removal
from .allowed import removing, taken
from .finished import Finished
from .made_from import as_made, told, touched
from .objects_compared import AS, openshift, part_of
from .readiness import not_ready, upgrades, waiting
from .renewal import renew
from .sight import Sight
from .step_objects import earlier, left_alone, to_prune
from .toolkit import Access, Toolkit
from .ways_in import balancer_of

_POLL_SECONDS = 0.5
_PRUNING = (
    *("server", "floating_ip", "member", "monitor", "listener", "pool", "load_balancer"),
    *("router_interface", "port", "security_group_rule", "router", "subnet", "network", "security_group"),
    *("server_group", "keypair"),
)
_LAST_LINES = 10


@dataclass(frozen=True)
class Executor:
    """Runs the steps of one cluster. `files` are those of the desired commit: modules come from there, not from
    whatever lies in a working folder."""

    desired: DesiredCluster
    files: Mapping[str, bytes]
    tools: Toolkit

    def run(self, step: Step, sight: Sight) -> StepOutcome:
        """Carry out one step. A failure is part of the outcome, not an exception."""
        started = time.monotonic()
        try:
            interrupt.check_certain()
            self._handler(step)(step, sight)
        except ReconcilerError as error:
            self._show(error)
            return StepOutcome(step, time.monotonic() - started, error.message, error.hint or "")
        return StepOutcome(step, time.monotonic() - started)

    def _show(self, error: ReconcilerError) -> None:
        """The evidence's last lines. What a user's container said is for whoever is watching and for no log."""
        if error.evidence:
            say = self.tools.whisper if error.evidence.private else self.tools.progress.log
            for line in error.evidence.last_lines[-_LAST_LINES:]:
                say(f"  | {line}")

    def _handler(self, step: Step) -> Callable[[Step, Sight], None]:
        on_cluster: Mapping[tuple[Tool, str], Callable[[Step, Sight], None]] = {
            (Tool.TERRAFORM, "apply"): self._terraform,
            (Tool.OPENSTACK, "prune"): self._prune_cloud,
            (Tool.OPENSTACK, "reboot"): self._reboot,
            (Tool.OPENSTACK, JOIN): self._join,
            (Tool.KUBERNETES, "label"): self._label,
            (Tool.KUBERNETES, "apply"): self._apply,
            (Tool.KUBERNETES, "prune"): self._prune_objects,
            (Tool.KUBERNETES, "retain"): self._retain,
            (Tool.KUBERNETES, RENEW): partial(renew, self.desired, self.tools),
        }
        return self._playbook if step.tool is Tool.KUBESPRAY else on_cluster[step.tool, step.operation]

    # infrastructure

    def _terraform(self, step: Step, sight: Sight) -> None:
        if step.component is Component.APPLICATIONS:
            self._openshift_app(step, sight)
            return
        place = self._workspace(
            "openstack-cluster",
            "infrastructure",
            variables(self.desired.cluster, told(kept(infrastructure(self.desired.cluster), step.keep), step, sight)),
            live=self._live_addresses(sight),
            may_destroy=_addresses(d for d in step.differences if d.action in (Action.DELETE, Action.REPLACE))
            | self._parts(d for d in step.differences if d.action is Action.REPLACE),
            replace=_addresses(d for d in step.differences if d.action is Action.REPLACE and d.key.kind == "server"),
            reread=_addresses(d for d in step.differences if (d.key.kind, d.field.partition(".")[0]) in UNREAD),
            only=touched(step, self._parts(step.differences)) if step.narrow else None,
        )
        doomed = self._not_held(step, "infrastructure")
        self.tools.terraform().apply(place, self.tools.progress)
        self._prune_ids(doomed)

    def _not_held(self, step: Step, workspace: str) -> list[Difference]:
        """What is to be deleted and, as far as this machine knows, Terraform's state does not hold. Where there is no
        state here, or others write it too, that shows only afterwards: then it is deleted by its id as well."""
        ids = self.tools.terraform_state(self.tools.workspace(self.desired.name, workspace))
        named = objects.address if step.component is Component.APPLICATIONS else None
        held = ids.by_address if ids else {}
        doomed = (d for d in step.differences if d.action is Action.DELETE)
        return [d for d in doomed if (named(d.key) not in held if named else d.id not in held.values())]

    def take(self, live: Mapping[str, str], keep: Sequence[Difference], there: Sequence[Resource]) -> int:
        """Let Terraform's state know what is live at these addresses (address to id), and change nothing of it. `keep`
        stays as it is live; `there` is all that is. Returns how many changes Terraform would make next."""
        resources = kept(infrastructure(self.desired.cluster), keep)
        values = variables(self.desired.cluster, as_made(resources, there))
        other = [d for d in keep if d.field in ("tag", "security_groups")]
        place = self._workspace("openstack-cluster", "infrastructure", values, live=live, reread=_addresses(other))
        return self.tools.terraform().take(place, self.tools.progress)

    def _live_addresses(self, sight: Sight) -> dict[str, str]:
        """Where everything of ours that is live belongs in Terraform's state: a run that was killed may have made
        things it never wrote down."""
        mine = Component.INFRASTRUCTURE
        wanted = {r.key: r for r in sight.expected.resources(mine)}
        live = [r for kind in sight.observed.kinds(mine) for r in sight.observed.resources(mine, kind)]
        found: dict[str, str] = {}
        for resource in meant(wanted.values(), (r for r in live if r.key in wanted)):
            found[address(resource.kind, resource.name)] = resource.id
            if resource.kind == "floating_ip" and any(resource.fields.get(f) for f in ("server", "load_balancer")):
                found[association(resource.name)] = resource.id
        return found

    def _parts(self, replaced: Iterable[Difference]) -> frozenset[str]:
        """What is made anew with something else and has nothing of its own to lose."""
        kinds = {part for d in replaced for part in PARTS.get(d.key.kind, ())}
        return frozenset(address(r.kind, r.name) for r in infrastructure(self.desired.cluster) if r.kind in kinds)

    def _prune_cloud(self, step: Step, _: Sight) -> None:
        self._prune_ids(step.differences)

    def _prune_ids(self, differences: Iterable[Difference]) -> None:
        """What hangs on a thing goes before the thing. One that can't be deleted keeps no other: a machine that is
        locked must not keep a rule that lets everybody in. Raises the last failure, with all that is left."""
        cloud = self.tools.cloud(self.desired.cluster.spec.cloud)
        failed: dict[str, ReconcilerError] = {}
        for difference in sorted(differences, key=lambda d: (_PRUNING.index(d.key.kind), d.id)):
            interrupt.check_own()
            try:
                cloud.prune(difference.key.kind, difference.id)
                self.tools.progress.log(f"pruned {difference.key}")
            except ReconcilerError as error:
                failed[f"{difference.key} ({difference.id})"] = error
        if failed:
            last = tuple(failed.values())[-1]
            retry = any(isinstance(error, Transient) for error in failed.values())
            message = f"could not delete {', '.join(failed)}: {last.message}"
            raise (Transient if retry else Permanent)(message, hint=last.hint)

    def _join(self, step: Step, _: Sight) -> None:
        for d in step.differences:
            self.tools.cloud(self.desired.cluster.spec.cloud).join(d.id, str(d.desired))

    # kubernetes

    def _playbook(self, step: Step, sight: Sight) -> None:
        """A limited run takes the others from the cache of facts: facts.yml goes before it for whom that lacks."""
        hosts, run = self._hosts(step, sight), self._run_playbook
        said, name = inventory(self._cluster(sight), hosts), self.desired.name
        if step.operation == "remove-node.yml":
            host_keys.pin(self.desired.cluster, sight.servers, self.tools)
            run(Playbook(step.operation, said, variables=removal.variables(step, sight)), step.targets)
            installed.forget(self.tools.state, name, step.targets)
            return
        self._forget_replaced(step, sight)
        servers = sight.servers
        host_keys.pin(self.desired.cluster, servers, self.tools, booting=[s.name for s in servers])
        if step.operation == "cluster.yml" and isinstance(sight.presence, Nothing):
            installed.begin(self.tools.state, self.desired.name, installed.members(self.desired.cluster, sight.servers))
        if step.operation == "recover-control-plane.yml":
            run(Playbook(step.operation, said, limit=("etcd", "kube_control_plane"), variables={"etcd_retries": 10}))
            self._remember(step, sight)
            return
        limit = tuple(name for name in step.arguments.get("limit", "").split(",") if name)
        if limit and (lacking := self.tools.kubespray.without_facts(name, hosts_of(said))):
            run(Playbook("facts.yml", said, lacking))
        api = reached(self.desired.cluster, hosts.servers, hosts.balancer)
        variables = {"serial": self.desired.cluster.spec.kubernetes.upgrade.batch} if upgrades(step) else {}
        run(Playbook(step.operation, said, limit, variables, api), step.targets if upgrades(step) else ())
        if step.operation == "cluster.yml":
            self._remember(step, sight)
        if any(d.key.kind == CERTIFICATE for d in step.differences):
            fetched.remember(self.tools.state, self.desired.name, self.tools.api(self.desired.name).kubeconfig)
        self._await_ready(step, sight)

    def _hosts(self, step: Step, sight: Sight) -> Hosts:
        before = installed.installed_on(self.tools.state, self.desired.name)
        joining = waiting(step, sight, before) if upgrades(step) else frozenset()
        recovers = step.operation == "recover-control-plane.yml"
        return Hosts(
            servers=[s for s in sight.servers if s.name not in joining],
            balancer=balancer_of(self.desired.cluster, sight.observed.kinds(Component.INFRASTRUCTURE)),
            installed=before.keys() - installed.lost(before, sight.servers),
            leaving=step.targets if step.operation == "remove-node.yml" else (),
            broken=step.targets if recovers else (),
        )

    def _remember(self, step: Step, sight: Sight) -> None:
        """Write down on which machines the cluster is, those excepted that were only put out of it."""
        out = step.targets if step.operation == "recover-control-plane.yml" else ()
        members = installed.members(self.desired.cluster, sight.servers)
        installed.remember(self.tools.state, self.desired.name, (s for s in members if s.name not in out))

    def _run_playbook(self, playbook: Playbook, drained: Collection[str] = ()) -> None:
        with drains.watched(self.tools, self.desired.name, drained):
            self.tools.kubespray.run(self.desired.name, replace(playbook, login=self._login()), self.tools.progress)

    def _forget_replaced(self, step: Step, sight: Sight) -> None:
        """A node whose server is another now keeps the old providerID for ever, so it is made anew; and the new
        server answers with another host key."""
        joined = {n.fields.get("provider_id"): n for n in sight.nodes}
        fresh = [s for s in sight.servers if s.name in step.targets and f"openstack:///{s.id}" not in joined]
        addresses = [str(s.fields["address"]) for s in fresh if s.fields.get("address")]
        self.tools.kubespray.forget(self.desired.name, addresses)
        names = {s.name for s in fresh}
        left = [n for n in sight.nodes if n.name in names and n.fields.get("provider_id")]
        stale = [Resource("Node", n.name, id=n.id) for n in left]
        if stale:
            self._api(self.tools.api(self.desired.name)).prune(stale)

    def _await_ready(self, step: Step, sight: Sight) -> None:
        """A playbook that ends well is not a node that works: wait until the API says Ready, then set what
        Kubespray doesn't (providerID, and labels that changed meanwhile)."""
        api = self._api(self.tools.api(self.desired.name))
        wanted = {n.name: n for n in nodes(self._cluster(sight), sight.servers) if n.name in step.targets}
        deadline = time.monotonic() + self.tools.ready_seconds
        with self.tools.progress.task("nodes Ready") as task:
            task.total(len(wanted))
            while True:
                interrupt.check_own()
                missing = not_ready(api, wanted)
                task.status(", ".join(missing))
                if not missing:
                    break
                if time.monotonic() > deadline:
                    hint = "look at the kubelet's log on the machine (journalctl -u kubelet)"
                    raise Transient(f"not Ready after {self.tools.ready_seconds:g} s: {', '.join(missing)}", hint=hint)
                time.sleep(_POLL_SECONDS)
            task.advance(len(wanted))
        api.label_nodes(list(wanted.values()))

    def _reboot(self, step: Step, sight: Sight) -> None:
        """A node that stays away is the next cycle's: the server says when it was rebooted."""
        cloud = self.tools.cloud(self.desired.cluster.spec.cloud)
        for server in (s for s in sight.servers if s.name in step.targets):
            interrupt.check_own()
            cloud.reboot(server.id)
            self.tools.progress.log(f"rebooted {server.name}")
        with contextlib.suppress(Transient):
            self._await_ready(step, sight)

    def _label(self, step: Step, _: Sight) -> None:
        """What git no longer names is in no expected node: the differences have it, with nothing desired."""
        said: dict[str, dict[str, Value]] = {}
        for d in step.differences:
            said.setdefault(d.key.name, {})[d.field] = d.desired
        wanted = [Resource("node", name, fields) for name, fields in sorted(said.items())]
        self._api(self.tools.api(self.desired.name)).label_nodes(wanted)

    # objects

    def _apply(self, step: Step, sight: Sight) -> None:
        if step.component is Component.APPLICATIONS:
            self._past_terraform(step, sight)
            return
        keys = {d.key for d in step.differences}
        asked = [m for m in sight.manifests[step.component][""] if objects.key(m) in keys]
        api, group = self._api(self.tools.api(self.desired.name)), part_of(self.desired.name, step.component)
        digests = {r.key: r.digest for r in sight.expected.resources(step.component)}
        finished = Finished(self.tools.state, self.desired.name)
        allowance = Allowance(
            sight.patience,
            taken(step),
            removing(step),
            lambda key, within: finished.note(key, digests.get(key, ""), within),
        )
        for d in (d for d in step.differences if d.why == MAYBE_DONE):
            self.tools.progress.log(f"warning: {d.key} {d.why}")
        if before := earlier(step, sight):
            api.settle(group, before, self.tools.progress, allowance)
        api.apply(group, left_alone(api, asked, step), self.tools.progress, allowance)

    def _past_terraform(self, step: Step, sight: Sight) -> None:
        """What Terraform must not see goes past it, with the namespaces it needs; and so does taking out what somebody
        added to its objects, as Terraform itself would if it saw that."""
        target = step.arguments["target"]
        names = {(d.key.kind, d.key.name) for d in step.differences}
        secrets = {name for kind, name in names if kind == "Secret"}
        spaces = {name.partition("/")[0] for name in secrets}
        past = {("Secret", name) for name in secrets} | {("Namespace", space) for space in spaces}
        wanted = sight.manifests[Component.APPLICATIONS].get(target, ())
        found = [(k.kind, k.name, m) for m in wanted for k in (objects.key(m),)]
        group = part_of(self.desired.name, Component.APPLICATIONS)
        api = self._api(openshift(self.desired, target, self.tools))
        allowance = Allowance(taking=taken(step), removing=removing(step))
        if own := [m for kind, name, m in found if (kind, name) in past]:
            api.apply(group, left_alone(api, own, step), self.tools.progress, allowance)
        if others := [m for kind, name, m in found if (kind, name) in names - past]:
            kept_fields = left_alone(api, others, step)
            api.apply(group, kept_fields, self.tools.progress, allowance, manager=AS[step.component])

    def _prune_objects(self, step: Step, sight: Sight) -> None:
        target = step.arguments.get("target", "")
        access = openshift(self.desired, target, self.tools) if target else self.tools.api(self.desired.name)
        self._api(access).prune(to_prune(step.differences, sight))

    def _retain(self, step: Step, _: Sight) -> None:
        self._api(self.tools.api(self.desired.name)).retain(step.targets)

    def _openshift_app(self, step: Step, sight: Sight) -> None:
        target = step.arguments["target"]
        access = openshift(self.desired, target, self.tools)
        kubeconfig = kubeconfigs.for_program(access.kubeconfig, self.tools.gate)
        manifests = left_alone(self._api(access), sight.manifests[Component.APPLICATIONS].get(target, ()), step)
        group = part_of(self.desired.name, Component.APPLICATIONS)
        texts = {objects.name(m): objects.text(objects.labelled(m, group)) for m in manifests if m["kind"] != "Secret"}
        gone = self._not_held(step, f"applications-{target}")
        doomed = {d.key for d in step.differences if d.action is Action.DELETE}
        # the module only lets go of a namespace (apply_only), which Terraform's plan calls a deletion
        doomed |= {r.key for r in sight.observed.resources(step.component, "Namespace") if r.target == target}
        place = self._workspace(
            "openshift-app",
            f"applications-{target}",
            {"manifests": texts, "kubeconfig": str(kubeconfig), "context": access.context},
            may_destroy=frozenset(objects.address(key) for key in doomed),
            forget=frozenset(objects.address(key) for key in sight.held.get(target, ())),
        )
        self.tools.terraform().apply(place, self.tools.progress)
        if gone:
            self._api(access).prune(to_prune(gone, sight))

    # what they share

    def _workspace(
        self,
        module: str,
        workspace: str,
        values: Mapping[str, object],
        *,
        live: Mapping[str, str] | None = None,
        may_destroy: frozenset[str] = frozenset(),
        replace: frozenset[str] = frozenset(),
        reread: frozenset[str] = frozenset(),
        forget: frozenset[str] = frozenset(),
        only: frozenset[str] | None = None,
    ) -> Workspace:
        folder = f"terraform/{module}/"
        files = {path.removeprefix(folder): text for path, text in below(self.files, folder).items()}
        if not files:
            raise Permanent(f"the desired commit has no {folder}", hint="copy it from the project and commit it")
        place = backend(self.desired.state, self.desired.name, workspace)
        login = self._login() if workspace == "infrastructure" else None
        about = (self.tools.environment, live or {}, may_destroy, replace, reread, forget, only, place, login)
        return Workspace(self.tools.workspace(self.desired.name, workspace), files, values, *about)

    def _login(self) -> Login | None:
        return self.tools.login(self.desired.cluster.spec.cloud)

    def _cluster(self, sight: Sight) -> Cluster:
        """As its nodes are to be: labels that follow from flavors are set when a kubelet starts, not afterwards."""
        return sight.cluster or self.desired.cluster

    def _api(self, access: Access) -> Kubernetes:
        return self.tools.kubernetes(access)


def _addresses(differences: Iterable[Difference]) -> frozenset[str]:
    return frozenset(address(d.key.kind, d.key.name) for d in differences)
