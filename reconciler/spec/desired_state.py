"""Everything about the desired state that can be checked without asking anybody: load, references, manifests."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..errors import Invalid, Problem, ReconcilerError
from ..model.desired import Workload
from ..ports import Helm, Kustomize, Manifest
from . import applications, credentials, environments, helm, kustomize, sealed, secrets, wiring
from .load import FOLDER, DesiredCluster
from .load import load as load_clusters
from .render import objects
from .yaml import SUFFIXES, Document, Path, Unreadable, parse


def load(
    files: Mapping[str, bytes],
    program: Kustomize | None = None,
    raw: Mapping[str, bytes] | None = None,
    charts: Helm | None = None,
    others: Collection[str] = (),
) -> tuple[DesiredCluster, ...]:
    """Load and check every cluster. `files` has desired/ and manifests/; `raw` the same as git has it, where something
    was decrypted. `program` builds kustomize folders and `charts` renders Helm's; without them these are not looked
    into. `others` are clusters that are not among `files`, and that references may lead to. Raises Invalid with every
    problem, and what rendering a chart raises."""

    def exists(folder: str) -> bool:
        prefix = folder.rstrip("/") + "/"
        return any(path.startswith(prefix) for path in files)

    raw = raw or files
    mine = {path: text for path, text in files.items() if path.startswith(f"{FOLDER}/")}
    _refuse_encrypted(raw)
    clusters = load_clusters(mine, exists)
    problems = environments.check(clusters) + applications.check(clusters)
    clusters = _built(clusters, Sources(files, raw, program, charts), problems)
    kept = sealed.encrypted(raw, files)
    clusters = tuple(replace(c, secrets=credentials.values(c, files, raw, problems), encrypted=kept) for c in clusters)
    asked = wiring.objects_asked_of(clusters)
    problems += wiring.check(clusters, {c.name: _offered(c, files) for c in clusters if c.name in asked}, others)
    hosts = environments.claimed(clusters)
    for cluster in clusters:
        without = [env for env in cluster.environments if not exists(objects.templates(env.spec.type))]
        for env in without:
            message = f"there are no templates for environments of type {env.spec.type!r}"
            hint = f"add the folder {objects.templates(env.spec.type)}"
            problems.append(cluster.problem("Environment", env.title, ("spec", "type"), message, hint))
        problems += _render(cluster, files, hosts) if not without else ()
    if problems:
        raise Invalid("the desired state has mistakes", problems=list(dict.fromkeys(problems)))
    return clusters


def _refuse_encrypted(raw: Mapping[str, bytes]) -> None:
    """What stands below desired/ goes into plans, reports, records, inventories and Terraform's state: nothing of it is
    opened. Raises Invalid with the line of every encrypted value there."""
    below = ((path, text) for path, text in sorted(raw.items()) if path.startswith(f"{FOLDER}/"))
    marked = ((path, text) for path, text in below if sealed.MARK.encode() in text)
    if problems := [problem for path, text in marked for problem in _encrypted_values(path, text)]:
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
    problems: list[Problem] = []
    for path, text in sorted(files.items()):
        if path.startswith((f"{FOLDER}/", "manifests/")) and path.endswith(SUFFIXES):
            problems += _plain_secrets(path, text)
    if problems:
        raise Invalid("there is a secret in plain text", problems=problems)


def encrypted(path: str, text: bytes) -> bool:
    """Is this a file that SOPS keeps?"""
    return sealed.is_kept(path, text)


def opens(path: str, text: bytes) -> bool:
    """Is this one to be opened? Of what stands below desired/ nothing is."""
    return not path.startswith(f"{FOLDER}/") and sealed.is_kept(path, text)


def _plain_secrets(path: str, text: bytes) -> list[Problem]:
    try:
        return [problem for document in parse(path, text) for problem in secrets.check(document)]
    except Unreadable:  # a template of environments is no YAML yet; a mistake is told where it is loaded
        return secrets.check_text(path, text)


@dataclass(frozen=True)
class Sources:
    """What workloads are built from, in the clear and as git has it, and the programs that do so."""

    files: Mapping[str, bytes]
    raw: Mapping[str, bytes]
    kustomize: Kustomize | None
    helm: Helm | None


def _built(clusters: Sequence[DesiredCluster], sources: Sources, problems: list[Problem]) -> tuple[DesiredCluster, ...]:
    """The clusters with what programs make of workloads, each kustomize folder once; mistakes go to `problems`."""
    folders: dict[str, kustomize.Built | None] = {}
    return tuple(_with(cluster, sources, folders, problems) for cluster in clusters)


def _with(
    cluster: DesiredCluster,
    sources: Sources,
    folders: dict[str, kustomize.Built | None],
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
                if workload.path not in folders:
                    folders[workload.path] = None
                    folders[workload.path] = _folder(workload.path, sources)
                made[workload.name] = folders[workload.path]
        except Invalid as error:
            made[workload.name] = None
            problems += error.problems
    done = {name: one for name, one in made.items() if one is not None}
    return replace(cluster, built=done, unbuilt=tuple(name for name in made if name not in done))


def _folder(path: str, sources: Sources) -> kustomize.Built | None:
    return kustomize.built(sources.raw, sources.files, path, sources.kustomize) if sources.kustomize else None


def _chart(cluster: DesiredCluster, index: int, workload: Workload, sources: Sources) -> helm.Built | None:
    place = helm.Place(cluster.documents["Cluster", cluster.name], ("spec", "workloads", index))
    version = cluster.cluster.spec.kubernetes.version
    if sources.helm is None:
        return None
    return helm.built(sources.raw, sources.files, workload, place, version, sources.helm)


def _render(cluster: DesiredCluster, files: Mapping[str, bytes], hosts: Mapping[str, str]) -> Sequence[Problem]:
    """Every mistake of the workloads and environments; what was not built has none that anybody knows of. `hosts` are
    those that environments and applications claim, of whichever cluster."""
    known = [w for w in cluster.cluster.spec.workloads if w.name not in cluster.unbuilt]
    try:
        placed = objects.each_once(cluster, files, known)
        objects.environments(cluster, files, placed)
    except Invalid as error:
        return error.problems
    return environments.check_workloads(hosts, placed)
