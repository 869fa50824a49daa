"""The desired state of every cluster, from the files below desired/."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel

from ..errors import Invalid, Problem, ReconcilerError
from ..model.desired import Application, Autoscale, Cluster, ClusterSpec, Environment, Fleet, State
from . import autoscale, helm, kustomize, sealed
from .layers import Layered, Origin, layered, over_the_ceiling, ruled
from .render.application import Sealed
from .tree import DESIRED
from .validate import validate, validate_part
from .yaml import Document, Path, Unreadable, parse

FOLDER = DESIRED
FLEET = f"{FOLDER}/fleet.yaml"
_YAML = (".yaml", ".yml")
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class DesiredCluster:
    """One cluster with all that belongs to it. `documents` remembers where each object stood; `built` has what
    kustomize or helm made of workloads, by name; those in `unbuilt` could not be built here. `autoscale` is the
    autoscaler's file, which the cluster's node groups follow already. `secrets` are the values that applications have
    from encrypted files, by file and key; `encrypted` is what SOPS keeps of the manifests; `state` is where Terraform's
    state is kept."""

    cluster: Cluster
    environments: tuple[Environment, ...] = ()
    applications: tuple[Application, ...] = ()
    documents: Mapping[tuple[str, str], Document] = field(default_factory=dict, compare=False, repr=False)
    built: Mapping[str, kustomize.Built | helm.Built] = field(default_factory=dict, compare=False, repr=False)
    unbuilt: tuple[str, ...] = ()
    autoscale: Autoscale | None = None
    secrets: Mapping[tuple[str, str], Sealed] = field(default_factory=dict, compare=False, repr=False)
    encrypted: sealed.Encrypted = field(default=sealed.NONE, compare=False, repr=False)
    state: State = field(default_factory=State)

    @property
    def name(self) -> str:
        return self.cluster.name

    def problem(self, kind: str, title: str, path: Path, message: str, hint: str | None = None) -> Problem:
        """A problem at a place of this cluster's text, for mistakes that only the whole or the live cloud can show."""
        return self.documents[kind, title].problem(path, message, hint)

    def place(self, kind: str, title: str, path: Path) -> str:
        """Where that is: file:line."""
        found = self.problem(kind, title, path, "")
        return f"{found.file}:{found.line}"

    def origin(self, path: Path) -> Origin:
        """Where a value of the cluster's own document is from, such as ("spec", "image")."""
        document = self.documents["Cluster", self.name]
        if found := autoscale.origin(self.cluster, self.documents.get(("Autoscale", self.name)), path):
            return found
        return document.origin(path) if isinstance(document, Layered) else Origin("cluster", document.file)


def load(files: Mapping[str, bytes], exists: Callable[[str], bool]) -> tuple[DesiredCluster, ...]:
    """Load every cluster from `files` (paths from the repository's root, such as desired/demo/cluster.yaml).

    `exists` tells whether a path is there in the same commit. Raises Invalid with all problems at once.
    """
    clusters, failed = each(files, exists)
    problems = [p for error in failed.values() for p in (error.problems if isinstance(error, Invalid) else ())]
    if problems := [*problems, *strays(files)]:
        raise Invalid(counted(problems), problems=problems)
    if failed:
        raise next(iter(failed.values()))
    return clusters


def each(
    files: Mapping[str, bytes], exists: Callable[[str], bool], names: Collection[str] | None = None
) -> tuple[tuple[DesiredCluster, ...], dict[str, ReconcilerError]]:
    """The clusters called `names` (None: all) that could be loaded, and what went wrong with each of the others, by the
    name of its folder. Raises Invalid where there is none at all, and for what is wrong with the fleet."""
    clusters: list[DesiredCluster] = []
    failed: dict[str, ReconcilerError] = {}
    fleet_problems: list[Problem] = []
    fleet = _fleet(files.get(FLEET), fleet_problems)
    if fleet_problems:
        raise Invalid(counted(fleet_problems), problems=fleet_problems)
    there = folders(files)
    if not there:
        if stray := strays(files):
            raise Invalid(counted(stray), problems=stray)
        hint = "run this in a clone of the GitOps repository, or give it with --repo"
        raise Invalid(f"there is no cluster below {FOLDER}/", hint=hint)
    for name in (n for n in there if names is None or n in names):
        problems: list[Problem] = []
        try:
            cluster = _cluster(name, _members(files, name), exists, fleet, problems)
        except ReconcilerError as error:
            failed[name] = error
            continue
        if problems or cluster is None:
            failed[name] = Invalid(counted(problems), problems=problems)
        else:
            clusters.append(cluster)
    return tuple(clusters), failed


def counted(problems: Sequence[Problem]) -> str:
    """How many mistakes there are, as an error's message."""
    count = len(problems)
    return f"the desired state has {count} mistake{'s' * (count > 1)}"


def folders(files: Iterable[str]) -> tuple[str, ...]:
    """The names of the clusters' folders, also of those that hold nothing a cluster is read from."""
    parts = (path.split("/") for path in files if path.startswith(f"{FOLDER}/"))
    return tuple(sorted({p[1] for p in parts if len(p) > 2}))


def strays(files: Iterable[str]) -> list[Problem]:
    """Files beside the clusters' folders, which nobody reads."""
    hint = f"beside the clusters' folders there is only {FLEET}"
    return [
        Problem(path, 1, 1, "", "is not a file the reconciler reads", hint)
        for path in files
        if path.startswith(f"{FOLDER}/") and path.count("/") == 1 and path.endswith(_YAML) and path != FLEET
    ]


def _members(files: Mapping[str, bytes], folder: str) -> dict[str, bytes]:
    """What a cluster's folder holds, by the path in it. Raises Invalid with every file that can't be had."""
    members: dict[str, bytes] = {}
    problems: list[Problem] = []
    prefix = f"{FOLDER}/{folder}/"
    for path in sorted(p for p in files if p.startswith(prefix)):
        try:
            text = files[path]
        except Invalid as error:
            problems += error.problems
            continue
        if path.endswith(_YAML):
            members[path.removeprefix(prefix)] = text
    if problems:
        raise Invalid(counted(problems), problems=problems)
    return members


def select(
    clusters: tuple[DesiredCluster, ...], names: tuple[str, ...], others: Collection[str] = ()
) -> tuple[DesiredCluster, ...]:
    """The clusters called `names`, all of them when none is named; `others` are names of clusters that could not be
    loaded, and are left out. Raises Invalid for a name nobody has."""
    known = {c.name: c for c in clusters}
    for name in names:
        if name not in known and name not in others:
            close = difflib.get_close_matches(name, [*known, *others], n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sorted([*known, *others]))}"
            raise Invalid(f"there is no cluster {name!r} below {FOLDER}/", hint=hint)
    return tuple(known[name] for name in names if name in known) if names else clusters


@dataclass(frozen=True)
class _Fleet:
    """The fleet as far as it could be read: `made` is None where it has mistakes, both where there is none."""

    made: Fleet | None = None
    document: Document | None = None


def _fleet(content: bytes | None, problems: list[Problem]) -> _Fleet:
    if content is None:
        return _Fleet()
    fleets: list[Fleet] = []
    documents: dict[tuple[str, str], Document] = {}
    _read(FLEET, content, Fleet, fleets, documents, problems)
    document = next(iter(documents.values()), None)
    if not fleets or document is None:
        return _Fleet()
    place: Path = ("spec", "defaults")
    problems.extend(validate_part(ClusterSpec, document, fleets[0].spec.defaults, place))
    return _Fleet(fleets[0], document)


def _cluster(
    folder: str,
    members: Mapping[str, bytes],
    exists: Callable[[str], bool],
    fleet: _Fleet,
    problems: list[Problem],
) -> DesiredCluster | None:
    clusters: list[Cluster] = []
    environments: list[Environment] = []
    applications: list[Application] = []
    autoscales: list[Autoscale] = []
    documents: dict[tuple[str, str], Document] = {}
    for path, content in members.items():
        file = f"{FOLDER}/{folder}/{path}"
        top = path.split("/")[0]
        if path == "cluster.yaml":
            _read(file, content, Cluster, clusters, documents, problems, fleet.document)
        elif path == autoscale.FILE:
            _read(file, content, Autoscale, autoscales, documents, problems)
        elif top == "environments":
            _read(file, content, Environment, environments, documents, problems)
        elif top == "applications":
            _read(file, content, Application, applications, documents, problems)
        else:
            hint = "a cluster's folder holds cluster.yaml, autoscale.yaml, environments/*.yaml and applications/*.yaml"
            problems.append(Problem(file, 1, 1, "", "is not a file the reconciler reads", hint))
    if "cluster.yaml" not in members:
        problems.append(Problem(f"{FOLDER}/{folder}/cluster.yaml", 1, 1, "", "is missing"))
    if not clusters:
        return None
    cluster = ruled(clusters[0], fleet.made)
    problems.extend(over_the_ceiling(cluster, fleet.made, documents["Cluster", cluster.name]))
    said = next(iter(autoscales), None)
    if said:
        problems.extend(autoscale.check(cluster, said, documents["Autoscale", said.name]))
        cluster = autoscale.followed(cluster, said)
    state = fleet.made.spec.state if fleet.made else State()
    desired = DesiredCluster(cluster, tuple(environments), tuple(applications), documents, autoscale=said, state=state)
    problems.extend(_cross_check(folder, desired, exists))
    return desired


def _read(
    file: str,
    content: bytes,
    kind: type[M],
    into: list[M],
    documents: dict[tuple[str, str], Document],
    problems: list[Problem],
    fleet: Document | None = None,
) -> None:
    try:
        parsed = parse(file, content)
    except Unreadable as error:
        problems.append(error.problem)
        return
    if not parsed or (kind in (Autoscale, Cluster, Fleet) and len(parsed) > 1):
        problems.append(Problem(file, 1, 1, "", f"holds {len(parsed) or 'no'} documents; expected one {kind.__name__}"))
    for document in (layered(d, fleet) for d in parsed) if kind is Cluster else parsed:
        made, found = validate(kind, document)
        problems.extend(found)
        if made is None:
            continue
        title = str(made.title)  # type: ignore[attr-defined]
        if before := documents.get((kind.__name__, title)):
            place = before.problem(("metadata", "name"), "")
            message = f"there is already one of kind {kind.__name__} called {title!r} at {place.file}:{place.line}"
            problems.append(document.problem(("metadata", "name"), message, "give one of them another name"))
        documents[kind.__name__, title] = document
        into.append(made)


def _cross_check(folder: str, desired: DesiredCluster, exists: Callable[[str], bool]) -> list[Problem]:
    problems = []
    if desired.name != folder:
        message = f"the cluster is called {desired.name!r}, its folder {folder!r}"
        problems.append(
            desired.problem("Cluster", desired.name, ("metadata", "name"), message, "use one name for both")
        )
    for index, workload in enumerate(desired.cluster.spec.workloads):
        if workload.path and not exists(workload.path):
            path = ("spec", "workloads", index, "path")
            hint = "paths start at the repository's root, such as manifests/sid-backend"
            problems.append(
                desired.problem("Cluster", desired.name, path, f"there is no folder {workload.path!r}", hint)
            )
    return problems
