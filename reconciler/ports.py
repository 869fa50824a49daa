"""What the reconciler needs from the world, as Protocols: adapters implement them, tests stand in for them."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from .model.lease import Lease
from .model.resource import Key, Kinds, Listing, Owner, Resource, Symptom, Unknown


class Task(Protocol):
    """One line of live progress. All methods may be called from any thread."""

    def total(self, units: float) -> None:
        """Say how much there is to do; until then the line shows activity only."""

    def advance(self, units: float = 1) -> None: ...

    def status(self, text: str) -> None:
        """Replace the short text behind the bar (the current play, resource or package)."""


class Progress(Protocol):
    """How long work is shown. `log` prints a line that stays; `task` is a line that lives while the block runs."""

    def log(self, text: str) -> None: ...

    def task(self, title: str) -> AbstractContextManager[Task]: ...


# the text of files by path; or how it follows from what the branch has by then
Files: TypeAlias = Mapping[str, str] | Callable[[Mapping[str, bytes]], Mapping[str, str] | None]


class Repository(Protocol):
    """The git repository: desired state is read at a commit, observed state is written to a branch of its own."""

    def resolve(self, ref: str) -> str:
        """Return the full commit id `ref` stands for. Raises Invalid when there is none."""

    def read(self, commit: str, folder: str) -> Mapping[str, bytes]:
        """Return every file below `folder` at `commit`, by its path from the repository's root. Starts no program."""

    def observed(self, folder: str) -> Mapping[str, bytes]:
        """Return the files below `folder` on the observed branch as this clone knows it; empty where there is none.
        Starts no program."""

    def history(self, path: str) -> Iterator[tuple[str, bytes]]:
        """Return what the file at `path` held on the observed branch, newest first, each with the time of the commit
        that wrote it (ISO 8601, UTC), as far as this clone's history goes. Lazy; starts no program."""

    def fetch(self) -> None:
        """Bring the remote's branches, the observed one included. Raises Transient when it can't be reached."""

    def superseded(self, commit: str, by: str) -> bool:
        """Say whether `commit` is an ancestor of `by`, and no branch of the remote is at it any more. What can't be
        told is no yes. Raises Transient when the remote can't be reached."""

    def verify(self, commit: str) -> None:
        """Raises Blocked when only commits signed by known keys are to be applied, and this one is not."""

    def record(self, folder: str, files: Files, message: str) -> str | None:
        """Make `files` (paths from the root) the whole content of `folder` on the observed branch and push it. Where
        that depends on what is there by then, `files` is a function of it; it may return None, for nothing.

        Returns the new commit's id, or None when nothing changed (then nothing is written). Another writer's
        commits are kept: fetch, rebuild the tree, push again, within a bound. Raises Transient when the remote
        can't be reached or the bound is reached.
        """

    def propose(self, branch: str, base: str, files: Mapping[str, bytes], message: str, *, push: bool = True) -> str:
        """Make a branch with one commit on top of `base` that replaces `files`, push it, and return the commit's id. No
        checkout is touched. Raises Invalid when there is such a branch; Permanent when the push is refused."""


class Followed(Protocol):
    """The git repository as a daemon follows it: brought up to date, and asked what is new."""

    def fetch(self) -> object:
        """Bring the remote's branches into this clone. Raises Transient when the remote can't be reached."""

    def resolve(self, ref: str) -> str:
        """Return the full commit id `ref` stands for. Raises Invalid when there is none."""

    def read(self, commit: str, folder: str) -> Mapping[str, bytes]:
        """Return every file below `folder` at `commit`, by its path from the repository's root. Starts no program."""

    def changed(self, before: str, after: str) -> frozenset[str]:
        """Return the paths that are not the same at two commits. Starts no program. Raises Permanent when one of them
        is not here any more."""


@dataclass(frozen=True, slots=True)
class Change:
    """One commit to be: files by path, which replace what is there, and the message."""

    files: Mapping[str, bytes]
    message: str


class Branches(Protocol):
    """Branches of the remote that people use too: read as they are, and written without a checkout."""

    def tips(self, branches: Sequence[str]) -> Mapping[str, str]:
        """Where these branches of the remote stand, their commits brought here, and the observed branch's with them;
        one that is not there is left out. Raises Transient when the remote can't be reached; Invalid without one."""

    def read(self, commit: str, folder: str) -> Mapping[str, bytes]:
        """Return every file below `folder` at `commit`, by its path from the repository's root."""

    def advance(self, branch: str, make: Callable[[str, str | None], Change | None], onto: str | None = None) -> str:
        """Put one commit on top of the remote's `branch`: what `make` makes of its tip, kept whatever others push.

        `make` is given the tip's commit and None, and is asked again for each new tip that somebody else was faster
        with; None is nothing to do. With `onto` the commit goes on top of that branch's tip instead, and *replaces*
        what `branch` had (a bot's own branch, for a pull request); `make` is then given both tips, the second None
        where there is no such branch. Returns the tip of `branch` (of `onto`, where there is nothing to do and no
        branch). Raises what `make` raises; Invalid where there is no remote or no such branch; Transient when the
        remote can't be reached or the bound is reached; Permanent when the push is refused.
        """


class Leases(Protocol):
    """Who may apply a cluster, kept where every reconciler of it looks. Who changes one says what was there before."""

    def shared(self) -> bool:
        """Say whether others can see these leases at all; when not, there is nothing to take. Starts no program."""

    def known(self, cluster: str) -> tuple[str, Lease] | None:
        """What `read` would say, as far as it is known here: asks nobody, and may be out of date."""

    def read(self, cluster: str) -> tuple[str, Lease] | None:
        """Return a cluster's last lease, held or given back, and by which name `swap` knows it; None when there never
        was one. Raises Transient when that can't be asked; Permanent when what is there is no lease."""

    def swap(self, cluster: str, before: str | None, after: Lease) -> str | None:
        """Put `after` in the place of `before` (None: nothing), and keep what other leases were there as its history.
        Return the name of `after`, or None when something else than `before` was there: then nothing was changed.
        Raises Transient when that can't be asked; Permanent when it is refused."""


@dataclass(frozen=True, slots=True)
class CloudSnapshot:
    """One project of one cloud. `kinds` holds the resources of every cluster in it, each with its `owner`;
    `flavors`, `images`, `networks` and `volume_types` are the names the desired state may refer to. `blind` has, by
    kind and owner, what could not be told of one cluster's alone: its machines' disks, while others boot from none."""

    kinds: Kinds
    flavors: Listing
    images: Listing
    networks: Listing
    volume_types: Listing
    blind: Mapping[str, Mapping[str, Unknown]] = field(default_factory=dict)

    def of(self, cluster: str) -> Kinds:
        """All of the project as one cluster may take it."""
        return {kind: self.blind.get(kind, {}).get(cluster, listing) for kind, listing in self.kinds.items()}


class Cloud(Protocol):
    """OpenStack. One implementation per SDK, one instance per cloud of clouds.yaml."""

    def observe(self, clusters: Sequence[str]) -> CloudSnapshot:
        """List everything of the project once, side by side. Raises Transient/Permanent/Invalid when the cloud
        can't be logged in to at all; a kind that can't be listed becomes Unknown."""

    def prune(self, kind: str, id: str) -> None:
        """Delete one resource by id; already gone is success."""

    def reboot(self, server: str) -> None:
        """Reboot a server, hard, and let its metadata say when. Raises Transient when it does not come back."""


@dataclass(frozen=True, slots=True)
class Touched:
    """A server that was made, changed or deleted. `owner` is its cluster, "" where its metadata does not say; `stamp`
    is the same as long as nothing changes any more."""

    id: str
    name: str
    owner: str
    stamp: str


class Feed(Protocol):
    """What a cloud tells for one cheap request."""

    def touched(self, since: datetime.datetime) -> tuple[Touched, ...]:
        """The servers of the project that changed since then, deleted ones included. Raises as Cloud.observe does."""


@dataclass(frozen=True, slots=True)
class Api:
    """A Kubernetes API to watch: the `kinds` of objects (`apps/v1/Deployment`), and whether its nodes are the
    cluster's own."""

    kubeconfig: Path
    context: str | None
    kinds: frozenset[str]
    nodes: bool = False


class Watcher(Protocol):
    """Says when something of ours changed on a Kubernetes API, without polling."""

    def follow(self, cluster: str, apis: Sequence[Api]) -> None:
        """Watch these for a cluster, and nothing else for it any more. Returns at once."""

    def streams(self) -> int:
        """How many watches are open now."""

    def close(self) -> None:
        """End all of them."""


@dataclass(frozen=True, slots=True)
class Backend:
    """Where a state is kept, other than in its folder: `kind` and `config` are Terraform's own words. What lets us in
    is in the environment."""

    kind: str
    config: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Ids:
    """The id of every sound resource of a state, by address, as this machine last saw them. Of a state that is `shared`
    another machine may know more."""

    by_address: Mapping[str, str]
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Workspace:
    """Everything one Terraform run needs. `directory` is private to a cluster and component;
    `module` is the module's files from the desired commit; `live` maps addresses to the ids of live resources of
    ours, so that what a killed run made but did not write down is imported instead of made twice.

    `replace` are addresses to make anew though Terraform sees no reason to (another image, a server in ERROR); they
    must be in `may_destroy` as well. `reread` are addresses that differ in a field the provider never reads back (a
    port's security groups, a server's metadata): they are forgotten and imported, so that the difference is seen.
    `forget` are addresses that the variables leave out for now: what is live there stays, and is taken back later.
    `backend` is where the state is kept; None for `directory`."""

    directory: Path
    module: Mapping[str, bytes]
    variables: Mapping[str, object]
    environment: Mapping[str, str]
    live: Mapping[str, str]
    may_destroy: frozenset[str]
    replace: frozenset[str] = frozenset()
    reread: frozenset[str] = frozenset()
    forget: frozenset[str] = frozenset()
    backend: Backend | None = None


class Terraform(Protocol):
    """OpenTofu or Terraform."""

    def apply(self, workspace: Workspace, progress: Progress) -> None:
        """Plan, check, and apply that very plan. Raises Blocked when the saved plan would delete or replace an
        address that is not in `may_destroy`; Transient or Permanent, with evidence, when a run fails."""

    def take(self, workspace: Workspace, progress: Progress) -> int:
        """Write what is live (`workspace.live`) into the state, and change nothing of it. Return how many changes an
        apply would make next. Raises Transient or Permanent, with evidence, when a run fails."""

    def unlock(self, workspace: Workspace, lock: str, progress: Progress) -> None:
        """Take away the lock that a dead run left on the state. Raises Permanent when there is another, or none."""


@dataclass(frozen=True, slots=True)
class Playbook:
    """One run of one of Kubespray's playbooks. `inventory` has Ansible's YAML shape. `api` is where we reach the API:
    the kubeconfig that the playbook fetches is made to say so."""

    name: str
    inventory: Mapping[str, object]
    limit: tuple[str, ...] = ()
    variables: Mapping[str, object] = field(default_factory=dict)
    api: str | None = None


class Kubespray(Protocol):
    """Kubespray through Ansible, with one private folder per cluster."""

    def run(self, cluster: str, playbook: Playbook, progress: Progress) -> None:
        """Run to the end. Raises Transient (a host unreachable) or Permanent, naming host, task and message."""

    def forget(self, cluster: str, addresses: Collection[str]) -> None:
        """Drop what is pinned of the machines that had these addresses before: others are there now."""

    def versions(self) -> Collection[str]:
        """The Kubernetes versions it installs, such as 1.35.4; empty where it does not say."""

    def kubeconfig(self, cluster: str) -> Path:
        """Where the cluster's kubeconfig lies once a playbook fetched it (it may not exist yet)."""


class Kustomize(Protocol):
    """Kustomize, as a function of files."""

    def build(self, folder: str, files: Mapping[str, bytes]) -> bytes | None:
        """What it makes of `folder`, reading `files` (paths from the repository's root) and nothing else; None when the
        program is not to be had here. Starts no program for what it built before. Raises Invalid with its own words."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A chart in a repository. `sha256` is the digest of the one .tgz that is meant, in hexadecimal."""

    repository: str
    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Rendering:
    """All that decides what comes out of a chart: its `files` (paths from the chart's folder) or its `archive`, the
    `values` as YAML texts, of which later ones win, and what the templates may ask of release and cluster."""

    release: str
    namespace: str
    kubernetes: str
    api_versions: tuple[str, ...] = ()
    values: tuple[bytes, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    archive: Archive | None = None


class Helm(Protocol):
    """Helm, as a function of a chart and values."""

    def render(self, wanted: Rendering) -> bytes | None:
        """The manifests, each behind a line `# Source: <chart>/<file>`; None when the program, or the archive, is not
        to be had here. Asks no cluster, and starts no program for what it rendered before. Raises Invalid with helm's
        own words, and for a chart that makes something else each time; Transient or Permanent when the archive can't be
        had, or is not the one that is meant."""


Manifest: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Desired manifests beside what is live, as the API server sees both (its defaults included).

    For an object that is as desired both sides have no fields; for one that differs, both sides have just the
    differing fields, by dotted path; for one that is missing, `expected` has it and `live` does not.
    `live` also has objects of ours that no manifest asks for.
    """

    expected: tuple[Resource, ...]
    live: Kinds


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an apply may do: how long each object may take to become healthy (in seconds; who is not named may take what
    is usual), and from whom, besides people, fields of which object may be taken."""

    patience: Mapping[Key, float] = field(default_factory=dict)
    taking: Mapping[Key, frozenset[Owner]] = field(default_factory=dict)


class Kubernetes(Protocol):
    """One Kubernetes or OpenShift API."""

    def nodes(self) -> Listing:
        """Nodes as resources of kind `node`."""

    def certificates(self) -> tuple[Resource, ...]:
        """The certificates of our kubeconfig and of the API server, as resources of kind `certificate` with the field
        `ends`. What there is none of, or can't be read, is left out."""

    def symptoms(self, nodes: Collection[str]) -> tuple[Symptom, ...]:
        """Pods that run nowhere, and pods on `nodes` that are not ready. Nothing where they can't be listed: they
        explain a difference and are none."""

    def compare(
        self, part_of: str, manifests: Sequence[Manifest], known_kinds: Sequence[str], manager: str = ""
    ) -> Comparison:
        """Compare manifests with the live objects labelled as part of `part_of`, as `manager` would apply them (empty:
        as `apply` does). What can't be observed is Unknown, per kind."""

    def apply(
        self, part_of: str, manifests: Sequence[Manifest], progress: Progress, allowance: Allowance | None = None
    ) -> None:
        """Server-side apply in order, and wait until healthy. Fields that belong to another than people are taken from
        those in `allowance` only. Raises Permanent naming each object and why; the others are applied all the same."""

    def settle(
        self, part_of: str, manifests: Sequence[Manifest], progress: Progress, allowance: Allowance | None = None
    ) -> None:
        """Wait until objects that are there are healthy. Raises as `apply` does; changes nothing."""

    def lookup(self, asked: Sequence[Manifest]) -> tuple[Manifest | Unknown | None, ...]:
        """Return each object of `asked` (apiVersion, kind, name and namespace say which) as it is live; None where
        there is none, Unknown where that can't be asked."""

    def prune(self, resources: Sequence[Resource]) -> None:
        """Delete live objects by uid; already gone is success."""

    def label_nodes(self, nodes: Sequence[Resource]) -> None:
        """Make labels, taints and providerID of the named nodes as desired. Only what `nodes` carry is touched."""


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on a pull request. `mine`: written with the identity we come with, so that we may change it."""

    id: str
    body: str
    mine: bool


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue of the repository. `url` is where people read it."""

    id: str
    title: str
    body: str
    open: bool
    url: str
    mine: bool


class Forge(Protocol):
    """Where pull requests and issues are: one repository of GitHub, or one project of GitLab (which says merge request
    and note). Every method raises Permanent when the forge refuses, with the permission that is missing as its hint;
    Transient when it doesn't answer, or asks for more patience than we have."""

    @property
    def limit(self) -> int:
        """The most characters of a comment, and of an issue's text."""

    @property
    def change(self) -> int | None:
        """The pull request that this job is for; None outside of one."""

    @property
    def run(self) -> str:
        """Where this job's summary and artifacts are; empty where it is no job."""

    def comments(self, change: int) -> Sequence[Comment]:
        """Return every comment on a pull request, oldest first."""

    def comment(self, change: int, body: str) -> None:
        """Write a new comment."""

    def edit(self, change: int, id: str, body: str) -> None:
        """Replace the text of a comment."""

    def issues(self, label: str) -> Sequence[Issue]:
        """Return every issue with this label, the closed ones too, oldest first."""

    def open_issue(self, title: str, body: str, label: str) -> str:
        """Write a new issue and return where it is. A label that is not there is made."""

    def change_issue(self, id: str, *, title: str, body: str, open: bool) -> None:
        """Make an issue say this, and be open or closed."""
