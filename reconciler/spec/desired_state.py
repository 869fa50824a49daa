"""Everything about the desired state that can be checked without asking anybody: load, references, manifests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..errors import Invalid, Problem
from ..ports import Kustomize
from . import kustomize, secrets, wiring
from .load import FOLDER, DesiredCluster
from .load import load as load_clusters
from .render import objects
from .yaml import Unreadable, parse


def load(
    files: Mapping[str, bytes], program: Kustomize | None = None, raw: Mapping[str, bytes] | None = None
) -> tuple[DesiredCluster, ...]:
    """Load and check every cluster. `files` has desired/ and manifests/; `raw` the same as git has it, where something
    was decrypted. `program` builds kustomize folders; without it they are not looked into. Raises Invalid with every
    problem."""

    def exists(folder: str) -> bool:
        prefix = folder.rstrip("/") + "/"
        return any(path.startswith(prefix) for path in files)

    mine = {path: text for path, text in files.items() if path.startswith(f"{FOLDER}/")}
    clusters = load_clusters(mine, exists)
    problems: list[Problem] = []
    clusters = _built(clusters, files, raw or files, program, problems)
    for cluster in clusters:
        problems += wiring.check(cluster)
        without = [env for env in cluster.environments if not exists(objects.templates(env.spec.type))]
        for env in without:
            message = f"there are no templates for environments of type {env.spec.type!r}"
            hint = f"add the folder {objects.templates(env.spec.type)}"
            problems.append(cluster.problem("Environment", env.name, ("spec", "type"), message, hint))
        problems += _render(cluster, files) if not without else ()
    if problems:
        raise Invalid("the desired state has mistakes", problems=list(dict.fromkeys(problems)))
    return clusters


def refuse_plain_secrets(files: Mapping[str, bytes]) -> None:
    """Raises Invalid for what looks like a secret in plain text, in any YAML of desired/ and manifests/. To be asked of
    the files as they are in git, before anything is decrypted."""
    problems: list[Problem] = []
    for path, text in sorted(files.items()):
        if path.startswith((f"{FOLDER}/", "manifests/")) and path.endswith((".yaml", ".yml")):
            problems += _plain_secrets(path, text)
    if problems:
        raise Invalid("there is a secret in plain text", problems=problems)


def encrypted(path: str, text: bytes) -> bool:
    """Is this a file that SOPS keeps?"""
    if not path.endswith((".yaml", ".yml")) or b"sops:" not in text:
        return False
    try:
        return any(isinstance(d.value, dict) and "sops" in d.value for d in parse(path, text))
    except Unreadable:
        return False


def _plain_secrets(path: str, text: bytes) -> list[Problem]:
    try:
        return [problem for document in parse(path, text) for problem in secrets.check(document)]
    except Unreadable:  # a template of environments is no YAML yet; a mistake is told where it is loaded
        return secrets.check_text(path, text)


def _built(
    clusters: Sequence[DesiredCluster],
    files: Mapping[str, bytes],
    raw: Mapping[str, bytes],
    program: Kustomize | None,
    problems: list[Problem],
) -> tuple[DesiredCluster, ...]:
    """The clusters with their kustomize folders built, each folder once; mistakes go to `problems`."""
    paths = dict.fromkeys(w.path for c in clusters for w in c.cluster.spec.workloads)
    made: dict[str, kustomize.Built | None] = {}
    for path in (p for p in paths if kustomize.file_of(raw, p)):
        try:
            made[path] = kustomize.built(raw, files, path, program) if program else None
        except Invalid as error:
            made[path] = None
            problems += error.problems
    return tuple(_with(cluster, made) for cluster in clusters)


def _with(cluster: DesiredCluster, made: Mapping[str, kustomize.Built | None]) -> DesiredCluster:
    mine = {w.path: made[w.path] for w in cluster.cluster.spec.workloads if w.path in made}
    done = {path: one for path, one in mine.items() if one is not None}
    return replace(cluster, built=done, unbuilt=tuple(path for path in mine if path not in done))


def _render(cluster: DesiredCluster, files: Mapping[str, bytes]) -> tuple[Problem, ...]:
    """Every mistake of the workloads and environments; what was not built has none that anybody knows of."""
    known = [w for w in cluster.cluster.spec.workloads if w.path not in cluster.unbuilt]
    try:
        objects.each_once(cluster, files, known)
        objects.environments(cluster, files)
    except Invalid as error:
        return error.problems
    return ()
