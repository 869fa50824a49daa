"""Images that machines can be made from now, the newest build of each name first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ...model.resource import Resource


def usable(listed: Iterable[Any]) -> Iterator[Resource]:
    """With when each was made (ISO 8601). One that is queued, deactivated or being deleted makes no machine."""
    there = [image for image in listed if image.status == "active"]
    for image in sorted(there, key=lambda i: (i.name or "", i.created_at or "", i.id), reverse=True):
        yield Resource("images", image.name or "", {"created_at": image.created_at or ""}, image.id)
