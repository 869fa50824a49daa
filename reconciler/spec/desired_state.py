"""Everything about the desired state that can be checked without asking anybody: load, references, manifests."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import Invalid, Problem
from . import wiring
from .load import FOLDER, DesiredCluster
from .load import load as load_clusters
from .render import objects


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


def _render(cluster: DesiredCluster, files: Mapping[str, bytes]) -> tuple[Problem, ...]:
    try:
        objects.workloads(cluster, files)
    except Invalid as error:
        return error.problems
    return ()
