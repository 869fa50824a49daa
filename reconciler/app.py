"""The composition root: settings and a clone in, ready-made cycles out. Only here do ports meet adapters."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from .adapters.forge import boundaries, forge
from .adapters.git import Checkout, GitLeases, GitRepository, RefWatch, Signature, Signers, Trust, working_tree
from .adapters.kubernetes import KubernetesWatches
from .adapters.kubespray import VERSION_FILE
from .adapters.openstack import OpenStackCloud
from .adapters.terraform import known
from .connections import Connections
from .control import record
from .control.claims import Claims
from .control.cycle import Cycle, Moment
from .control.destroy import wish_of
from .control.executor import Executor
from .control.lease import Terms
from .control.machine_lock import Neighbours, alone_here
from .control.one_cycle import one_cycle
from .control.presence import at_hand
from .control.recognise import recognised
from .control.revision import FOLDERS, Desired, Purpose, revision
from .control.survey import Survey
from .control.take import Taken, taken
from .control.toolkit import Toolkit
from .control.watched import watched
from .control.ways import Terms as Options
from .control.ways import Ways
from .engine import sessions
from .engine.destroy import Wish
from .errors import Invalid, Permanent, ReconcilerError, Transient
from .loading import Loading
from .model.desired import Cluster
from .model.presence import Nothing
from .model.resource import Kinds, Listing, Unknown
from .ports import Boundaries, Forge, Logins, Progress, Watcher
from .serve import autoscaler
from .serve.autoscaler import Book, Ground, Journal, Seen, Server, Tls
from .serve.connections import Limits
from .serve.daemon import Listening
from .serve.member import Begun, Parts
from .serve.secret import Secret
from .settings import Settings, in_ci
from .spec import codeowners, desired_state, versions, wiring
from .spec.found import Choice, Guesses
from .spec.load import DesiredCluster, counted
from .spec.tree import Raw, mistakes
from .toolchain import Toolbox, pins

# How long a round's checks believe what the remote said of the observed branch: it is fetched between them anyway.
_TRUST_SECONDS = 60.0


@dataclass
class App:
    """One clone, one set of settings. Connections are made at their first use and kept, by this one alone. The name
    of the repository is "" unless a daemon has several; then nothing of the machine's user lets anybody in. `followed`
    is the ref that says which clusters it has."""

    settings: Settings
    path: Path
    progress: Progress
    repository_name: str = ""
    claims: Claims | None = None
    followed: str = "HEAD"

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
            offered = self.connections.kubespray(files.get(VERSION_FILE)).versions()
            guesses = replace(guesses, kubernetes=versions.last(offered) or pins.load()["kubectl"].version)
        return taken(name, cloud, self._cloud(cloud).observe(sorted({name, *others})), files, choice, guesses)

    def take(self, found: Taken) -> int:
        """Let Terraform's state know what runs; returns how many changes it would make next. Changes no cloud.
        Raises Transient while a cycle of a cluster of this name runs here."""
        desired, neighbours = found.desired, self.toolkit.neighbours
        cloud = desired.cluster.spec.cloud
        with one_cycle(self.toolkit.state, desired.name), alone_here(neighbours, desired.name, cloud, None):
            executor = Executor(desired, self._on_disk(), self.toolkit)
            return executor.take(found.live, found.left, found.there)

    def check_versions(self, state: Desired) -> None:
        """Compare the Kubernetes versions with what was last applied, as far as this clone's observed branch knows it,
        and with what Kubespray installs. Asks nobody. Raises Invalid with every problem."""
        offered = self.connections.kubespray(state.files.get(VERSION_FILE)).versions()
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
        desired = self._loading.reader(trusted=self._loading.trusted(at.commit, purpose)).everything(at)
        if purpose is Purpose.APPLY and ref == self.followed:
            self._keep(desired.names)
        return desired

    @cached_property
    def _loading(self) -> Loading:
        return Loading(self.settings, self.repository, self.toolbox, self.progress, name=self.repository_name)

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
        take: bool = False,
    ) -> Cycle:
        """One cluster's cycle, in a round of its own unless it shares a `survey`; `told` and `doing` hear of it. Where
        a change is `expected`, the lease is taken before the look. With a `wish`, or where git says so, it is
        destroyed. `take`: from now on its name is this repository's. Raises Blocked where it is another one's."""
        kubespray = self.connections.kubespray(state.files.get(VERSION_FILE))
        toolkit = replace(self.toolkit, kubespray=kubespray, progress=progress or self.progress)
        survey = survey or self.survey(state)
        with contextlib.suppress(Transient, Permanent, Invalid):  # nothing is decided of what can't be seen
            self._claim(cluster, take=take)
        wanted_elsewhere = {output for output in state.referred if output.cluster == cluster.name}
        referred = wiring.wanted(state.clusters, cluster.name) | wanted_elsewhere
        others = {other.name: other for other in (*state.clusters, *state.near)}
        return Cycle(
            cluster, state.commit, state.files, toolkit, survey,
            expected=expected, told=partial(self._claimed, cluster, told), doing=doing, referred=referred,
            others=others, wish=wish or wish_of(cluster.cluster),
        )  # fmt: skip

    def _claimed(self, cluster: DesiredCluster, told: Callable[[Moment], None], moment: Moment) -> None:
        """Before anything is changed it must be sure that no other repository's cluster is there. Raises Blocked, and
        what keeps us from knowing."""
        if moment is Moment.APPLYING:
            self._claim(cluster, take=True)
        told(moment)

    def _claim(self, cluster: DesiredCluster, *, take: bool) -> None:
        if self.claims is None:
            return
        places, all_known = self.connections.places(cluster, self._cloud(cluster.cluster.spec.cloud).project())
        if take:
            self.claims.take(self.repository_name, cluster.name, places, all_known=all_known)
        else:
            self.claims.check(self.repository_name, cluster.name, places)

    def _fleet_survey(self, fleet: Sequence[str]) -> Survey:
        """For a daemon, of the clusters that its repository has from now on."""
        self._keep(fleet)
        return Survey(self._cloud, fleet)

    def _keep(self, clusters: Collection[str]) -> None:
        """Names of clusters that are not in git any more are free; while nobody can tell, nothing is."""
        if self.claims is not None:
            with contextlib.suppress(Transient, Permanent):
                self.claims.keep(self.repository_name, clusters)

    def ways(self, watcher: Watcher, progress: Callable[[str], Progress]) -> Ways:
        """What a daemon reaches the world by."""
        return Ways(
            repository=self.repository,
            reader=self._loading.reader(trusted=True),
            cycle=partial(self.cycle, take=True),
            survey=self._fleet_survey,
            feed=self._cloud,
            apis=lambda cluster, sight: watched(cluster, sight, self.toolkit),
            watcher=watcher,
            progress=progress,
        )

    def parts(self) -> Parts:
        """What a daemon is made of."""
        watches = partial(KubernetesWatches, gate=self.connections.gate)
        return Parts(self.ways, watches, lambda moved: RefWatch(self.path, moved))

    def begun(self, terms: Options) -> Begun:
        """What a daemon reconciles this repository by. Raises Invalid where there is no clone."""
        hook = self.settings.webhook
        secret = Secret("the webhook's secret", "webhook.secretFile", hook.secret_file, hook.secret_variable)
        return Begun(self.parts(), terms, secret, self.repository.address())

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
        api = self.connections.kubernetes(access)
        found = api.sessions()
        if isinstance(found, Unknown):
            raise Transient(found.reason, hint=found.hint)
        api.mark_sessions(sessions.marks(found, datetime.datetime.now(datetime.UTC)))

    def _cordon(self, cluster: str, leaving: Collection[str]) -> None:
        """Without a kubeconfig here there is nobody to ask: the next cycle drains what goes."""
        access = self.toolkit.api(cluster)
        if access.kubeconfig.exists():
            self.connections.kubernetes(access).cordon(leaving)

    def _seen(self, ground: Ground) -> Seen:
        """What the autoscaler is told of one cluster: its machines, its nodes, and what the last cycle failed with."""
        cluster = ground.cluster
        snapshot = self._cloud(cluster.spec.cloud).observe((cluster.name,))
        state = known(self.toolkit.workspace(cluster.name))
        found = recognised(cluster, snapshot.of(cluster.name), state)
        failed = record.last_failed(self.repository, cluster.name)
        return Seen(found["server"], self._nodes(cluster, found), snapshot.flavors, failed.error, failed.commit)

    def _nodes(self, cluster: Cluster, infrastructure: Kinds) -> Listing:
        """Without a kubeconfig here it is fetched from a machine; else they are unknown, and not none."""
        there = at_hand(cluster, self.toolkit, infrastructure)
        if isinstance(there, Nothing):
            return Unknown(f"nothing is installed on the machines of {cluster.name}", "reconciler apply installs it")
        if isinstance(there, Unknown):
            return there
        return self.connections.kubernetes(self.toolkit.api(cluster.name)).nodes()

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
    def connections(self) -> Connections:
        return Connections(self.settings, self.state, lambda: self.toolbox, alone=not self.repository_name)

    @cached_property
    def toolkit(self) -> Toolkit:
        return Toolkit(
            repository=self.repository,
            cloud=self._cloud,
            kubernetes=self.connections.kubernetes,
            terraform=self.connections.terraform,
            terraform_state=known,
            kubespray=self.connections.kubespray(),
            openshift=self.connections.openshift(),
            progress=self.progress,
            state=self.state,
            environment={},
            ready_seconds=self.settings.timeouts.ready,
            leases=self._leases(),
            neighbours=Neighbours(lambda cloud: self._cloud(cloud).project(), self.path.resolve()),
            kubeconfigs=self.settings.kubeconfigs,
            whisper=self._whisper,
            ephemeral=not self.settings.terraform.keeps_disk and in_ci(os.environ),
            accept_rewrite=self.settings.git.accept_rewrite,
            sealing=bool(self.settings.terraform.key_file or self.settings.terraform.key_variable),
            gate=self.connections.gate,
            login=lambda cloud: self._cloud(cloud).login(),
            guests=lambda access, nodes: self.connections.kubernetes(access).guests(nodes),
            quota=lambda cloud: self._cloud(cloud).quota(),
            gpu_label=self.settings.autoscaler.gpu_label,
            machines=self.connections.kubespray(),
            backup_store=self.connections.backup_store,
            cipher=self.connections.cipher,
        )

    def _whisper(self, text: str) -> None:
        """What may hold anything is shown on a terminal; CI and a daemon's log keep what they are given."""
        if sys.stderr.isatty() and not os.environ.get("CI"):
            self.progress.log(text)

    @property
    def logins(self) -> Logins:
        """How people log in to machines."""
        return self.connections.kubespray()

    def _cloud(self, name: str) -> OpenStackCloud:
        return self.connections.cloud(name)


def listening(settings: Settings) -> Listening:
    """Where a daemon listens, and what it believes. A default port may be somebody else's, a chosen one may not."""
    http, hook = settings.http, settings.webhook
    return Listening(
        access=http.access,
        port=http.port,
        must=bool(http.model_fields_set & {"address", "port"}),
        token=http.token,
        limits=Limits(http.max_connections, http.per_address),
        max_bytes=hook.max_bytes,
        per_minute=hook.per_minute,
    )
