"""Where the Kubernetes objects of a cluster go beyond the policy, whatever made them: plain files, kustomize, Helm or a
template of environments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from ...errors import Problem
from ...model.desired import Environment
from ...ports import Manifest
from ..load import DesiredCluster
from ..render import scope
from ..render.workload import Placed
from ..yaml import Path
from .named import refusal
from .policy import Tenancy, Thing
from .uses import plain_host

Place: TypeAlias = Callable[[Path, str, str], Problem]

_NAMESPACE = ("", "Namespace")
_ROUTES = {("gateway.networking.k8s.io", kind) for kind in ("HTTPRoute", "GRPCRoute", "TLSRoute")}


@dataclass(frozen=True, slots=True)
class _Use:
    """What an object uses, by the name that patterns match, and where in the object."""

    thing: Thing
    name: str
    title: str
    path: Path


def rendered(
    policy: Tenancy | None,
    desired: DesiredCluster,
    placed: Sequence[Placed],
    environments: Iterable[tuple[Environment, Manifest]],
) -> list[Problem]:
    """Everything that the objects of workloads (`placed`) and of `environments` use and may not, once for each thing,
    at the object that uses it first. Workloads of the fleet's defaults are the administrators' own."""
    if policy is None:
        return []
    permits = policy.of(desired.name)
    scopes = _Scopes.of(one.object for one in placed)
    refused: dict[tuple[Thing, str], Problem] = {}
    for manifest, place in (*_workloads(desired, placed), *_environments(desired, environments)):
        for use in _uses(manifest, scopes):
            if (use.thing, use.name) not in refused and not permits.allows(use.thing, use.name):
                message = refusal(desired.name, use.title)
                refused[use.thing, use.name] = place(use.path, message, permits.hint(use.thing))
    return list(refused.values())


def _workloads(desired: DesiredCluster, placed: Sequence[Placed]) -> Iterator[tuple[Manifest, Place]]:
    if desired.origin(("spec", "workloads")).layer != "fleet":
        yield from ((one.object, one.problem) for one in placed)


def _environments(
    desired: DesiredCluster, environments: Iterable[tuple[Environment, Manifest]]
) -> Iterator[tuple[Manifest, Place]]:
    """What a template makes is reported at the environment it is made for."""
    for env, manifest in environments:

        def place(_: Path, message: str, hint: str, title: str = env.title) -> Problem:
            return desired.problem("Environment", title, ("metadata", "name"), message, hint)

        yield manifest, place


@dataclass(frozen=True)
class _Scopes:
    """The kinds that belong to no namespace, and those that do, as far as git knows."""

    without: scope.Scoped
    within: scope.Scoped

    @classmethod
    def of(cls, manifests: Iterable[Manifest]) -> Self:
        """With what the definitions among `manifests` say."""
        there = list(manifests)
        return cls(scope.BUILT_IN | scope.defined(there), scope.NAMESPACED | scope.defined(there, "Namespaced"))


def _uses(manifest: Manifest, scopes: _Scopes) -> Iterator[_Use]:
    """A kind that nobody knows may belong to the whole cluster, whatever namespace it names: the API server would not
    mind."""
    kind, metadata = scope.kind_of(manifest), manifest["metadata"]
    name, namespace = str(metadata["name"]), str(metadata.get("namespace") or "")
    title = f"{kind[1]} {name!r}"
    yield from _hosts(manifest)
    if kind == _NAMESPACE:
        yield _Use("namespaces", name, f"namespace {name!r}", ("metadata", "name"))
        return
    if kind in scopes.without:
        yield _Use("cluster_scoped", f"{kind[1]}/{name}", f"{title}, which belongs to no namespace", ("kind",))
        return
    if kind not in scopes.within:
        why = "which may belong to no namespace: no definition of its kind is among the workloads"
        yield _Use("cluster_scoped", f"{kind[1]}/{name}", f"{title}, {why}", ("kind",))
    yield _Use("namespaces", namespace, f"namespace {namespace!r}, where {title} is to be", ("metadata", "namespace"))


def _hosts(manifest: Manifest) -> Iterator[_Use]:
    """The hosts that lead to an object; one that names none is reached by any."""
    kind, spec = scope.kind_of(manifest), manifest.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    if kind == ("route.openshift.io", "Route"):
        if host := spec.get("host") or spec.get("subdomain"):  # else the router makes up one of its own
            yield _host(host, ("spec", "host"))
    elif kind[1] == "Ingress":
        rules = _mappings(spec.get("rules")) or [{}]
        yield from (_host(rule.get("host"), ("spec", "rules", n, "host")) for n, rule in enumerate(rules))
        if spec.get("defaultBackend") is not None:
            yield _host(None, ("spec", "defaultBackend"))
    elif kind in _ROUTES:
        names = spec.get("hostnames")
        hosts = names if isinstance(names, list) and names else [None]
        yield from (_host(host, ("spec", "hostnames", n)) for n, host in enumerate(hosts))


def _host(host: Any, path: Path) -> _Use:
    text = plain_host(host) if isinstance(host, str) else ""
    return _Use("hosts", text, f"host {text!r}" if text else "every host", path)


def _mappings(value: Any) -> list[dict[str, Any]]:
    """The entries of a list that are mappings; one that is none has no host that could be read."""
    return [item if isinstance(item, dict) else {} for item in value] if isinstance(value, list) else []
