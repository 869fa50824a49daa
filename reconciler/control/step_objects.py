"""Which Kubernetes objects a step is about, and what may be done to them."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.change import Difference
from ..model.plan import WAVE, Step
from ..model.resource import Key, Resource
from ..ports import Kubernetes, Manifest
from ..spec.render import objects
from .sight import Sight


def to_prune(differences: Sequence[Difference], sight: Sight) -> list[Resource]:
    """What is to go, each with its type: where that is known, no other API group has to be asked."""
    components, kinds = {d.component for d in differences}, {d.key.kind for d in differences}
    live = (r for c in components for kind in kinds for r in sight.observed.resources(c, kind))
    types = {r.id: r.type for r in live}
    return [Resource(d.key.kind, d.key.name, id=d.id, type=types.get(d.id, "")) for d in differences]


def earlier(step: Step, sight: Sight) -> list[Manifest]:
    """What the step's wave waits for: it may be as git says, and not healthy since an earlier cycle."""
    wave = int(step.arguments.get(WAVE, 0))
    before = {r.key for r in sight.expected.resources(step.component) if r.wave < wave}
    return [m for m in sight.manifests[step.component][""] if objects.key(m) in before]


def left_alone(api: Kubernetes, manifests: Sequence[Manifest], step: Step) -> list[Manifest]:
    """The manifests so that what a rule leaves to others stays as it is live. Raises as Kubernetes.left_alone."""
    target = step.arguments.get("target", "")
    fields: dict[Key, set[str]] = {}
    for d in step.keep:
        if d.field and d.key.target == target:
            fields.setdefault(Key(d.key.kind, d.key.name), set()).add(d.field)
    return list(api.left_alone(manifests, fields)) if fields else list(manifests)
