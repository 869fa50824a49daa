"""What makes manifests of other files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

Manifest: TypeAlias = Mapping[str, Any]


def goes_when_done(manifest: Manifest) -> bool:
    """Does the object take itself away once it is done? Then that it is not there says nothing."""
    spec = manifest.get("spec")
    job = manifest.get("kind") == "Job" and str(manifest.get("apiVersion")).startswith("batch/")
    return job and isinstance(spec, Mapping) and spec.get("ttlSecondsAfterFinished") is not None


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
