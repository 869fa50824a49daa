"""What machines can be made from today: the newest image of each name, and the flavors, by the cloud's own ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .resource import Known, Listing


@dataclass(frozen=True, slots=True)
class Builds:
    """Ids by name; names without an id are known to be there. `sizes` are the flavors' virtual CPUs and MiB of memory.
    `known`: the images could be listed."""

    images: Mapping[str, str] = field(default_factory=dict)
    flavors: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    known: bool = False


def builds(images: Listing, flavors: Listing) -> Builds:
    """The newest image of a name counts, as publishers upload new builds under the old one."""
    newest: dict[str, tuple[str, str]] = {}
    for image in images.resources if isinstance(images, Known) else ():
        made = (str(image.fields.get("created_at") or ""), image.id)
        newest[image.name] = max(made, newest.get(image.name, made))
    there = flavors.resources if isinstance(flavors, Known) else ()
    by_name = {flavor.name: flavor.id for flavor in there}
    sizes = {flavor.name: (_whole(flavor.fields.get("vcpus")), _whole(flavor.fields.get("ram"))) for flavor in there}
    return Builds({name: id for name, (_, id) in newest.items()}, by_name, sizes, isinstance(images, Known))


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
