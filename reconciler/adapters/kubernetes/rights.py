"""An account with rights in its own namespaces only: what it may not list for the whole cluster it lists there, and a
namespace where its rights are still to be made holds nothing of ours yet. Where it knows of no namespace it knows
nothing."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from ...errors import Permanent
from .connection import Connection, Forbidden, Metadata, NotFound
from .fields import PART_OF
from .kinds import Kind

_NAMESPACES = "/api/v1/namespaces"
_BINDINGS = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings/{}"

_Answer = TypeVar("_Answer")


class Rights:
    """Of one comparison. `manifests` are all that are wanted: a RoleBinding among them gives rights where it is."""

    def __init__(self, connection: Connection, part_of: str, manifests: Sequence[Mapping[str, Any]]) -> None:
        self._connection = connection
        self._part_of = part_of
        self._mine = f"{PART_OF}={part_of}"
        self._bindings: dict[str, list[str]] = {}
        for m in manifests:
            if m["kind"] == "RoleBinding":
                namespace, name = str(m["metadata"].get("namespace") or "default"), str(m["metadata"]["name"])
                self._bindings.setdefault(namespace, []).append(_BINDINGS.format(quote(namespace), quote(name)))
        self._lock = threading.Lock()
        self._to_come: dict[str, bool] = {}

    def items(self, kind: Kind, namespaces: Iterable[str]) -> list[dict[str, Any]]:
        """Our objects of a kind: of the cluster, or where that may not be listed, of our namespaces and of those in
        `namespaces`, where some are wanted or were applied. Raises as Connection.items does."""
        found = self._listed(
            kind,
            namespaces,
            lambda path: list(self._connection.items(path, labelSelector=self._mine)),
            lambda some: some,
        )
        return [obj for some in found for obj in some]

    def metadata(self, kind: Kind, namespaces: Iterable[str]) -> Metadata:
        """The same, of each object its metadata and nothing else."""
        found = self._listed(
            kind,
            namespaces,
            lambda path: self._connection.metadata(path, labelSelector=self._mine),
            lambda some: Metadata(some, None),
        )
        said = [some.at for some in found if some.at]
        whole = len(said) == len(found)
        return Metadata([obj for some in found for obj in some.items], min(said) if said and whole else None)

    def _listed(
        self,
        kind: Kind,
        namespaces: Iterable[str],
        ask: Callable[[str], _Answer],
        answer: Callable[[list[dict[str, Any]]], _Answer],
    ) -> list[_Answer]:
        try:
            return [ask(kind.collection())]
        except Forbidden:
            if kind.collection() == _NAMESPACES:
                return [answer(self._named(namespaces))]
            if not kind.namespaced:
                raise
            ours = self._ours()
            places = sorted({*namespaces, *(ours or ())})
            if ours is None and not places:
                raise
        found = []
        for namespace in places:
            try:
                found.append(ask(kind.collection(namespace)))
            except Forbidden:
                if not self.to_come(namespace):
                    raise
        return found

    def to_come(self, namespace: str) -> bool:
        """Whether the namespace, or a binding in it that is wanted, is certainly not there: then nothing of ours is."""
        with self._lock:
            if namespace not in self._to_come:
                paths = [f"{_NAMESPACES}/{quote(namespace)}", *self._bindings.get(namespace, ())]
                self._to_come[namespace] = any(self._missing(path) for path in paths)
            return self._to_come[namespace]

    def _missing(self, path: str) -> bool:
        try:
            self._connection.get(path)
        except NotFound:
            return True
        except Permanent:
            return False
        return False

    def _ours(self) -> set[str] | None:
        """Namespaces that were made by us, also when git no longer names them; None where they can't be listed."""
        try:
            found = self._connection.items(_NAMESPACES, labelSelector=self._mine)
            return {str(o["metadata"]["name"]) for o in found}
        except Permanent:
            return None

    def _named(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Which of these namespaces are ours. Others that are ours are not found; no namespace is ever pruned."""
        found = []
        for name in sorted(names):
            with contextlib.suppress(NotFound):
                found.append(self._connection.get(f"{_NAMESPACES}/{quote(name)}"))
        return [o for o in found if (o["metadata"].get("labels") or {}).get(PART_OF) == self._part_of]
