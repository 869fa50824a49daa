"""What others may know of a cluster: read where it is live, remembered on the observed branch.

An address that can't be seen, or is gone for the moment, is no reason to take it out of what was made with it: then the
one that was recorded last still counts. Other clusters' outputs are those that they recorded.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ..model.resource import Known, Listing, Resource, Unknown
from ..ports import Manifest, Repository
from ..spec import wiring
from ..spec.load import DesiredCluster
from ..spec.render.application import Sealed
from ..spec.wiring import Output, Outputs
from ..spec.yaml import Unreadable
from ..yaml_text import dump
from . import shapes
from .toolkit import Access, Toolkit

FILE = "outputs.yaml"
_API_VERSIONS = {
    "services": ("v1", "Service"),
    "ingresses": ("networking.k8s.io/v1", "Ingress"),
    "secrets": ("v1", "Secret"),
    "applications": ("route.openshift.io/v1", "Route"),
}
Live = Mapping[tuple[str, str], "Manifest | Unknown | None"]


def text(known: Outputs, cluster: str) -> str:
    """A cluster's own outputs as they are recorded; empty for none."""
    mine = {o.path: value for o, value in sorted(known.values.items()) if o.cluster == cluster}
    return dump(mine) if mine else ""


def recorded(repository: Repository, cluster: str) -> dict[str, str]:
    """A cluster's outputs by path, as the observed branch has them in this clone. What can't be read says nothing."""
    path = f"{cluster}/{FILE}"
    text = repository.observed(cluster).get(path, b"")
    try:
        return shapes.read(shapes.OUTPUTS, FILE, text, {})
    except Unreadable as error:
        repository.disregard(path, text, str(error))
        return {}


def live(desired: DesiredCluster, wanted: Collection[Output], tools: Toolkit, targets: Mapping[str, Access]) -> Live:
    """The live objects that the outputs `wanted` of this cluster are read from, by kind of output and name. `targets`
    are the OpenShifts of its applications. An API whose kubeconfig is not there has none."""
    apps = {app.name: app for app in desired.applications if not app.spec.host}
    asked: dict[Access, dict[tuple[str, str], Manifest]] = {}
    for output in wanted:
        if output.kind not in _API_VERSIONS or (output.field == "address" and output.kind == "applications"):
            continue
        name, access = output.name, tools.api(desired.name)
        if output.kind == "applications":
            if output.secret or output.name not in apps:
                continue
            app = apps[output.name]
            name, access = f"{app.spec.namespace}/{app.name}", targets[app.spec.target]
        version, kind = _API_VERSIONS[output.kind]
        space, _, short = name.partition("/")
        metadata = {"name": short, "namespace": space}
        found = {"apiVersion": version, "kind": kind, "metadata": metadata}
        asked.setdefault(access, {})[output.kind, output.name] = found
    answers: dict[tuple[str, str], Manifest | Unknown | None] = {}
    for access, objects in asked.items():
        if access.kubeconfig.exists():
            answers.update(zip(objects, tools.kubernetes(access).lookup(list(objects.values())), strict=True))
        else:
            answers.update(dict.fromkeys(objects))
    return answers


def gathered(
    desired: DesiredCluster,
    wanted: Iterable[Output],
    found: Live,
    *,
    endpoint: str | Unknown | None,
    servers: Listing,
    repository: Repository,
) -> Outputs:
    """Everything the cluster's applications and other clusters refer to, as far as it is known. `wanted` are outputs of
    this cluster; `endpoint` is the address of its API."""
    values: dict[Output, str] = {}
    why: dict[Output, str] = {}
    sealed: dict[Output, Sealed] = {}
    mine, fixed = sorted(wanted), wiring.fixed(desired)
    before = recorded(repository, desired.name) if any(o not in fixed and not o.secret for o in mine) else {}
    for output in mine:
        value = fixed.get(output) or _read(output, found, endpoint, servers)
        if isinstance(value, Sealed):
            sealed[output] = value
        elif isinstance(value, str):
            values[output] = value
        elif output.path in before and not output.secret:
            values[output] = before[output.path]
        else:
            why[output] = (
                f"which can't be seen: {value.reason}" if isinstance(value, Unknown) else "which is not there yet"
            )
    others, own_why = _of_others(desired, repository)
    return Outputs({**values, **others}, {**why, **own_why}, sealed)


def _of_others(desired: DesiredCluster, repository: Repository) -> tuple[dict[Output, str], dict[Output, str]]:
    """What applications of this cluster need of other ones."""
    needed = {o for app in desired.applications for _, _, o in wiring.references(app, desired.name) if o}
    theirs = sorted(o for o in needed if o.cluster != desired.name)
    told = {name: recorded(repository, name) for name in {o.cluster for o in theirs}}
    values = {o: told[o.cluster][o.path] for o in theirs if o.path in told[o.cluster]}
    return values, {o: f"which {o.cluster} has not recorded yet" for o in theirs if o not in values}


def _read(
    output: Output, found: Live, endpoint: str | Unknown | None, servers: Listing
) -> str | Sealed | Unknown | None:
    if output.kind == "api":
        return endpoint
    obj = found.get((output.kind, output.name))
    if obj is None or isinstance(obj, Unknown):
        return obj
    if output.kind == "secrets":
        return _secret(obj, output.field)
    if output.kind == "applications":
        host = _host(obj)
        return (f"https://{host}" if output.field == "url" else host) if host else None
    if output.kind == "ingresses":
        return _first_host(obj) if output.field == "host" else _balanced(obj)
    return _service(obj, output.field, servers)


def _service(obj: Manifest, field: str, servers: Listing) -> str | Unknown | None:
    """A load balancer's address and the Service's port; else that of a machine, and the port it has on each of them. A
    Service that is of neither kind yet has no way in."""
    spec = obj.get("spec") or {}
    ports: list[dict[str, Any]] = spec.get("ports") or [{}]
    balanced = spec.get("type") == "LoadBalancer"
    if not balanced and spec.get("type") != "NodePort":
        return None
    if field == "port":
        port = ports[0].get("port" if balanced else "nodePort")
        return str(port) if port else None
    if balanced:
        return _balanced(obj)
    if isinstance(servers, Unknown):
        return servers
    return next((str(s.fields["address"]) for s in _machines(servers) if s.fields.get("address")), None)


def _machines(servers: Known) -> list[Resource]:
    """Those with an address outside first, then by name: the same one as long as it is there."""
    return sorted(servers.resources, key=lambda s: (s.fields.get("address") == s.fields.get("fixed_ip"), s.name))


def _balanced(obj: Manifest) -> str | None:
    status = (obj.get("status") or {}).get("loadBalancer") or {}
    found = (entry.get("ip") or entry.get("hostname") for entry in status.get("ingress") or ())
    return next((str(one) for one in found if one), None)


def _first_host(obj: Manifest) -> str | None:
    return next((str(r["host"]) for r in (obj.get("spec") or {}).get("rules") or () if r.get("host")), None)


def _host(route: Manifest) -> str | None:
    """What the router admitted, else what the API put in for who asked for none."""
    admitted = (str(i["host"]) for i in (route.get("status") or {}).get("ingress") or () if i.get("host"))
    return next(admitted, None) or (route.get("spec") or {}).get("host") or None


def _secret(obj: Manifest, key: str) -> Sealed | None:
    data, metadata = obj.get("data") or {}, obj["metadata"]
    if key not in data:
        return None
    try:
        value = base64.b64decode(data[key], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, TypeError):
        return None
    return Sealed(value, f"{metadata.get('uid')} {metadata.get('resourceVersion')}")
