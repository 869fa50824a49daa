"""Objects as comparable fields: dotted paths, list items by name, secrets hidden. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ...model.resource import Fields, Value
from .amounts import same_amount

PART_OF = "applyset.kubernetes.io/part-of"
MANAGED_BY = "app.kubernetes.io/managed-by"
GENERATE = "research.moc/generate"
# Of a generated Secret: what has read it at its start, as StatefulSet/work, and is started anew with another one.
RESTARTS = "research.moc/restarts"

HIDDEN = "(hidden)"
HIDDEN_DIFFERS = "(hidden, differs)"

_ABSENT = object()
_RBAC = ("rbac.authorization.k8s.io", "authorization.openshift.io")
_SHOWN_OF_SECRETS = frozenset({"metadata", "type", "immutable"})
_ROOT = re.compile(r"[.\[]")
# What the server keeps for itself. The last annotation holds a whole copy of the object, secrets included.
_SERVERS_OWN = frozenset(
    {
        "status",
        "apiVersion",
        "kind",
        "metadata.name",
        "metadata.namespace",
        "metadata.managedFields",
        "metadata.resourceVersion",
        "metadata.generation",
        "metadata.uid",
        "metadata.creationTimestamp",
        "metadata.annotations.kubectl.kubernetes.io/last-applied-configuration",
    }
)


def prepared(manifest: Mapping[str, Any], part_of: str) -> dict[str, Any]:
    """The manifest as it is sent: labelled as ours, a Secret's stringData as the data the server makes of it, without
    the rules that a controller writes into an aggregated ClusterRole. What is not changed is the manifest's own: to
    copy it all is half of what a look at a thousand objects costs."""
    metadata = manifest.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), PART_OF: part_of, MANAGED_BY: "reconciler"}
    made = encoded({**manifest, "metadata": {**metadata, "labels": labels}})
    if _aggregated(made):
        made.pop("rules", None)
    return made


def encoded(manifest: dict[str, Any]) -> dict[str, Any]:
    """A Secret's stringData as the data the server makes of it; anything else as it is."""
    if manifest.get("kind") != "Secret" or "stringData" not in manifest:
        return manifest
    plain = manifest.pop("stringData") or {}
    text = {k: base64.b64encode(str(v).encode()).decode() for k, v in plain.items()}
    return {**manifest, "data": {**(manifest.get("data") or {}), **text}}


def _aggregated(manifest: Mapping[str, Any]) -> bool:
    """With an aggregationRule "the Rules are controller managed and direct changes to Rules will be stomped by the
    controller" (Kubernetes API, ClusterRole); its own documents show it with `rules: []`."""
    group = str(manifest.get("apiVersion")).partition("/")[0]
    return manifest.get("kind") == "ClusterRole" and group in _RBAC and bool(manifest.get("aggregationRule"))


def generated(manifest: Mapping[str, Any]) -> bool:
    """A Secret whose value is made once, on the cluster, and is in no repository."""
    annotations = manifest.get("metadata", {}).get("annotations") or {}
    return manifest.get("kind") == "Secret" and GENERATE in annotations


def all_fields(manifest: Mapping[str, Any]) -> Fields:
    """Every field of a manifest, a Secret's values hidden."""
    return {path: HIDDEN if _secret(manifest, path) else value for path, value in sorted(leaves(manifest))}


def shown(obj: Mapping[str, Any], path: str, value: Value) -> Value:
    """The value of one field of an object as it may be told."""
    return HIDDEN if value is not None and _secret(obj, path) else value


def differing(
    expected: Mapping[str, Any], live: Mapping[str, Any], gone: Collection[str] = ()
) -> tuple[Fields, Fields]:
    """The fields in which two objects differ, on both sides; None where a side has no such field. Those in `gone` are
    not expected, whatever `expected` says."""
    return _between(expected, {p: v for p, v in leaves(expected) if p not in gone}, dict(leaves(live)))


def differing_as_asked(
    manifest: Mapping[str, Any], live: Mapping[str, Any], spelled: Mapping[str, Any]
) -> tuple[Fields, Fields]:
    """Like `differing`, for the manifest's own fields only: for when the server can't say what it would do. `spelled`
    is the manifest as the server writes it, as far as it would say that."""
    written = dict(leaves(spelled))
    wanted = {path: written.get(path, value) for path, value in leaves(manifest)}
    now = {path: value for path, value in leaves(live) if path in wanted}
    same = {path: value for path, value in now.items() if same_amount(path, wanted[path], value)}
    return _between(manifest, wanted | same, now)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Value]]:
    """Every field of an object, or of the part of one that lies at `path`: dotted path and value."""
    if path in _SERVERS_OWN:
        return
    if isinstance(value, Mapping) and value:
        for key in value:
            yield from leaves(value[key], f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)) and any(isinstance(item, Mapping) for item in value):
        for label, item in zip(labels(value), value, strict=True):
            yield from leaves(item, f"{path}[{label}]")
    elif value is not None:  # null in a manifest asks for nothing
        yield path, _plain(value)


def labels(items: Sequence[Any]) -> list[str]:
    """Names where every item has one of its own: a container that moved is still the same container."""
    names = [str(item["name"]) for item in items if isinstance(item, Mapping) and "name" in item]
    return names if len(set(names)) == len(items) else [str(n) for n in range(len(items))]


def _between(obj: Mapping[str, Any], left: dict[str, Value], right: dict[str, Value]) -> tuple[Fields, Fields]:
    ours: dict[str, Value] = {}
    theirs: dict[str, Value] = {}
    for path in sorted(left.keys() | right.keys()):
        if left.get(path, _ABSENT) == right.get(path, _ABSENT):
            continue
        hide = _secret(obj, path)
        ours[path] = HIDDEN if hide and path in left else left.get(path)
        theirs[path] = HIDDEN_DIFFERS if hide and path in right else right.get(path)
    return ours, theirs


def _secret(obj: Mapping[str, Any], path: str) -> bool:
    """Of a Secret its metadata are shown, and of what kind it is; annotations may be copies of all it holds."""
    if obj.get("kind") != "Secret":
        return False
    return path.startswith("metadata.annotations") or _ROOT.split(path)[0] not in _SHOWN_OF_SECRETS


def _plain(value: Any) -> Value:
    if isinstance(value, Mapping):
        return ()
    if isinstance(value, (list, tuple)):
        return tuple(_plain(item) for item in value)
    return value if isinstance(value, (str, int, float, bool)) else str(value)
