"""The desired state of every cluster, from the files below desired/."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TypeVar

from pydantic import BaseModel

from ..errors import Invalid, Problem
from ..model.desired import Application, Autoscale, Cluster, ClusterSpec, Environment, Fleet, State
from . import autoscale, helm, kustomize, sealed
from .layers import Layered, Origin, layered, over_the_ceiling, ruled
from .render.application import Sealed
from .validate import validate, validate_part
from .yaml import Document, Path, Unreadable, parse

FOLDER = "desired"
FLEET = f"{FOLDER}/fleet.yaml"
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
    problems: list[Problem] = []
    folders: dict[str, dict[str, bytes]] = {}
    fleet = _fleet(files.get(FLEET), problems)
    for path, content in sorted(files.items()):
        parts = PurePosixPath(path).parts
        if parts[:1] != (FOLDER,) or not path.endswith((".yaml", ".yml")) or path == FLEET:
            continue
        if len(parts) == 2:
            hint = f"beside the clusters' folders there is only {FLEET}"
            problems.append(Problem(path, 1, 1, "", "is not a file the reconciler reads", hint))
        else:
            folders.setdefault(parts[1], {})["/".join(parts[2:])] = content
    clusters = [_cluster(name, members, exists, fleet, problems) for name, members in folders.items()]
    problems = list(dict.fromkeys(problems))  # what the fleet gets wrong, every cluster finds
    if problems:
        count = len(problems)
        raise Invalid(f"the desired state has {count} mistake{'s' * (count > 1)}", problems=problems)
    if not folders:
        hint = "run this in a clone of the GitOps repository, or give it with --repo"
        raise Invalid(f"there is no cluster below {FOLDER}/", hint=hint)
    return tuple(c for c in clusters if c is not None)


def select(clusters: tuple[DesiredCluster, ...], names: tuple[str, ...]) -> tuple[DesiredCluster, ...]:
    """The clusters called `names`, all of them when none is named. Raises Invalid for a name nobody has."""
    known = {c.name: c for c in clusters}
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sorted(known))}"
            raise Invalid(f"there is no cluster {name!r} below {FOLDER}/", hint=hint)
    return tuple(known[name] for name in names) if names else clusters


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
