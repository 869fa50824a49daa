"""The composition root: settings and a clone in, ready-made cycles out. Only here do ports meet adapters."""

from __future__ import annotations

import datetime
import hashlib
import os
import sys
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

from . import interrupt
from .adapters.forge import boundaries, forge
from .adapters.git import Checkout, GitLeases, GitRepository, RefWatch, Signature, Signers, Trust, working_tree
from .adapters.kubernetes import KubernetesApi, KubernetesWatches
from .adapters.kubespray import UPSTREAM, VERSION_FILE, Given, Kubespray, Release
from .adapters.openstack import OpenStackCloud
from .adapters.terraform import Encryption, known
from .adapters.terraform import Terraform as OpenTofu
from .control import kubeconfigs, record
from .control.cycle import Cycle, Moment
from .control.destroy import wish_of
from .control.executor import Executor
from .control.lease import Terms
from .control.recognise import recognised
from .control.revision import FOLDERS, Desired, Purpose, revision
from .control.survey import Survey
from .control.take import Taken, taken
from .control.toolkit import Access, Toolkit
from .control.watched import watched
from .control.ways import Ways
from .engine import sessions
from .engine.destroy import Wish
from .errors import Invalid, ReconcilerError, Transient
from .loading import Loading
from .model.quota import Quota
from .model.resource import Listing, Unknown
from .ports import Boundaries, Cloud, Forge, Gate, Kubernetes, Logins, Progress, Terraform, Watcher
from .process import Redactor
from .serve import autoscaler
from .serve.autoscaler import Book, Ground, Journal, Seen, Server, Tls
from .serve.connections import Limits
from .serve.daemon import Listening, Parts
from .serve.secret import Secret
from .settings import OpenShift, Settings, in_ci
from .spec import codeowners, desired_state, versions, wiring
from .spec.found import Choice, Guesses
from .spec.load import DesiredCluster, counted
from .spec.tree import Raw, mistakes
from .toolchain import Toolbox, pins

_APIS_KEPT = 16  # Kubernetes APIs whose connections stay open; those of a fleet would be most of a daemon's memory
# How long a round's checks believe what the remote said of the observed branch: it is fetched between them anyway.
_TRUST_SECONDS = 60.0
# What terraform/openshift-app's provider calls itself; it can't be told another name.
TERRAFORMS_MANAGER = "kubectl"


@dataclass
class App:
    """One clone, one set of settings. Connections are made at their first use and kept."""

    settings: Settings
    path: Path
    progress: Progress
    _clouds: dict[str, OpenStackCloud] = field(default_factory=dict)
    _apis: dict[str, KubernetesApi] = field(default_factory=dict)
    _keeping: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def working_tree(self) -> Desired:
        """The desired state as it lies on disk, as a commit of it would be, for checking before that. Kustomize folders
        and charts are built where kubectl, helm and the chart are on this machine; else the clusters say which were
        not. Raises Invalid with every mistake, also in what no cluster uses."""
        there = working_tree(self.path, FOLDERS)
        files = Raw(there.files, there.refused)
        if problems := mistakes(files):
            raise Invalid(counted(problems), problems=problems)
        return Desired("", files, desired_state.complete(self._loading.sources(files, files, here=True)))

    def code_owners(self) -> dict[str, bytes]:
        """What a forge may read code owners from, as it lies on disk, by path; the first one counts."""
        files = ((name, self.path / name) for name in codeowners.PLACES)
        return {name: file.read_bytes() for name, file in files if file.is_file() and not file.is_symlink()}

    def _on_disk(self) -> Mapping[str, bytes]:
        return working_tree(self.path, FOLDERS).files

    def found(self, cloud: str, name: str, choice: Choice, guesses: Guesses) -> Taken:
        """What runs in a cloud as the cluster `name`, as a first cluster.yaml. Raises what `taken` raises."""
        files = self._on_disk()
        others = {path.split("/")[1] for path in files if path.count("/") > 1 and path.startswith("desired/")}
        if guesses.kubernetes is None:
            offered = self._kubespray(files.get(VERSION_FILE)).versions()
            guesses = replace(guesses, kubernetes=versions.last(offered) or pins.load()["kubectl"].version)
        return taken(name, cloud, self._cloud(cloud).observe(sorted({name, *others})), files, choice, guesses)

    def take(self, found: Taken) -> int:
        """Let Terraform's state know what runs; returns how many changes it would make next. Changes no cloud."""
        executor = Executor(found.desired, self._on_disk(), self.toolkit)
        return executor.take(found.live, found.left, found.there)

    def check_versions(self, state: Desired) -> None:
        """Compare the Kubernetes versions with what was last applied, as far as this clone's observed branch knows it,
        and with what Kubespray installs. Asks nobody. Raises Invalid with every problem."""
        offered = self._kubespray(state.files.get(VERSION_FILE)).versions()
        found = [p for c in state.clusters for p in versions.check(c, self._running(c.name), offered)]
        if found:
            raise Invalid("the desired state asks for a Kubernetes it can't get", problems=found)

    def _running(self, cluster: str) -> tuple[str, ...]:
        try:
            applied = record.applied(self.repository, self.repository.observed(cluster), cluster)
        except ReconcilerError:  # no clone, or none that could be read: then nothing is known of what runs
            return ()
        return record.versions_applied(applied)

    def at(self, ref: str, purpose: Purpose = Purpose.LOOK) -> Desired:
        """The desired state at a commit, whatever lies in the working tree: the clusters that can be loaded, and what
        is wrong with the others. A commit that is not signed as it has to be can be looked at: nothing encrypted is
        opened for it, and nothing fetched. Raises Invalid where there is no cluster at all, and for the fleet's
        mistakes; Blocked."""
        at = revision(self.repository, ref, None)
        return self._loading.reader(trusted=self._loading.trusted(at.commit, purpose)).everything(at)

    @cached_property
    def _loading(self) -> Loading:
        return Loading(self.settings, self.repository, self.toolbox, self.progress)

    def raw(self, commit: str) -> Mapping[str, bytes]:
        """The files of a commit as git has them, what is encrypted included."""
        return self.repository.snapshot(commit, FOLDERS).files

    def survey(self, state: Desired) -> Survey:
        """A new round: every cloud is asked once, whichever clusters look at it."""
        return Survey(self._cloud, state.names)

    def cycle(
        self,
        state: Desired,
        cluster: DesiredCluster,
        survey: Survey | None = None,
        *,
        progress: Progress | None = None,
        expected: bool = False,
        told: Callable[[Moment], None] = lambda _: None,
        doing: Callable[[str], None] = lambda _: None,
        wish: Wish | None = None,
    ) -> Cycle:
        """One cluster's cycle, in a round of its own unless it shares a `survey`; `told` and `doing` hear of it. Where
        a change is `expected`, the lease is taken before the look. With a `wish`, or where git says so, it is
        destroyed."""
        kubespray = self._kubespray(state.files.get(VERSION_FILE))
        toolkit = replace(self.toolkit, kubespray=kubespray, progress=progress or self.progress)
        survey = survey or self.survey(state)
        wanted_elsewhere = {output for output in state.referred if output.cluster == cluster.name}
        referred = wiring.wanted(state.clusters, cluster.name) | wanted_elsewhere
        others = {other.name: other for other in (*state.clusters, *state.near)}
        return Cycle(
            cluster, state.commit, state.files, toolkit, survey,
            expected=expected, told=told, doing=doing, referred=referred, others=others,
            wish=wish or wish_of(cluster.cluster),
        )  # fmt: skip

    def ways(self, watcher: Watcher, progress: Callable[[str], Progress]) -> Ways:
        """What a daemon reaches the world by."""
        return Ways(
            repository=self.repository,
            reader=self._loading.reader(trusted=True),
            cycle=self.cycle,
            survey=lambda fleet: Survey(self._cloud, fleet),
            feed=self._openstack,
            apis=lambda cluster, sight: watched(cluster, sight, self.toolkit),
            watcher=watcher,
            progress=progress,
        )

    def parts(self) -> Parts:
        """What a daemon is made of."""
        watches = partial(KubernetesWatches, gate=self._gate)
        return Parts(self.ways, watches, lambda moved: RefWatch(self.path, moved))

    def listening(self) -> Listening:
        """Where a daemon listens, and what it believes. A default port may be somebody else's, a chosen one may not."""
        http, hook = self.settings.http, self.settings.webhook
        return Listening(
            access=http.access,
            port=http.port,
            must=bool(http.model_fields_set & {"address", "port"}),
            secret=Secret("the webhook's secret", "webhook.secretFile", hook.secret_file, hook.secret_variable),
            token=http.token,
            limits=Limits(http.max_connections, http.per_address),
            max_bytes=hook.max_bytes,
            per_minute=hook.per_minute,
        )

    @cached_property
    def repository(self) -> GitRepository:
        git = self.settings.git
        return GitRepository(
            self.path,
            remote=git.remote,
            branch=git.observed_branch,
            author=(git.author_name, git.author_email),
            deadline=self.settings.timeouts.git,
            trust=_TRUST_SECONDS,
            log=self.progress.log,
            signers=Signers(git.signers.ssh, git.signers.gnupg),
            signature=Signature(git.signing_key) if git.signing_key else None,
            record_trust=Trust(Signers(git.record_signers.ssh, git.record_signers.gnupg), git.records_from or ""),
        )

    @cached_property
    def checkout(self) -> Checkout:
        """The branch that is checked out in the clone. Raises Invalid where there is no clone."""
        return Checkout(self.path, self.settings.timeouts.git)

    @cached_property
    def forge(self) -> Forge:
        """Where this job's pull requests and issues are. Asks nobody yet. Raises Invalid where there is none."""
        return forge(os.environ)

    @cached_property
    def boundaries(self) -> Boundaries:
        """What that forge keeps from whoever may push a branch. Asks nobody yet. Raises like `forge`."""
        return boundaries(os.environ)

    def autoscaler(self, cluster: str, address: str, tls: Tls | None) -> Server:
        """The autoscaler's server of one cluster. Nothing is asked before it starts."""
        said = self.settings.autoscaler
        terms = autoscaler.Terms(said.gpu_label, said.gpu_resource)
        bot = said.pull_request_branch.replace("{cluster}", cluster)
        return Server(
            book=Book(self.repository, cluster, said.branch, bot, self.progress.log),
            journal=Journal(self.state / cluster / "autoscaler"),
            look=self._seen,
            tell=self.progress.log,
            address=address,
            tls=tls,
            poll=said.poll,
            terms=terms,
            cordon=partial(self._cordon, cluster),
            mark=partial(self._mark, cluster),
        )

    def _mark(self, cluster: str) -> None:
        """Say of each session whether it may be moved. Raises Transient where they can't be listed."""
        access = self.toolkit.api(cluster)
        if not access.kubeconfig.exists():
            return
        api = self._kubernetes(access)
        found = api.sessions()
        if isinstance(found, Unknown):
            raise Transient(found.reason, hint=found.hint)
        api.mark_sessions(sessions.marks(found, datetime.datetime.now(datetime.UTC)))

    def _cordon(self, cluster: str, leaving: Collection[str]) -> None:
        """Without a kubeconfig here there is nobody to ask: the next cycle drains what goes."""
        access = self.toolkit.api(cluster)
        if access.kubeconfig.exists():
            self._kubernetes(access).cordon(leaving)

    def _seen(self, ground: Ground) -> Seen:
        """What the autoscaler is told of one cluster: its machines, its nodes, and what the last cycle failed with."""
        cluster, access = ground.cluster, self.toolkit.api(ground.cluster.name)
        snapshot = self._cloud(cluster.spec.cloud).observe((cluster.name,))
        state = known(self.toolkit.workspace(cluster.name))
        servers = recognised(cluster, snapshot.of(cluster.name), state)["server"]
        failed = record.last_failed(self.repository, cluster.name)
        return Seen(servers, self._nodes(access), snapshot.flavors, failed.error, failed.commit)

    def _nodes(self, access: Access) -> Listing:
        """Without a kubeconfig here they are unknown, and not none: another clone may have it."""
        if not access.kubeconfig.exists():
            hint = "serve where the cluster is installed from, or put one into the folder `kubeconfigs` of the settings"
            return Unknown(f"there is no kubeconfig {access.kubeconfig}", hint)
        return self._kubernetes(access).nodes()

    def _leases(self) -> Terms:
        git = self.settings.git
        author, deadline = (git.author_name, git.author_email), self.settings.timeouts.git
        store = GitLeases(self.path, remote=git.remote, author=author, deadline=deadline, log=self.progress.log)
        return Terms(store, git.lease_seconds)

    @cached_property
    def toolbox(self) -> Toolbox:
        return Toolbox(self.settings.cache_folder, overrides=self.settings.tools, progress=self.progress)

    @cached_property
    def state(self) -> Path:
        """State belongs to a clone: two repositories with a cluster of one name never share it."""
        place = str(self.path.resolve())
        return self.settings.state_folder / f"{Path(place).name}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"

    @cached_property
    def toolkit(self) -> Toolkit:
        return Toolkit(
            repository=self.repository,
            cloud=self._cloud,
            kubernetes=self._kubernetes,
            terraform=self._terraform,
            terraform_state=known,
            kubespray=self._kubespray(),
            openshift={name: self._access(name, target) for name, target in self.settings.openshift.items()},
            progress=self.progress,
            state=self.state,
            environment={},
            ready_seconds=self.settings.timeouts.ready,
            leases=self._leases(),
            kubeconfigs=self.settings.kubeconfigs,
            whisper=self._whisper,
            ephemeral=not self.settings.terraform.keeps_disk and in_ci(os.environ),
            accept_rewrite=self.settings.git.accept_rewrite,
            sealing=bool(self.settings.terraform.key_file or self.settings.terraform.key_variable),
            gate=self._gate,
            login=lambda cloud: self._openstack(cloud).login(),
            guests=lambda access, nodes: self._kubernetes(access).guests(nodes),
            quota=self._quota,
            gpu_label=self.settings.autoscaler.gpu_label,
        )

    @cached_property
    def _gate(self) -> Gate:
        return kubeconfigs.by_place(self.settings.state_folder)

    def _whisper(self, text: str) -> None:
        """What may hold anything is shown on a terminal; CI and a daemon's log keep what they are given."""
        if sys.stderr.isatty() and not os.environ.get("CI"):
            self.progress.log(text)

    @property
    def logins(self) -> Logins:
        """How people log in to machines."""
        return self._kubespray()

    def _kubespray(self, version: bytes | None = None) -> Kubespray:
        """Kubespray as the settings or `version`, the version file of a commit, name it; got when a playbook runs."""
        cache = self.settings.cache_folder
        given, url = self.settings.kubespray, self.settings.kubespray_mirror or UPSTREAM
        return Kubespray(
            Given(given, cache) if given else Release(version, url, cache, self.settings.fetch.allowed),
            state=self.state,
            private_key=self.settings.ssh_key,
            timeout=self.settings.timeouts.playbook,
            environment={},
            templates=self.settings.ansible.allow_variables,
            cancel=interrupt.requested,
        )

    def _quota(self, name: str) -> Quota:
        cloud = self._cloud(name)
        return cloud.quota() if isinstance(cloud, OpenStackCloud) else {}

    def _cloud(self, name: str) -> Cloud:
        return self._openstack(name)

    def _openstack(self, name: str) -> OpenStackCloud:
        if name not in self._clouds:
            timeout = self.settings.timeouts.cloud
            self._clouds[name] = OpenStackCloud(name, clouds_file=self.settings.clouds_file, timeout=timeout)
        return self._clouds[name]

    def _kubernetes(self, access: Access) -> Kubernetes:
        """One connection for one content of the kubeconfig: a cluster made anew has another authority."""
        content = access.kubeconfig.read_bytes() if access.kubeconfig.exists() else b""
        name = hashlib.sha256(str(access).encode() + content).hexdigest()[:12]
        if name not in self._apis:
            self._apis[name] = KubernetesApi(
                access.kubeconfig,
                context=access.context,
                field_manager=access.manager,
                timeout=self.settings.timeouts.kubernetes,
                cache=self.state / "seen" / f"{name}.json",
                gate=self._gate,
            )
        return self._kept(name)

    def _kept(self, name: str) -> KubernetesApi:
        """The one asked for. Who was not asked for the longest lets go of its connections."""
        with self._keeping:
            mine = self._apis[name] = self._apis.pop(name)
            if len(self._apis) > _APIS_KEPT:
                tuple(self._apis.values())[-_APIS_KEPT - 1].rest()
        return mine

    def _terraform(self) -> Terraform:
        binary, phrase = self.toolbox.ensure("tofu")["tofu"].path, self.settings.terraform.passphrase()
        redactor, sealed = Redactor([phrase] if phrase else []), Encryption(phrase) if phrase else None
        return OpenTofu(binary, self.toolbox.cli_config(), self.settings.timeouts.terraform, redactor, sealed)

    def _access(self, name: str, target: OpenShift) -> Access:
        if target.cluster:
            return Access(self._kubespray().kubeconfig(target.cluster), target.context, TERRAFORMS_MANAGER)
        if target.kubeconfig:
            return Access(target.kubeconfig, target.context, TERRAFORMS_MANAGER)
        raise Invalid(f"the settings' openshift target {name!r} names neither kubeconfig nor cluster")
