"""References between components, such as `${cluster.api.endpoint}`: one component's output is another's input.

What can be referred to, after `cluster.` (this one) or `cluster.OTHER.` (another one of the repository):

    name                                 what it is called
    api.endpoint                         where its Kubernetes API is, https://ADDRESS:6443
    services.NAMESPACE.NAME.address      where a Service of its workloads is reached from outside (and .port)
    ingresses.NAMESPACE.NAME.address     the same of an Ingress (and .host)
    applications.NAME.url                an application's way in (and .host); .address is for the same OpenShift
    applications.NAME.secrets.VARIABLE   a secret of an application in the same namespace
    secrets.NAMESPACE.NAME.KEY           a Secret of this cluster

`application.NAME.…` is short for `cluster.applications.NAME.…`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import Problem
from ..model.desired import Application
from ..ports import Manifest
from .load import DesiredCluster
from .render.application import Held, Sealed, Secrets, kept_in

LATER = "(known after apply)"
_REFERENCE = re.compile(r"\$\{([^}]*)\}")
# Of each kind of output: how many parts its name has, and what may follow it.
_FORMS = {
    "name": (0, ""),
    "api": (0, "endpoint"),
    "services": (2, "address|port"),
    "ingresses": (2, "address|host"),
    "applications": (1, r"url|host|address|secrets\.\w+"),
    "secrets": (2, r"[-.\w]+"),
}
_GRAMMAR = (
    "cluster.name, cluster.api.endpoint, cluster.services.NAMESPACE.NAME.address (or .port), "
    "cluster.ingresses.NAMESPACE.NAME.address (or .host), application.NAME.url (or .host, .address, "
    ".secrets.VARIABLE), cluster.secrets.NAMESPACE.NAME.KEY; and cluster.OTHER.… of another cluster"
)


@dataclass(frozen=True, slots=True, order=True)
class Output:
    """Something of a cluster that can be referred to: `services`, `sid/backend`, `address`."""

    cluster: str
    kind: str
    name: str = ""
    field: str = ""

    @property
    def path(self) -> str:
        """Its name within its cluster, such as services.sid.backend.address."""
        return ".".join(part for part in (self.kind, self.name.replace("/", "."), self.field) if part)

    @property
    def secret(self) -> bool:
        """Is what it stands for never to be read by anybody?"""
        return self.kind == "secrets" or self.field.startswith("secrets.")


@dataclass(frozen=True)
class Outputs:
    """What is known of the outputs somebody refers to. `why` says of the others what they wait for; `sealed` are the
    values of secrets."""

    values: Mapping[Output, str] = field(default_factory=dict)
    why: Mapping[Output, str] = field(default_factory=dict)
    sealed: Mapping[Output, Sealed] = field(default_factory=dict, repr=False)

    def beside(self, more: Outputs) -> Outputs:
        """These, and those of other clusters."""
        return Outputs({**self.values, **more.values}, {**self.why, **more.why}, {**self.sealed, **more.sealed})


@dataclass(frozen=True)
class Wired:
    """An application with every reference followed. `waits` says what it needs and is not known yet; empty for none."""

    app: Application
    secrets: Secrets
    waits: str = ""


def parsed(reference: str, own: str) -> Output | None:
    """What stands between `${` and `}`, in a file of the cluster `own`; None for what is no reference."""
    head, *rest = reference.split(".")
    if head == "application":
        return _output(own, ["applications", *rest])
    if head != "cluster" or not all(rest):
        return None
    return _output(own, rest) or (_output(rest[0], rest[1:]) if rest else None)


def _output(cluster: str, parts: list[str]) -> Output | None:
    """The output of a cluster that `parts` lead to."""
    kind, *rest = parts or [""]
    if kind not in _FORMS:
        return None
    long, fields = _FORMS[kind]
    name, what = "/".join(rest[:long]), ".".join(rest[long:])
    right = re.fullmatch(fields, what) if len(rest) >= long else None
    return Output(cluster, kind, name, what) if right else None


def references(app: Application, own: str) -> Iterator[tuple[str, str, Output | None]]:
    """Every reference of an application: the variable, the reference as it is written, and what it leads to."""
    for variable, value in app.spec.env.items():
        for name in _REFERENCE.findall(value):
            yield variable, name, parsed(name, own)


def wanted(clusters: Sequence[DesiredCluster], cluster: str) -> frozenset[Output]:
    """The outputs of `cluster` that an application of any of `clusters` refers to."""
    return frozenset(output for c in clusters for output in _all(c) if output.cluster == cluster)


def _all(desired: DesiredCluster) -> set[Output]:
    """Everything the applications of a cluster refer to."""
    return {o for app in desired.applications for _, _, o in references(app, desired.name) if o}


def objects_asked_of(clusters: Sequence[DesiredCluster]) -> frozenset[str]:
    """The clusters of whose workloads somebody needs a certain object."""
    return frozenset(o.cluster for c in clusters for o in _all(c) if o.kind in _KINDS)


def in_order(clusters: Sequence[DesiredCluster]) -> tuple[DesiredCluster, ...]:
    """The clusters, those that others refer to before those; the rest in the order they came in. Two that refer to each
    other (which is allowed: one's application to the other's API) come as they came."""
    left, done = list(clusters), list[DesiredCluster]()
    while left:
        names = {c.name for c in left}
        free = next((c for c in left if not {o.cluster for o in _all(c)} & (names - {c.name})), left[0])
        left.remove(free)
        done.append(free)
    return tuple(done)


def check(
    clusters: Sequence[DesiredCluster],
    offered: Mapping[str, Sequence[Manifest] | None] | None = None,
    others: Collection[str] = (),
) -> list[Problem]:
    """Every reference that leads nowhere, can't be followed, or leads back to where it starts, at its line. `offered`
    has the objects of each cluster's workloads; None for one whose objects are not all known. `others` are clusters
    that there are and that were not loaded: what leads there is not judged."""
    by_name = {c.name: c for c in clusters}
    problems = []
    for desired in clusters:
        for app in desired.applications:
            for variable, name, output in references(app, desired.name):
                if output and output.cluster in others:
                    wrong = _ANOTHERS_SECRET if output.secret else None
                else:
                    wrong = _wrong(desired, app, variable, name, output, by_name, offered or {})
                if wrong:
                    path = ("spec", "env", variable)
                    problems.append(desired.problem("Application", app.name, path, f"${{{name}}} {wrong[0]}", wrong[1]))
    return problems + _circles(by_name)


def _wrong(
    desired: DesiredCluster,
    app: Application,
    variable: str,
    name: str,
    output: Output | None,
    clusters: Mapping[str, DesiredCluster],
    offered: Mapping[str, Sequence[Manifest] | None],
) -> tuple[str, str] | None:
    """What is wrong with one reference, and what to do about it."""
    if output is None:
        close = difflib.get_close_matches(name, [f"cluster.{n}" for n in ("name", "api.endpoint")], n=1, cutoff=0.75)
        return "refers to nothing", _close(close) or f"there are: {_GRAMMAR}"
    if output.cluster not in clusters:
        return f"refers to a cluster {output.cluster!r}, which there is not", _nearest(output.cluster, clusters)
    theirs = clusters[output.cluster]
    if output.kind == "applications":
        wrong = _wrong_application(desired, app, output, theirs)
    else:
        wrong = _wrong_object(desired, output, offered.get(output.cluster))
    if not wrong and output.secret and app.spec.env[variable] != f"${{{name}}}":
        return (
            "is a secret, and a secret is a whole value",
            "nothing may stand beside it: give it a variable of its own",
        )
    return wrong


def _wrong_application(
    desired: DesiredCluster, app: Application, output: Output, theirs: DesiredCluster
) -> tuple[str, str] | None:
    apps = {one.name: one for one in theirs.applications}
    other = apps.get(output.name)
    if other is None:
        return f"refers to an application {output.name!r}, which there is not", _nearest(output.name, apps)
    place, where = (app.spec.target, app.spec.namespace), (other.spec.target, other.spec.namespace)
    if output.field == "address" and place[0] != where[0]:
        return f"is an address on {where[0]}, and {app.name} is on {place[0]}", "use its url"
    if output.secret:
        variable = output.field.removeprefix("secrets.")
        if variable not in other.spec.secrets:
            return f"refers to a secret {variable!r}, which there is not", _nearest(variable, other.spec.secrets)
        if place != where or theirs.name != desired.name:
            message = f"is kept in namespace {where[1]} on {where[0]}, where {app.name} can't read it"
            return message, "put both into one namespace, or both values into one SOPS file"
    return None


def _wrong_object(
    desired: DesiredCluster, output: Output, manifests: Sequence[Manifest] | None
) -> tuple[str, str] | None:
    if output.kind == "secrets" and output.cluster != desired.name:
        return _ANOTHERS_SECRET
    if output.kind not in _KINDS or manifests is None:
        return None
    kind = _KINDS[output.kind]
    found = {_name(m): m for m in manifests if m["kind"] == kind}
    if output.name not in found:
        message = f"refers to a {kind} {output.name}, which is in no workload of {output.cluster}"
        return message, _nearest(output.name, found)
    if kind == "Service" and (found[output.name].get("spec") or {}).get("type") not in ("LoadBalancer", "NodePort"):
        message = f"refers to Service {output.name}, which nobody outside of {output.cluster} reaches"
        return message, "give it type LoadBalancer or NodePort, or refer to an Ingress"
    return None


_ANOTHERS_SECRET = ("is another cluster's secret", "an application gets secrets of its own cluster only")
_KINDS = {"services": "Service", "ingresses": "Ingress", "secrets": "Secret"}


def _name(manifest: Manifest) -> str:
    metadata = manifest["metadata"]
    return f"{metadata.get('namespace') or 'default'}/{metadata['name']}"


def _nearest(name: str, known: Collection[str]) -> str:
    return _close(difflib.get_close_matches(name, known, n=1)) or (
        f"there are: {', '.join(sorted(known)[:10])}" if known else "there are none"
    )


def _close(found: Sequence[str]) -> str:
    return f"did you mean {found[0]!r}?" if found else ""


def _circles(clusters: Mapping[str, DesiredCluster]) -> list[Problem]:
    """One problem for each circle of applications, with the whole way round."""
    edges = {
        (c.name, app.name): [
            (variable, (output.cluster, output.name))
            for variable, _, output in references(app, c.name)
            if output and output.kind == "applications" and not output.secret
        ]
        for c in clusters.values()
        for app in c.applications
    }
    problems: list[Problem] = []
    done: set[tuple[str, str]] = set()
    for start in edges:
        way = _way_round(start, edges, done)
        if way:
            desired = clusters[way[0][0][0]]
            many = len({cluster for (cluster, _), _ in way}) > 1
            said = [f"{cluster}/{name}" if many else name for (cluster, name), _ in way]
            message = f"refers in a circle: {' → '.join([*said, said[0]])}"
            path = ("spec", "env", way[0][1])
            hint = "an application's address is there after it: write one of them out, where its host is known"
            done |= {node for node, _ in way}
            problems.append(desired.problem("Application", way[0][0][1], path, message, hint))
    return problems


_Node = tuple[str, str]


def _way_round(
    start: _Node, edges: Mapping[_Node, Sequence[tuple[str, _Node]]], done: set[_Node]
) -> list[tuple[_Node, str]] | None:
    """The first circle that can be reached from `start`: each application with the variable that leads on. What was
    gone through before is in `done`."""
    way: list[tuple[_Node, str]] = []
    left = [(start, iter(edges.get(start, ())))] if start not in done else []
    on_way = {start: 0}
    while left:
        node, further = left[-1]
        for variable, other in further:
            if other in on_way:
                return [*way, (node, variable)][on_way[other] :]
            if other not in done:
                way.append((node, variable))
                on_way[other] = len(way)
                left.append((other, iter(edges.get(other, ()))))
                break
        else:
            done.add(node)
            on_way.pop(node)
            left.pop()
            if way:
                way.pop()
    return None


def fixed(desired: DesiredCluster) -> dict[Output, str]:
    """What is known from git alone."""
    found = {Output(desired.name, "name"): desired.name}
    for app in desired.applications:
        address = f"{app.name}.{app.spec.namespace}.svc"
        found[Output(desired.name, "applications", app.name, "address")] = address
        if app.spec.host:
            found |= way_in(desired.name, app.name, app.spec.host)
    return found


def way_in(cluster: str, application: str, host: str) -> dict[Output, str]:
    """An application's outputs, once its route's host is known."""
    return {
        Output(cluster, "applications", application, "url"): f"https://{host}",
        Output(cluster, "applications", application, "host"): host,
    }


def wire(desired: DesiredCluster, app: Application, known: Outputs) -> Wired:
    """The application with every reference followed. What is not known yet says so in its place."""
    waits: list[str] = []
    brought = {v: desired.secrets[s.file, s.key] for v, s in app.spec.secrets.items() if s.file and s.key}
    kept: dict[str, Held] = {}
    env: dict[str, str] = {}
    apps = {one.name: one for one in desired.applications}
    for variable, value in app.spec.env.items():
        output = parsed(value[2:-1], desired.name) if _REFERENCE.fullmatch(value) else None
        if output is None or not output.secret:
            env[variable] = _REFERENCE.sub(lambda m: _value(m[1], desired.name, known, waits), value)
        elif output.kind == "applications":
            named = output.field.removeprefix("secrets.")
            kept[variable] = kept_in(apps[output.name], named, apps[output.name].spec.secrets[named])
        elif output in known.sealed:
            brought[variable] = known.sealed[output]
        else:
            waits.append(_waiting(value[2:-1], output, known))
            brought[variable] = Sealed(LATER, "")
    made = app.model_copy(update={"spec": app.spec.model_copy(update={"env": env})})
    return Wired(made, Secrets(brought, kept), "; ".join(dict.fromkeys(waits)))


def _value(reference: str, own: str, known: Outputs, waits: list[str]) -> str:
    output = parsed(reference, own)
    if output is None or output not in known.values:
        waits += [_waiting(reference, output, known)] if output else []
        return LATER
    return known.values[output]


def _waiting(reference: str, output: Output, known: Outputs) -> str:
    return f"${{{reference}}}, {known.why.get(output, 'which is not known yet')}"
