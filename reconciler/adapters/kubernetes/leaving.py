"""An object that is being deleted and stays: the server waits until each finalizer was taken off. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...model.naming import FINALIZERS, GOING
from ...model.resource import Fields


def leaving(metadata: Mapping[str, Any]) -> Fields:
    """Since when an object is being deleted, and which finalizers it still has; nothing of one that stays."""
    if not (since := metadata.get("deletionTimestamp")):
        return {}
    return {GOING: str(since), FINALIZERS: tuple(sorted(map(str, metadata.get("finalizers") or ())))}
