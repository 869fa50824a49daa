"""Which kinds a server has and where: discovery, fetched once per group-version and kept in memory."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ...errors import Transient
from .connection import Connection, NotFound, Silent


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind as the server has it."""

    api_version: str
    name: str
    plural: str
    namespaced: bool

    def collection(self, namespace: str | None = None) -> str:
        """The path of all its objects: of one namespace, or of the whole cluster."""
        within = f"/namespaces/{quote(namespace)}" if namespace and self.namespaced else ""
        return f"{root(self.api_version)}{within}/{self.plural}"

    def path(self, name: str, namespace: str | None = None) -> str:
        return f"{self.collection(namespace)}/{quote(name)}"


class Discovery:
    """Asks the server for its kinds. Safe for several threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, Kind]] = {}
        self._asking: dict[str, threading.Lock] = {}

    def kind(self, api_version: str, name: str) -> Kind | None:
        """None: the server answered, and does not have it. Raises like Connection.get when it did not answer."""
        return self._kinds(api_version).get(name)

    def named(self, name: str) -> Iterator[Kind]:
        """Every kind of this name, whatever its group; groups already asked for come first. A group that does not
        answer (an aggregated API without backend) keeps no other from being asked; raises Transient for it last."""
        asked = tuple(self._known)
        others = (v for v in self._preferred() if v not in asked)
        silent: Transient | None = None
        for api_version in itertools.chain(asked, others):
            try:
                kind = self.kind(api_version, name)
            except Silent:
                raise  # nobody answers, whatever is asked
            except Transient as error:
                silent = silent or error
                continue
            if kind:
                yield kind
        if silent:
            raise silent

    def forget(self) -> None:
        """After definitions were applied, the server has kinds it did not have before."""
        self._known.clear()

    def _kinds(self, api_version: str) -> dict[str, Kind]:
        with self._lock:
            asking = self._asking.setdefault(api_version, threading.Lock())
        with asking:  # who comes second has the first one's answer
            found = self._known.get(api_version)
            if found is None:
                try:
                    found = _parsed(self._connection.get(root(api_version)), api_version)
                except NotFound:
                    return {}  # not remembered: its definition may be applied at any time
                self._known[api_version] = found
            return found

    def _preferred(self) -> Iterator[str]:
        yield "v1"
        for group in self._connection.get("/apis").get("groups", ()):
            yield str(group["preferredVersion"]["groupVersion"])


def namespace_of(obj: Mapping[str, Any]) -> str:
    return str(obj["metadata"].get("namespace") or "default")


def path_of(obj: Mapping[str, Any], kind: Kind) -> str:
    return kind.path(obj["metadata"]["name"], namespace_of(obj))


def name_of(obj: Mapping[str, Any], kind: Kind | None) -> str:
    """`namespace/name`, or `name` alone for what belongs to the whole cluster."""
    namespaced = kind.namespaced if kind else "namespace" in obj["metadata"]
    name = str(obj["metadata"]["name"])
    return f"{namespace_of(obj)}/{name}" if namespaced else name


def root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _parsed(answer: Mapping[str, Any], api_version: str) -> dict[str, Kind]:
    """Kinds whose objects can't be listed (a TokenReview) are answers and no objects."""
    return {
        r["kind"]: Kind(api_version, r["kind"], r["name"], r["namespaced"])
        for r in answer.get("resources", ())
        if "/" not in r["name"] and "list" in r.get("verbs", ("list",))
    }
