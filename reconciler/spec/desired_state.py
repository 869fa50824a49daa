"""Everything about the desired state that can be checked without asking anybody: load, references, manifests."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import Invalid, Problem
from . import secrets, wiring
from .load import FOLDER, DesiredCluster
from .load import load as load_clusters
from .render import objects
from .yaml import Unreadable, parse


def load(files: Mapping[str, bytes]) -> tuple[DesiredCluster, ...]:
    """Load and check every cluster. `files` has desired/ and manifests/. Raises Invalid with every problem."""

    def exists(folder: str) -> bool:
        prefix = folder.rstrip("/") + "/"
        return any(path.startswith(prefix) for path in files)

    mine = {path: text for path, text in files.items() if path.startswith(f"{FOLDER}/")}
    clusters = load_clusters(mine, exists)
    problems: list[Problem] = []
    for cluster in clusters:
        problems += wiring.check(cluster)
        without = [env for env in cluster.environments if not exists(objects.templates(env.spec.type))]
        for env in without:
            message = f"there are no templates for environments of type {env.spec.type!r}"
            hint = f"add the folder {objects.templates(env.spec.type)}"
            problems.append(cluster.problem("Environment", env.name, ("spec", "type"), message, hint))
        problems += _render(cluster, files) if not without else ()
    if problems:
        raise Invalid("the desired state has mistakes", problems=problems)
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


def _render(cluster: DesiredCluster, files: Mapping[str, bytes]) -> tuple[Problem, ...]:
    try:
        objects.workloads(cluster, files)
    except Invalid as error:
        return error.problems
    return ()
