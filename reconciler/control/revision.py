"""The desired state at a commit, each cluster read when it is needed: a mistake in one keeps no other waiting, and a
push that changes one file reads one file."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..engine.touched import Uses
from ..errors import Permanent, ReconcilerError
from ..ports import Followed
from ..spec import desired_state
from ..spec.load import FLEET, FOLDER, DesiredCluster
from ..spec.mentions import Mentions, mentions, wanted_of
from ..spec.render import objects
from ..spec.wiring import Output

FOLDERS = ("desired", "kubespray", "manifests", "terraform")


@dataclass(frozen=True)
class Desired:
    """The desired state at one commit (or in the working tree, then `commit` is empty). `referred` is what clusters
    that are not among `clusters` want of those; `near` are clusters that those refer to, as far as they can be
    loaded."""

    commit: str
    files: Mapping[str, bytes]
    clusters: tuple[DesiredCluster, ...]
    referred: frozenset[Output] = frozenset()
    near: tuple[DesiredCluster, ...] = ()


@dataclass(frozen=True)
class Revision:
    """The files of one commit as git has them; `changed` are the paths that differ from the commit `before` (None:
    there was none, or nobody can tell)."""

    commit: str
    files: Mapping[str, bytes] = field(repr=False)
    changed: frozenset[str] | None = None
    before: str = ""

    @property
    def clusters(self) -> tuple[str, ...]:
        """The names of all clusters, by their folders."""
        parts = (path.split("/") for path in self.files if path.startswith(f"{FOLDER}/"))
        return tuple(sorted({p[1] for p in parts if len(p) > 2}))

    def concerns(self, cluster: str) -> bool:
        """Whether what changed is in the cluster's own folder, or nobody can tell: then what it uses may be another
        thing."""
        return self.changed is None or any(path.startswith(f"{FOLDER}/{cluster}/") for path in self.changed)

    @cached_property
    def mentions(self) -> Mentions:
        """What each cluster's applications want of others."""
        return mentions(self.files)


def revision(repository: Followed, ref: str, before: Revision | None) -> Revision:
    """What `ref` stands for now. Of a known revision, only what changed is read. Raises as Followed does."""
    commit = repository.resolve(ref)
    if before is None:
        return Revision(commit, _everything(repository, commit))
    if before.commit == commit:
        return before
    try:
        changed = frozenset(p for p in repository.changed(before.commit, commit) if p.split("/")[0] in FOLDERS)
    except Permanent:  # the branch was rewritten, and the commit before is gone from here
        return Revision(commit, _everything(repository, commit))
    files = {path: text for path, text in before.files.items() if path not in changed}
    for folder in sorted({_folder(path) for path in changed}):
        found = repository.read(commit, folder)
        files |= {path: text for path, text in found.items() if path in changed}
    return Revision(commit, files, changed, before.commit)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _everything(repository: Followed, commit: str) -> dict[str, bytes]:
    return {path: text for folder in FOLDERS for path, text in repository.read(commit, folder).items()}


@dataclass
class Reader:
    """Makes one cluster of a revision. `opened` decrypts a file; `checked` loads and checks what stands in files, given
    in the clear and as git has them, beside other clusters, by name. What was found to hold no secret in plain text is
    not searched again."""

    opened: Callable[[str, bytes], bytes]
    checked: Callable[[Mapping[str, bytes], Mapping[str, bytes], Collection[str]], tuple[DesiredCluster, ...]]
    _clean: set[bytes] = field(default_factory=set)

    def read(self, at: Revision, cluster: str) -> Desired:
        """Raises Invalid with every mistake of this cluster, and those of what it shares with the others."""
        clear, loaded = self._one(at, cluster)
        return Desired(at.commit, clear, loaded, wanted_of(cluster, at.mentions), tuple(self._near(at, cluster)))

    def _one(self, at: Revision, cluster: str) -> tuple[dict[str, bytes], tuple[DesiredCluster, ...]]:
        mine = {path: text for path, text in at.files.items() if _of(path, cluster)}
        self._refuse_plain_secrets(mine)
        clear = {path: self.opened(path, text) for path, text in mine.items()}
        return clear, self.checked(clear, mine, frozenset(at.clusters) - {cluster})

    def _near(self, at: Revision, cluster: str) -> Iterator[DesiredCluster]:
        """The clusters it refers to. A mistake in one of them keeps nobody else waiting: then it is not known here."""
        named = {output.cluster for output in at.mentions.get(cluster, ())}
        for name in sorted(named & set(at.clusters)):
            with contextlib.suppress(ReconcilerError):
                yield from self._one(at, name)[1]

    def _refuse_plain_secrets(self, files: Mapping[str, bytes]) -> None:
        names = {path: hashlib.sha256(f"{path}\0".encode() + text).digest() for path, text in files.items()}
        desired_state.refuse_plain_secrets({p: text for p, text in files.items() if names[p] not in self._clean})
        self._clean |= set(names.values())


def _of(path: str, cluster: str) -> bool:
    return not path.startswith(f"{FOLDER}/") or path == FLEET or path.startswith(f"{FOLDER}/{cluster}/")


def uses(desired: DesiredCluster) -> Uses:
    """What the cluster takes from outside its own folder."""
    workloads = {workload.path for workload in desired.cluster.spec.workloads if workload.path}
    templates = {objects.templates(env.spec.type) for env in desired.environments}
    return Uses(
        folders=frozenset(workloads | templates),
        kustomized=bool(desired.built or desired.unbuilt),
        applications=bool(desired.applications),
    )
