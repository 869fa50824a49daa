"""What others may know of a cluster, read where it is live.

An address that can't be seen, or is gone for the moment, is no reason to take it out of what was made with it: then the
last one that is believed (`output_memory`) still counts.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ..model.resource import Known, Listing, Resource, Unknown
from ..ports import Manifest
from ..spec import wiring
from ..spec.load import DesiredCluster
from ..spec.output_values import wrong
from ..spec.render.application import Sealed
from ..spec.wiring import Output, Outputs
from ..yaml_text import dump
from .toolkit import Access, Toolkit

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


def live(
    desired: DesiredCluster,
    wanted: Collection[Output],
    tools: Toolkit,
    targets: Mapping[str, Access],
    missing: Unknown | None = None,
) -> Live:
    """The live objects that the outputs `wanted` of this cluster are read from, by kind of output and name. `targets`
    are the OpenShifts of its applications. `missing` is what an API says whose kubeconfig is not there: None for one
    that was never made."""
    apps = {app.name: app for app in desired.applications if not app.spec.host}
    asked: dict[Access, dict[tuple[str, str], Manifest]] = {}
    answers: dict[tuple[str, str], Manifest | Unknown | None] = {}
    for output in wanted:
        if output.kind not in _API_VERSIONS or (output.field == "address" and output.kind == "applications"):
            continue
        name, access = output.name, tools.api(desired.name)
        if output.kind == "applications":
            if output.secret or output.name not in apps:
                continue
            app = apps[output.name]
            if app.spec.target not in targets:
                answers[output.kind, output.name] = Unknown(f"the settings name no OpenShift {app.spec.target!r}")
                continue
            name, access = f"{app.spec.namespace}/{app.name}", targets[app.spec.target]
        version, kind = _API_VERSIONS[output.kind]
        space, _, short = name.partition("/")
        metadata = {"name": short, "namespace": space}
        found = {"apiVersion": version, "kind": kind, "metadata": metadata}
        asked.setdefault(access, {})[output.kind, output.name] = found
    for access, objects in asked.items():
        if access.kubeconfig.exists():
            answers.update(zip(objects, tools.kubernetes(access).lookup(list(objects.values())), strict=True))
        else:
            answers.update(dict.fromkeys(objects, missing))
    return answers


def gathered(
    desired: DesiredCluster,
    wanted: Iterable[Output],
    found: Live,
    *,
    endpoint: str | Unknown | None,
    servers: Listing,
    before: Mapping[Output, str],
) -> Outputs:
    """What is known of the outputs `wanted` of this cluster, and why the others are not. `endpoint` is the address of
    its API; `before` are the values that count where nothing is seen."""
    values: dict[Output, str] = {}
    why: dict[Output, str] = {}
    sealed: dict[Output, Sealed] = {}
    fixed = wiring.fixed(desired)
    for output in sorted(wanted):
        value = fixed.get(output) or _typed(output, _read(output, found, endpoint, servers))
        if isinstance(value, Sealed):
            sealed[output] = value
        elif isinstance(value, str):
            values[output] = value
        elif output in before and not output.secret:
            values[output] = before[output]
        else:
            why[output] = (
                f"which can't be seen: {value.reason}" if isinstance(value, Unknown) else "which is not there yet"
            )
    return Outputs(values, why, sealed)


def _typed(output: Output, value: str | Sealed | Unknown | None) -> str | Sealed | Unknown | None:
    """What is live may be anything: what is not what it should be can't be seen."""
    problem = wrong(output, value) if isinstance(value, str) else ""
    return Unknown(f"what is there is {problem}") if problem else value


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
