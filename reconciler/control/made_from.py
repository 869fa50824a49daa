"""What Terraform is told beyond what git says: the ids of images and flavors, and the words that live rules have.

By ids it never looks a name up that the cloud's operators gave to another image since, or to none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..engine.able import PARTS
from ..engine.diff import meant
from ..model.change import Action
from ..model.naming import IMAGE_ID
from ..model.plan import Step
from ..model.resource import Component, Key, Resource
from ..model.rules import as_written
from ..spec.render.terraform import FLAVOR_ID, HELD, address, association
from .sight import Sight

_INFRA = Component.INFRASTRUCTURE
_TIED = "floating_ip"
# The image of a machine whose own nobody tells: its root disk was made from a snapshot, or a volume of another kind.
_UNTOLD = "untold"


def told(resources: Iterable[Resource], step: Step, sight: Sight) -> tuple[Resource, ...]:
    """The resources of git as Terraform gets them for this step. A machine that can't be made for now is left out with
    what is its own; where its port is there, that stays, and the machine alone is left out."""
    absent = {d.key for d in step.keep if not d.field and d.action is Action.NONE and d.live is None}
    fresh = {d.key for d in step.differences if d.action in (Action.CREATE, Action.REPLACE)}
    live = _live(sight)
    waiting = {key.name for key in absent if key.kind == "server"}
    gone = {name for name in waiting if Key("port", name) not in live}
    made = (r for r in resources if not (r.kind in PARTS and r.name in gone))
    return tuple(_told(r, fresh, live, sight, held=r.kind == "server" and r.name in waiting) for r in made)


def as_made(resources: Iterable[Resource], there: Iterable[Resource]) -> tuple[Resource, ...]:
    """The resources of git as Terraform gets them to change nothing of what is `there`: rules in their own words, and
    the images that machines were made from, whatever these are called by now."""
    live = {r.key: r for r in there}

    def made(resource: Resource) -> Resource:
        now = live.get(resource.key)
        if resource.kind == "security_group_rule":
            return as_written(resource, now)
        image = now.fields.get(IMAGE_ID) if now and resource.kind == "server" else None
        return replace(resource, fields={**resource.fields, IMAGE_ID: image}) if image else resource

    return tuple(made(r) for r in resources)


def touched(step: Step, parts: frozenset[str]) -> frozenset[str]:
    """The addresses that a narrow step names, with the `parts` of what it makes anew and what ties a floating IP to a
    machine."""
    named = {address(d.key.kind, d.key.name) for d in step.differences}
    return frozenset({*named, *parts, *(association(d.key.name) for d in step.differences if d.key.kind == _TIED)})


def _told(resource: Resource, fresh: set[Key], live: dict[Key, Resource], sight: Sight, *, held: bool) -> Resource:
    if resource.kind == "security_group_rule":
        return as_written(resource, live.get(resource.key))
    if resource.kind != "server":
        return resource
    image, flavor = str(resource.fields["image"]), str(resource.fields["flavor"])
    now = live.get(resource.key) if resource.key not in fresh else None
    id = (now.fields.get(IMAGE_ID) if now else None) or resource.fields.get(IMAGE_ID) or sight.builds.images.get(image)
    if now and not id:  # Terraform never changes the image of a server that is there, so it must not fail to find it
        id = _UNTOLD
    # One whose flavor is gone is never touched by a run that is narrow; then any word will do that is not looked up.
    flavors = sight.builds.flavors
    gone = ("flavor", flavor) in sight.missing or (now is not None and bool(flavors) and flavor not in flavors)
    flavor_id = flavors.get(flavor) or (flavor if gone else None)
    fields = {IMAGE_ID: id or None, FLAVOR_ID: flavor_id or None, HELD: held}
    return replace(resource, fields={**resource.fields, **fields})


def _live(sight: Sight) -> dict[Key, Resource]:
    """One live resource of each key."""
    listed: Sequence[Resource] = [
        r for kind in sight.observed.kinds(_INFRA) for r in sight.observed.resources(_INFRA, kind)
    ]
    return {r.key: r for r in meant(sight.expected.resources(_INFRA), listed)}
