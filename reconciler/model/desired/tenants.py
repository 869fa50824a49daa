"""Which cluster's folder may use what of the things that are not its own: the words of a policy, and their form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field, StringConstraints

from .base import Model

EVERYTHING = "*"


def _plain(text: str) -> str:
    """Letters that look like others would say one thing to a reviewer and another here."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"{text[:60]!r} is no pattern: ASCII letters, digits and signs, without spaces")
    return text


def _two_parts(example: str) -> Callable[[str], str]:
    def checked(text: str) -> str:
        if text != EVERYTHING and (text.count("/") != 1 or text.startswith("/") or text.endswith("/")):
            raise ValueError(f"{text[:60]!r} has not two parts, such as {example}")
        return text

    return checked


def _path(text: str) -> str:
    parts = text.removesuffix("/").split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"{text[:60]!r} is no path from the repository's root, such as manifests/physics/**")
    return text


Names = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_plain)]
# Both parts are patterns of their own: neither reaches over the slash.
Targets: TypeAlias = Annotated[Names, AfterValidator(_two_parts("moc/physics-*: an OpenShift and a namespace of it"))]
Kinds: TypeAlias = Annotated[Names, AfterValidator(_two_parts("PriorityClass/environment: a kind and a name"))]
Paths: TypeAlias = Annotated[Names, AfterValidator(_path)]


class Tenant(Model):
    """What the folders of `clusters` may use that is not their own. All are shell-like patterns (`*`, `?`, `[a-c]`),
    and capitals count. A list that is left out allows nothing, "*" alone everything; entries for one cluster add up.

    `existing` are networks, subnets, routers and security groups that the cloud has already, the external network among
    them. `targets` are OpenShifts of the settings with their namespaces (moc/physics-*). `namespaces` are those of the
    cluster itself, `clusterScoped` its objects that belong to none, by kind and name (ClusterRole/physics-*). `hosts`
    lead to an application, an environment, an Ingress or a Route. `outputs` are other clusters that applications may
    refer to. `paths` are files that workloads and environments are made from, where `*` stays within a folder and `**`
    does not (manifests/physics/**); `charts` are charts of repositories, likewise (https://charts.example.org/grafana).
    `secrets` are files that SOPS keeps, wherever they are; `variables` are Kubespray's."""

    clusters: Annotated[tuple[Names, ...], Field(min_length=1)]
    clouds: tuple[Names, ...] = ()
    existing: tuple[Names, ...] = ()
    targets: tuple[Targets, ...] = ()
    namespaces: tuple[Names, ...] = ()
    cluster_scoped: tuple[Kinds, ...] = ()
    hosts: tuple[Names, ...] = ()
    outputs: tuple[Names, ...] = ()
    paths: tuple[Paths, ...] = ()
    charts: tuple[Names, ...] = ()
    secrets: tuple[Paths, ...] = ()
    variables: tuple[Names, ...] = ()
