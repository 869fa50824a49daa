"""The namespaces that objects of one comparison lie in: which are there, and under which id."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import replace
from urllib.parse import quote

from ...errors import Permanent, Transient
from ...model.naming import going
from ...model.resource import Resource
from ...ports import Manifest, goes_when_done
from .connection import Connection, NotFound
from .kinds import Kind, namespace_of
from .leaving import leaving

_ABSENT = "(absent)"


class Spaces:
    """`made` are the namespaces that the manifests bring themselves."""

    def __init__(self, connection: Connection, made: Collection[str]) -> None:
        self._connection = connection
        self._made = made
        self._lock = threading.Lock()
        self._ids: dict[str, str] = {}
        self._leaving: dict[str, str] = {}

    def placed(self, expected: Resource, manifest: Manifest, kind: Kind | None, *, missing: bool) -> Resource:
        """What is expected, with what its namespace says of it: a Job that goes when it is done was done in one of that
        id; and what is missing waits where its namespace is missing too, and nobody makes it, or is on its way out:
        nothing is made in one of those, and what it holds goes with it."""
        if kind is None or not kind.namespaced:
            return expected
        name = namespace_of(manifest)
        if goes_when_done(manifest):
            expected = replace(expected, within=self._id(name))
        if missing and name not in self._made and self._id(name) == _ABSENT:
            return replace(expected, waits=f"the namespace {name}, {NOBODY_MAKES}")
        if missing and (since := self._going(name)):
            return replace(expected, waits=f"the namespace {name}, which {since}")
        return expected

    def _id(self, name: str) -> str:
        """Empty where nobody may see it, or where that can't be asked now."""
        with self._lock:
            if name not in self._ids:
                self._ids[name] = self._asked(name)
            return self._ids[name]

    def _going(self, name: str) -> str:
        self._id(name)
        return self._leaving.get(name, "")

    def _asked(self, name: str) -> str:
        try:
            metadata = self._connection.get(f"/api/v1/namespaces/{quote(name)}")["metadata"]
            self._leaving[name] = going(leaving(metadata))
            return str(metadata["uid"])
        except NotFound:
            return _ABSENT
        except (Permanent, Transient):
            return ""


NOBODY_MAKES = "which is not there, and which nothing in git makes (add a Namespace to a workload, or make it by hand)"
