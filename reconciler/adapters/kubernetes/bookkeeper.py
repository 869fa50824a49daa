"""Says on the server whose the fields of an object are, before and after it is applied. No value changes by it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Mapping
from typing import Any

from ...errors import Transient
from ...model.resource import Owner
from . import handover
from .additions import Names, judged
from .books import Place
from .connection import JSON_PATCH, Conflict, Connection, NotFound
from .kinds import Kind, path_of

_PAUSES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)


class Bookkeeper:
    """`names` says as whom objects are applied."""

    def __init__(self, connection: Connection, names: Names) -> None:
        self._connection = connection
        self._names = names

    def take_over(
        self, kind: Kind, manifest: Mapping[str, Any], paths: Collection[str], taking: Collection[Owner]
    ) -> None:
        """Make ours what others set at `paths`: the apply that comes next then lets go of it. Only from people and from
        those in `taking`. Raises Transient when the object never holds still."""
        for pause in _PAUSES:
            time.sleep(pause)
            try:
                live = _typed(kind, self._connection.get(path_of(manifest, kind)))
                written = handover.taken_over(
                    live, self._names, lambda field: field.at(paths), lambda owner: owner.by_hand or owner in taking
                )
                if written is not None:
                    self._write(kind, live, written)
            except NotFound:  # nothing to take over: it is made anew
                return
            except Conflict:
                continue
            return
        raise Transient("changes too fast to be applied", hint="the next cycle tries again")

    def take_idle(self, kind: Kind, live: Mapping[str, Any], idle: Collection[Place]) -> bool:
        """Make ours what people's programs named though the server had put it there: it followed from a value that they
        changed, and the server puts another there once that is taken back. Returns whether anything was; raises
        Conflict where the object is another by now."""
        written = (
            handover.taken_over(live, self._names, lambda f: f.place in idle, lambda o: o.by_hand) if idle else None
        )
        if written is not None:
            self._write(kind, live, written)
        return written is not None

    def own_alone(self, kind: Kind, applied: Mapping[str, Any]) -> bool:
        """People's programs share no field of what was applied with us, so that it goes when git drops it. Where
        somebody writes it meanwhile that is left to the next apply: what then stays is found as added. Returns whether
        anything was given up."""
        live = _typed(kind, applied)
        with contextlib.suppress(Conflict, NotFound):
            written = handover.alone(live, self._names, lambda: self._idle(kind, live))
            if written is not None:
                self._write(kind, live, written)
                return True
        return False

    def free(self, kind: Kind, manifest: Mapping[str, Any]) -> bool:
        """The same, of an object as it is; False as well where there is none."""
        try:
            return self.own_alone(kind, self._connection.get(path_of(manifest, kind)))
        except NotFound:
            return False

    def _idle(self, kind: Kind, live: Mapping[str, Any]) -> frozenset[Place]:
        return judged(self._connection, kind, live, live, self._names).idle

    def _write(self, kind: Kind, live: Mapping[str, Any], written: handover.ManagedFields) -> None:
        """Of this very version."""
        version = live["metadata"]["resourceVersion"]
        patch = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
            {"op": "replace", "path": "/metadata/managedFields", "value": written},
        ]
        query = {"fieldManager": self._names.manager}
        self._connection.request("PATCH", path_of(live, kind), query=query, body=patch, content_type=JSON_PATCH)


def _typed(kind: Kind, obj: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": kind.api_version, "kind": kind.name, **obj}
