"""The desired state at a commit, each cluster read when it is needed: a mistake in one keeps no other waiting, and a
push that changes one file reads one file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from ..engine.touched import Uses
from ..errors import Invalid, Permanent, Problem, ReconcilerError
from ..ports import Followed, Snapshot
from ..spec import desired_state, load, tenancy
from ..spec.desired_state import Loaded
from ..spec.load import FLEET, FOLDER, DesiredCluster, folders
from ..spec.mentions import Mentions, mentions, reached, wanted_of
from ..spec.outline import Outline
from ..spec.render import objects
from ..spec.tree import Checked, Opened, Raw
from ..spec.wiring import Output

FOLDERS = ("desired", "kubespray", "manifests", "terraform")


class Purpose(Enum):
    """What a desired state is read for: to be looked at, or to be applied, by a signed commit only where signatures
    count."""

    LOOK = "look"
    APPLY = "apply"


@dataclass(frozen=True)
class Desired:
    """The desired state at one commit (or in the working tree, then `commit` is empty). `files` are as git has them:
    what SOPS keeps is opened in the objects of `clusters`, and nowhere else. `referred` is what clusters that are not
    among `clusters` want of those; `failed` are clusters that could not be loaded, and why; `near` are clusters that
    those refer to, as far as they can be loaded."""

    commit: str
    files: Mapping[str, bytes]
    clusters: tuple[DesiredCluster, ...]
    referred: frozenset[Output] = frozenset()
    failed: Mapping[str, ReconcilerError] = field(default_factory=dict)
    near: tuple[DesiredCluster, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All clusters, also those that could not be loaded: what they have is not nobody's."""
        return tuple(sorted({*(c.name for c in self.clusters), *self.failed}))


@dataclass(frozen=True)
class Revision:
    """The files of one commit as git has them, and what is wrong with those that can't be had; `changed` are the paths
    that differ from the commit `before` (None: there was none, or nobody can tell)."""

    commit: str
    files: Mapping[str, bytes] = field(repr=False)
    changed: frozenset[str] | None = None
    before: str = ""
    refused: Mapping[str, Problem] = field(default_factory=dict, repr=False)

    @cached_property
    def clusters(self) -> tuple[str, ...]:
        """The names of all clusters, by their folders."""
        return folders({*self.files, *self.refused})

    def concerns(self, cluster: str) -> bool:
        """Whether what changed is in the cluster's own folder, or nobody can tell: then what it uses may be another
        thing."""
        return self.changed is None or any(path.startswith(f"{FOLDER}/{cluster}/") for path in self.changed)

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """What each cluster is read from, its folder and the fleet's file, as a hash."""
        texts: dict[str, Any] = {name: hashlib.sha256(self.files.get(FLEET, b"")) for name in self.clusters}
        for path, text in sorted(self.files.items()):
            if (name := _folder(path).removeprefix(f"{FOLDER}/")) in texts and path.startswith(f"{FOLDER}/{name}/"):
                texts[name].update(f"\0{path}\0".encode() + text)
        return {name: text.hexdigest() for name, text in texts.items()}

    @cached_property
    def mentions(self) -> Mentions:
        """What each cluster's applications want of others."""
        return mentions(self.files)


def revision(repository: Followed, ref: str, before: Revision | None) -> Revision:
    """What `ref` stands for now. Of a known revision, only folders in which something changed are read. Raises as
    Followed does."""
    commit = repository.resolve(ref)
    if before is None:
        return whole(commit, repository.snapshot(commit, FOLDERS))
    if before.commit == commit:
        return before
    try:
        changed = frozenset(p for p in repository.changed(before.commit, commit) if p.split("/")[0] in FOLDERS)
    except (Permanent, Invalid):  # the branch was rewritten, and the commit before is gone from here; or too much moved
        return whole(commit, repository.snapshot(commit, FOLDERS))
    read = {_folder(path) for path in changed}
    there = repository.snapshot(commit, FOLDERS, read)
    files = {path: text for path, text in before.files.items() if _folder(path) not in read}
    refused = {path: problem for path, problem in before.refused.items() if _folder(path) not in read}
    return Revision(commit, {**files, **there.files}, changed, before.commit, {**refused, **there.refused})


def whole(commit: str, snapshot: Snapshot) -> Revision:
    """The revision of a commit that is looked at for itself."""
    return Revision(commit, snapshot.files, refused=snapshot.refused)


def _folder(path: str) -> str:
    """What is read as one: desired/<cluster>, manifests/<folder>, or a file beside these."""
    return "/".join(path.split("/")[:2])


@dataclass
class Reader:
    """Loads clusters of a revision. `opened` decrypts a file, and gets none that no cluster may use; `loaded` loads and
    checks those that are named, of files that are given in the clear and as git has them, beside the outlines of the
    others. `verify` raises Blocked for a commit that is not signed as it has to be: nothing of such a one is opened,
    built or fetched. For several threads."""

    opened: Callable[[str, bytes], bytes]
    loaded: Callable[[Mapping[str, bytes], Mapping[str, bytes], Collection[str] | None, Sequence[Outline]], Loaded]
    verify: Callable[[str], None] = lambda _: None
    _checked: Checked = field(default_factory=Checked)
    _outlines: dict[str, tuple[str, Outline]] = field(default_factory=dict)

    def read(self, at: Revision, cluster: str) -> Desired:
        """One cluster, checked against all others. Raises Invalid with every mistake of this cluster, and those of what
        it shares with the others; and what stops this one from being rendered; Blocked."""
        self.verify(at.commit)
        raw = Raw(at.files, at.refused, self._checked)
        near = reached(cluster, at.mentions) & set(at.clusters) | {cluster}
        clear = Opened(raw, tenancy.opener(raw, near, self.opened))
        loaded = self.loaded(clear, raw, near, self._others(at, clear, near))
        if error := loaded.failed.get(cluster):
            raise error
        mine = tuple(c for c in loaded.clusters if c.name == cluster)
        others = tuple(c for c in loaded.clusters if c.name != cluster)
        return Desired(at.commit, raw, mine, wanted_of(cluster, at.mentions), near=others)

    def everything(self, at: Revision) -> Desired:
        """Every cluster that can be loaded. Raises Invalid for what is wrong with the fleet, or with all of it."""
        raw = Raw(at.files, at.refused, self._checked)
        clear = Opened(raw, tenancy.opener(raw, at.clusters, self.opened))
        loaded = self.loaded(clear, raw, None, ())
        referred = {output for wanted in at.mentions.values() for output in wanted}
        return Desired(at.commit, raw, loaded.clusters, frozenset(referred), loaded.failed)

    def _others(self, at: Revision, clear: Mapping[str, bytes], near: Collection[str]) -> list[Outline]:
        """The outlines of all clusters but `near`. One that has a mistake now still claims what it did before that."""
        digests = at.digests
        for name in set(at.clusters) - set(near):
            if self._outlines.get(name, ("", None))[0] != digests[name]:
                clusters, _ = load.each(clear, lambda _: True, {name})
                before = self._outlines[name][1] if name in self._outlines else Outline(name)
                self._outlines[name] = digests[name], (desired_state.outline(clusters[0]) if clusters else before)
        return [self._outlines[name][1] for name in sorted(set(at.clusters) - set(near))]


def uses(desired: DesiredCluster) -> Uses:
    """What the cluster takes from outside its own folder."""
    workloads = {workload.path for workload in desired.cluster.spec.workloads if workload.path}
    templates = {objects.templates(env.spec.type) for env in desired.environments}
    return Uses(
        folders=frozenset(workloads | templates),
        kustomized=bool(desired.built or desired.unbuilt),
        applications=bool(desired.applications),
    )
