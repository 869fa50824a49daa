"""Fields of our own objects that a controller sets: what it does there is no drift."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...model.desired import Ignore
from ...model.resource import Component
from ...ports import Manifest
from . import objects

# Rewrites the image whenever the stream's tag moves (OpenShift, "Triggering updates on image stream changes").
_TRIGGERS = "image.openshift.io/triggers"


def owners(manifests: Mapping[Component, Mapping[str, Sequence[Manifest]]]) -> tuple[Ignore, ...]:
    """An ignore rule for every field that something among the manifests hands over to a controller."""
    return tuple(
        rule
        for component, by_target in manifests.items()
        for found in by_target.values()
        for manifest in found
        for rule in _of(component, manifest)
    )


def _of(component: Component, manifest: Manifest) -> Iterator[Ignore]:
    key = objects.key(manifest)
    if key.kind == "HorizontalPodAutoscaler":
        target = (manifest.get("spec") or {}).get("scaleTargetRef") or {}
        scaled = f"{target.get('kind')} {key.name.rpartition('/')[0] or 'default'}/{target.get('name')}"
        yield _rule(component, scaled, "spec.replicas", f"{key} sets it")
    if _TRIGGERS in (manifest["metadata"].get("annotations") or {}):
        yield _rule(component, str(key), "spec.template.spec.containers*image", "an image trigger sets it")


def _rule(component: Component, resource: str, field: str, reason: str) -> Ignore:
    return Ignore.model_validate({"component": component.value, "resource": resource, "field": field, "reason": reason})
