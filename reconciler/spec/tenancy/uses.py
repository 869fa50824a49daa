"""Everything that a cluster's own folder names and that may be somebody else's, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...errors import Problem
from ...model.desired import Application, Chart, Workload
from .. import helm, kustomize, wiring
from ..load import DesiredCluster
from ..references import existing_subnets, of_machines
from ..render import objects
from ..render.environment import COMMON, OWNER, namespace
from ..sealed import is_kept
from ..yaml import SUFFIXES, Path
from .policy import Thing

_ADDRESS = re.compile(r"[a-z]+://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9][A-Za-z0-9._~-]*)*/?")


@dataclass(frozen=True)
class Use:
    """A thing that is used: its `name` as patterns match it, its `title` as people read it, and where it stands in the
    text of which object. `by` is where that is followed from, if not from there."""

    thing: Thing
    name: str
    title: str
    kind: str
    object: str
    path: Path
    by: Problem | None = None

    def problem(self, desired: DesiredCluster, message: str, hint: str) -> Problem:
        """A problem at its place."""
        at = self.by or desired.problem(self.kind, self.object, self.path, "")
        return Problem(at.file, at.line, at.column, at.path, message, hint)


def uses(desired: DesiredCluster, raw: Mapping[str, bytes]) -> Iterator[Use]:
    """What `desired` uses. `raw` are the files as git has them. What stands in the fleet's defaults is left out: it was
    written by who wrote the policy. Not so for secrets, which are opened for nobody whom the policy does not name."""
    for use in (*_of_cluster(desired), *_of_workloads(desired, raw)):
        if use.thing == "secrets" or desired.origin(use.path).layer != "fleet":
            yield use
    for app in desired.applications:
        yield from _of_application(desired, app)
    yield from _of_environments(desired, raw)


def _of_cluster(desired: DesiredCluster) -> Iterator[Use]:
    def at(thing: Thing, name: str, word: str, *path: str | int) -> Use:
        return Use(thing, name, f"{word} {name!r}", "Cluster", desired.name, ("spec", *path))

    spec = desired.cluster.spec
    network = spec.network
    yield at("clouds", spec.cloud, "cloud", "cloud")
    yield at("existing", network.external_network, "network", "network", "externalNetwork")
    if network.router:
        yield at("existing", network.router, "router", "network", "router")
    if network.existing:
        yield at("existing", network.existing.network, "network", "network", "existing", "network")
        for path, subnet, _ in existing_subnets(network.existing):
            yield at("existing", subnet, "subnet", "network", "existing", *path, "subnet")
    for path, machines in of_machines(desired):
        for number, group in enumerate(machines.security_groups):
            yield at("existing", group, "security group", *path[1:], "securityGroups", number)
    for variable in spec.kubernetes.variables:
        yield at("variables", variable, "the variable", "kubernetes", "variables", variable)


def _of_workloads(desired: DesiredCluster, raw: Mapping[str, bytes]) -> Iterator[Use]:
    for number, workload in enumerate(desired.cluster.spec.workloads):
        path: Path = ("spec", "workloads", number)
        if desired.origin((*path, "namespace")).layer != "built-in":
            title = f"namespace {workload.namespace!r}"
            yield Use("namespaces", workload.namespace, title, "Cluster", desired.name, (*path, "namespace"))
        if workload.helm and workload.helm.chart:
            name = _address(workload.helm.chart)
            place = (*path, "helm", "chart", "repository")
            title = f"chart {workload.helm.chart.name!r} of {workload.helm.chart.repository!r}"
            yield Use("charts", name, title, "Cluster", desired.name, place)
        for at, file, by in _files(raw, workload):
            yield from _of_file(raw, Use("paths", file, f"file {file!r}", "Cluster", desired.name, (*path, *at), by))


def _address(chart: Chart) -> str:
    """Where a chart is from, with its name; empty for what is no plain address: a user, a query or `..` in it would
    make it match one thing and lead to another."""
    repository = chart.repository.removesuffix("/")
    return f"{repository}/{chart.name}" if _ADDRESS.fullmatch(repository) else ""


def _files(raw: Mapping[str, bytes], workload: Workload) -> Iterator[tuple[Path, str, Problem | None]]:
    """Every file that a workload is made from, at which of its keys, and which kustomization leads there."""
    folder = workload.path.rstrip("/")
    for number, file in enumerate(workload.helm.values_files if workload.helm else ()):
        yield ("helm", "valuesFiles", number), file, None
    if not folder:
        return
    reached: dict[str, Problem | None] = {folder: None}
    chart = helm.is_chart(raw, workload)
    built = not chart and kustomize.file_of(raw, folder) is not None
    if built:
        reached = kustomize.folders(raw, folder)
    files = {file: by for root, by in reversed(reached.items()) for file in raw if file.startswith(f"{root}/")}
    for file, by in sorted(files.items(), key=lambda item: item[0]):
        if chart or built or file.endswith(SUFFIXES):
            yield ("path",), file, by


def _of_file(raw: Mapping[str, bytes], use: Use) -> Iterator[Use]:
    """A file that is used, once more as a secret where SOPS keeps it."""
    yield use
    if use.name in raw and is_kept(use.name, raw[use.name]):
        title = f"the secrets in {use.name!r}"
        yield Use("secrets", use.name, title, use.kind, use.object, use.path, use.by)


def _of_application(desired: DesiredCluster, app: Application) -> Iterator[Use]:
    def at(thing: Thing, name: str, title: str, *path: str | int) -> Use:
        return Use(thing, name, title, "Application", app.name, ("spec", *path))

    spec = app.spec
    target = f"namespace {spec.namespace!r} of OpenShift {spec.target!r}"
    yield at("targets", f"{spec.target}/{spec.namespace}", target, "target")
    if spec.host:
        yield at("hosts", plain_host(spec.host), f"host {spec.host!r}", "host")
    for variable, source in spec.secrets.items():
        if source.file:
            yield at("secrets", source.file, f"the secrets in {source.file!r}", "secrets", variable, "file")
    for variable, _, output in wiring.references(app, desired.name):
        if output and output.cluster != desired.name:
            yield at("outputs", output.cluster, f"outputs of cluster {output.cluster!r}", "env", variable)
        elif output and output.kind in ("services", "ingresses", "secrets"):
            space = output.name.partition("/")[0]
            yield at("namespaces", space, f"namespace {space!r}", "env", variable)


def _of_environments(desired: DesiredCluster, raw: Mapping[str, bytes]) -> Iterator[Use]:
    """What every environment has comes along with any type, and counts only where SOPS keeps it."""
    for env in desired.environments:
        space, host = namespace(env.spec.owner), env.spec.access.host
        title = f"namespace {space!r}, which is the owner's"
        yield Use("namespaces", space, title, "Environment", env.title, ("spec", "owner"))
        if host:
            title = f"host {host!r}"
            yield Use("hosts", plain_host(host), title, "Environment", env.title, ("spec", "access", "host"))
        own = f"{objects.templates(env.spec.type)}/"
        folders = (own, f"{COMMON}/", f"{OWNER}/")
        for file in sorted(path for path in raw if path.startswith(folders) and path.endswith(SUFFIXES)):
            use = Use("paths", file, f"file {file!r}", "Environment", env.title, ("spec", "type"))
            yield from (of for of in _of_file(raw, use) if of.thing == "secrets" or file.startswith(own))


def plain_host(host: str) -> str:
    """A host as patterns match it: DNS knows neither capitals nor the dot at the end."""
    return host.lower().rstrip(".")
