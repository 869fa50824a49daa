"""Everything about the desired state that can be checked without asking anybody: load, references, manifests."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ..errors import Invalid, Problem, ReconcilerError
from ..model.desired import Workload
from ..ports import Helm, Kustomize, Manifest
from . import (
    applications,
    credentials,
    environments,
    helm,
    kubespray_variables,
    kustomize,
    sealed,
    secrets,
    tenancy,
    wiring,
)
from .load import FLEET, FOLDER, DesiredCluster, counted, folders, strays
from .load import each as load_each
from .outline import Outline
from .render import objects
from .tenancy import Tenancy
from .tree import Raw, mistakes, refuse_plain
from .yaml import Document, Path, Unreadable, parse


@dataclass(frozen=True)
class Sources:
    """The files a desired state is made of, `files` in the clear and `raw` as git has them, and the programs that build
    workloads; without them kustomize folders and charts are not looked into. `allowed_variables` are Kubespray's that
    git may set though they touch this machine."""

    files: Mapping[str, bytes]
    raw: Mapping[str, bytes]
    kustomize: Kustomize | None = None
    helm: Helm | None = None
    allowed_variables: Collection[str] = ()

    def exists(self, folder: str) -> bool:
        """Is there anything below this folder?"""
        prefix = folder.rstrip("/") + "/"
        return any(path.startswith(prefix) for path in self.files)


@dataclass(frozen=True)
class Loaded:
    """The clusters that could be loaded, and why the others could not, by the names of their folders."""

    clusters: tuple[DesiredCluster, ...]
    failed: Mapping[str, ReconcilerError] = field(default_factory=dict)


def load(
    files: Mapping[str, bytes],
    program: Kustomize | None = None,
    raw: Mapping[str, bytes] | None = None,
    charts: Helm | None = None,
    *,
    allowed_variables: Collection[str] = (),
) -> tuple[DesiredCluster, ...]:
    """Load and check every cluster. Raises as `complete` does."""
    return complete(Sources(files, files if raw is None else raw, program, charts, allowed_variables))


def complete(sources: Sources) -> tuple[DesiredCluster, ...]:
    """Load and check every cluster. Raises Invalid with every problem; and what rendering a chart raises."""
    loaded = each(sources)
    errors = list(loaded.failed.values())
    for error in errors:
        if not isinstance(error, Invalid) or not error.problems:
            raise error
    problems = [problem for error in errors if isinstance(error, Invalid) for problem in error.problems]
    if problems := list(dict.fromkeys([*problems, *strays(sources.files)])):
        messages = {error.message for error in errors}
        raise Invalid(messages.pop() if len(messages) == 1 else counted(problems), problems=problems)
    return loaded.clusters


def each(sources: Sources, names: Collection[str] | None = None, others: Sequence[Outline] = ()) -> Loaded:
    """Load and check the clusters called `names` (None: all), each for itself: what is wrong with one keeps no other
    waiting. `others` are the outlines of clusters that are not among them. Raises Invalid for what is wrong with the
    fleet, and where there is no cluster at all."""
    failures = _Failures()
    _refuse_encrypted(sources.raw, FLEET)
    policy = tenancy.read(sources.files.get(FLEET))
    for name in (n for n in folders(sources.files) if names is None or n in names):
        with failures.of(name):
            _refuse_encrypted(sources.raw, f"{FOLDER}/{name}")
    refused = failures.names
    clusters, failed = load_each(sources.files, sources.exists, names)
    failures.failed.update({name: error for name, error in failed.items() if name not in refused})
    clusters = tuple(c for c in clusters if c.name not in refused)
    for cluster in clusters:  # before anything is decrypted, built or fetched for it
        with failures.of(cluster.name):
            failures.add(cluster.name, tenancy.named(policy, cluster, sources.raw))
            failures.add(cluster.name, kubespray_variables.check(cluster, sources.allowed_variables))
    clusters = tuple(_built(failures.without(clusters), sources, failures))
    elsewhere = {*(outline.name for outline in others), *failed, *failures.names} - {c.name for c in clusters}
    asked = wiring.objects_asked_of(clusters)
    offered = {c.name: _offered(c, sources.raw) for c in clusters if c.name in asked}
    failures.add("", environments.check(clusters, others))
    failures.add("", applications.check(clusters, others))
    failures.add("", wiring.check(clusters, offered, elsewhere))
    hosts = environments.claimed(clusters, others)
    for cluster in clusters:
        with failures.of(cluster.name):
            failures.add(cluster.name, _rendered(cluster, sources, hosts, policy))
    return Loaded(failures.without(clusters), failures.all())


def outline(cluster: DesiredCluster) -> Outline:
    """What the cluster claims for itself."""
    return Outline(cluster.name, environments.hosts(cluster), applications.objects(cluster))


class _Failures:
    """What goes wrong, by the cluster it concerns."""

    def __init__(self) -> None:
        self.failed: dict[str, ReconcilerError] = {}
        self._problems: dict[str, list[Problem]] = {}

    def add(self, cluster: str, problems: Sequence[Problem]) -> None:
        """Problems of a cluster; of the cluster in whose folder each stands, where none is named."""
        for problem in problems:
            self._problems.setdefault(cluster or problem.file.split("/")[1], []).append(problem)

    @contextmanager
    def of(self, cluster: str) -> Iterator[None]:
        """What is raised in this block is one cluster's."""
        try:
            yield
        except Invalid as error:
            if error.problems:
                self.add(cluster, error.problems)
            else:
                self.failed.setdefault(cluster, error)
        except ReconcilerError as error:
            self.failed.setdefault(cluster, error)

    def without(self, clusters: Sequence[DesiredCluster]) -> tuple[DesiredCluster, ...]:
        """Those nothing went wrong with."""
        return tuple(c for c in clusters if c.name not in self.names)

    @property
    def names(self) -> frozenset[str]:
        """The clusters something went wrong with so far."""
        return frozenset({*self.failed, *self._problems})

    def all(self) -> dict[str, ReconcilerError]:
        mistaken = {
            name: Invalid(counted(problems), problems=list(dict.fromkeys(problems)))
            for name, problems in self._problems.items()
        }
        return mistaken | self.failed


def _refuse_encrypted(raw: Mapping[str, bytes], below: str) -> None:
    """What stands below desired/ goes into plans, reports, records, inventories and Terraform's state: nothing of it is
    opened. Raises Invalid with the line of every encrypted value in the folder or file `below`."""
    paths = [path for path in raw if path == below or path.startswith(f"{below}/")]
    marked = {path: text for path in paths if sealed.MARK.encode() in (text := raw[path])}
    if problems := [problem for path, text in marked.items() for problem in _encrypted_values(path, text)]:
        raise Invalid("there is an encrypted value that nothing may open", problems=problems)


def _encrypted_values(file: str, text: bytes) -> Iterator[Problem]:
    try:
        documents = parse(file, text)
    except Unreadable:  # told where it is loaded
        return
    for document in documents:
        for path in document.positions:
            if path[:1] != ("sops",) and secrets.sealed(_at(document, path)):
                yield document.problem(path, *_why_refused(file, path))


def _at(document: Document, path: Path) -> object:
    value = document.value
    for step in path:
        value = value[step]
    return value


def _why_refused(file: str, path: Path) -> tuple[str, str]:
    if "/applications/" in file:
        hint = "name what is secret under spec.secrets, and keep it in a SOPS file below manifests/"
        return "is encrypted: an application's settings are not secret", hint
    if "helm" in path and "values" in path:
        hint = "put it into a file of its own, encrypt that with SOPS, and name it under valuesFiles"
        return "is an encrypted value that would be decrypted for the chart", hint
    hint = "keep it in a Secret below manifests/, and encrypt it there"
    return f"is encrypted, and what stands below {FOLDER}/ is shown in plans and reports", hint


def _offered(cluster: DesiredCluster, files: Mapping[str, bytes]) -> Sequence[Manifest] | None:
    """What others may refer to; None where not all of it is known, or it has mistakes that are told elsewhere."""
    try:
        return objects.workloads(cluster, files) if not cluster.unbuilt else None
    except ReconcilerError:
        return None


def refuse_plain_secrets(files: Mapping[str, bytes]) -> None:
    """Raises Invalid for what looks like a secret in plain text, in any YAML or JSON of desired/ and manifests/. To be
    asked of the files as they are in git, before anything is decrypted."""
    if problems := mistakes(Raw(files)):
        raise Invalid("there is a secret in plain text", problems=problems)


def opens(path: str, text: bytes) -> bool:
    """Is this one to be opened? Of what stands below desired/ nothing is."""
    return not path.startswith(f"{FOLDER}/") and sealed.is_kept(path, text)


def _built(clusters: Sequence[DesiredCluster], sources: Sources, failures: _Failures) -> Iterator[DesiredCluster]:
    """The clusters with what programs make of workloads, each kustomize folder once, and with the values of files that
    SOPS keeps. One whose workloads have mistakes goes on, for the mistakes that can be seen without them."""
    known: dict[str, kustomize.Built | Invalid | None] = {}
    encrypted = sealed.Encrypted(sources.raw, sources.files)
    for cluster in clusters:
        with failures.of(cluster.name):
            problems: list[Problem] = []
            made = _with(cluster, sources, known, problems)
            values = credentials.values(made, sources.files, sources.raw, problems)
            failures.add(cluster.name, problems)
            yield replace(made, secrets=values, encrypted=encrypted)


def _with(
    cluster: DesiredCluster,
    sources: Sources,
    known: dict[str, kustomize.Built | Invalid | None],
    problems: list[Problem],
) -> DesiredCluster:
    made: dict[str, kustomize.Built | helm.Built | None] = {}
    document = cluster.documents["Cluster", cluster.name]
    problems += helm.inline_mistakes(document)
    for index, workload in enumerate(cluster.cluster.spec.workloads):
        try:
            if helm.is_chart(sources.raw, workload):
                made[workload.name] = _chart(cluster, index, workload, sources)
            elif kustomize.file_of(sources.raw, workload.path):
                made[workload.name] = _folder(workload.path, sources, known)
            else:
                refuse_plain(sources.raw, (p for p in sources.raw if p.startswith(f"{workload.path.rstrip('/')}/")))
        except Invalid as error:
            made[workload.name] = None
            problems += error.problems
    done = {name: one for name, one in made.items() if one is not None}
    return replace(cluster, built=done, unbuilt=tuple(name for name in made if name not in done))


def _folder(path: str, sources: Sources, known: dict[str, kustomize.Built | Invalid | None]) -> kustomize.Built | None:
    """What a kustomize folder becomes, or is wrong with it, the same for every cluster that has it."""
    if path not in known:
        try:
            known[path] = (
                kustomize.built(sources.raw, sources.files, path, sources.kustomize) if sources.kustomize else None
            )
        except Invalid as error:
            known[path] = error
    result = known[path]
    if isinstance(result, Invalid):
        raise result
    return result


def _chart(cluster: DesiredCluster, index: int, workload: Workload, sources: Sources) -> helm.Built | None:
    place = helm.Place(cluster.documents["Cluster", cluster.name], ("spec", "workloads", index))
    version = cluster.cluster.spec.kubernetes.version
    if sources.helm is None:
        return None
    return helm.built(sources.raw, sources.files, workload, place, version, sources.helm)


def _rendered(
    cluster: DesiredCluster, sources: Sources, hosts: Mapping[str, str], policy: Tenancy | None
) -> Sequence[Problem]:
    """Every mistake of the workloads and environments; what was not built has none that anybody knows of. `hosts` are
    those that environments and applications claim, of whichever cluster."""
    without = [env for env in cluster.environments if not sources.exists(objects.templates(env.spec.type))]
    if without:
        return [_no_templates(cluster, env.title, env.spec.type) for env in without]
    known = [w for w in cluster.cluster.spec.workloads if w.name not in cluster.unbuilt]
    try:
        placed = objects.each_once(cluster, sources.raw, known)
        objects.environments(cluster, sources.raw, placed)
        brought = objects.of_environments(cluster, sources.raw, placed) if policy else ()
    except Invalid as error:
        return error.problems
    return [*environments.check_workloads(hosts, placed), *tenancy.rendered(policy, cluster, placed, brought)]


def _no_templates(cluster: DesiredCluster, title: str, type_: str) -> Problem:
    message = f"there are no templates for environments of type {type_!r}"
    return cluster.problem(
        "Environment", title, ("spec", "type"), message, f"add the folder {objects.templates(type_)}"
    )
