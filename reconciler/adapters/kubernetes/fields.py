"""Objects as comparable fields: dotted paths, list items by name, secrets hidden. Pure."""

from __future__ import annotations

import base64
import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...model.resource import Fields, Value

PART_OF = "applyset.kubernetes.io/part-of"
MANAGED_BY = "app.kubernetes.io/managed-by"
GENERATE = "research.moc/generate"
# Of a generated Secret: what has read it at its start, as StatefulSet/work, and is started anew with another one.
RESTARTS = "research.moc/restarts"

HIDDEN = "(hidden)"
HIDDEN_DIFFERS = "(hidden, differs)"

_ABSENT = object()
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
    """The manifest as it is sent: labelled as ours, a Secret's stringData as the data the server makes of it."""
    made: dict[str, Any] = copy.deepcopy(dict(manifest))
    metadata = made.setdefault("metadata", {})
    metadata["labels"] = {**(metadata.get("labels") or {}), PART_OF: part_of, MANAGED_BY: "reconciler"}
    if made.get("kind") == "Secret" and "stringData" in made:
        plain = made.pop("stringData") or {}
        encoded = {k: base64.b64encode(str(v).encode()).decode() for k, v in plain.items()}
        made["data"] = {**(made.get("data") or {}), **encoded}
    return made


def generated(manifest: Mapping[str, Any]) -> bool:
    """A Secret whose value is made once, on the cluster, and is in no repository."""
    annotations = manifest.get("metadata", {}).get("annotations") or {}
    return manifest.get("kind") == "Secret" and GENERATE in annotations


def all_fields(manifest: Mapping[str, Any]) -> Fields:
    """Every field of a manifest, a Secret's values hidden."""
    leaves = dict(_leaves(manifest))
    return {path: HIDDEN if _secret(manifest, path) else value for path, value in sorted(leaves.items())}


def leaves(obj: Mapping[str, Any]) -> dict[str, Value]:
    """Every field of an object by its path, a Secret's values as they are: `shown` hides them."""
    return dict(_leaves(obj))


def shown(obj: Mapping[str, Any], path: str, value: Value) -> Value:
    """The value of one field of an object as it may be told."""
    return HIDDEN if value is not None and _secret(obj, path) else value


def differing(expected: Mapping[str, Any], live: Mapping[str, Any]) -> tuple[Fields, Fields]:
    """The fields in which two objects differ, on both sides; None where a side has no such field."""
    return _between(expected, dict(_leaves(expected)), dict(_leaves(live)))


def differing_as_asked(manifest: Mapping[str, Any], live: Mapping[str, Any]) -> tuple[Fields, Fields]:
    """Like `differing`, for the manifest's own fields only: for when the server can't say what it would do."""
    wanted = dict(_leaves(manifest))
    return _between(manifest, wanted, {p: v for p, v in _leaves(live) if p in wanted})


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


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Value]]:
    if path in _SERVERS_OWN:
        return
    if isinstance(value, Mapping) and value:
        for key in value:
            yield from _leaves(value[key], f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)) and any(isinstance(item, Mapping) for item in value):
        for label, item in zip(labels(value), value, strict=True):
            yield from _leaves(item, f"{path}[{label}]")
    elif value is not None:  # null in a manifest asks for nothing
        yield path, _plain(value)


def _plain(value: Any) -> Value:
    if isinstance(value, Mapping):
        return ()
    if isinstance(value, (list, tuple)):
        return tuple(_plain(item) for item in value)
    return value if isinstance(value, (str, int, float, bool)) else str(value)
