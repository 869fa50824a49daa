"""The Kubernetes port: one API server, reached by one kubeconfig."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ...errors import Permanent, Transient
from ...model.guest import Guest
from ...model.resource import Key, Listing, Resource, Symptom, Unknown
from ...model.session import Session
from ...ports import Allowance, Comparison, Gate, Manifest, Progress, as_it_is
from . import certificates, guests, nodes, outliving, pods
from .additions import Names
from .apply import Applier
from .compare import Comparer
from .connection import CONNECT_SECONDS, Connection, Refused, open_kubeconfig
from .keeping import kept
from .kinds import Discovery
from .lookup import lookup
from .prune import prune
from .remembered import Remembered


class KubernetesApi:
    """Observing calls (`nodes`, `compare`) return Unknown for what can't be observed; the others raise Transient
    or Permanent. Nothing is read or connected to before the first call.

    `timeout` (seconds) is for one request, `wait` for all of what was applied to become healthy. `cache` is a file
    that remembers which objects were found as desired. `gate` says how the kubeconfig may be read.
    """

    def __init__(
        self,
        kubeconfig: Path,
        *,
        context: str | None = None,
        field_manager: str = "reconciler",
        timeout: float = 10,
        wait: float = 300,
        cache: Path | None = None,
        gate: Gate = as_it_is,
    ) -> None:
        self._kubeconfig, self._context, self._timeout, self._gate = kubeconfig, context, timeout, gate
        self._connection = Connection(kubeconfig, context, timeout, gate)
        self._discovery = Discovery(self._connection)
        self._wait, self._manager = wait, field_manager
        self._comparer = Comparer(self._connection, self._discovery, field_manager, Remembered(cache))
        self._field_manager = field_manager

    def _applier(self, manager: str = "") -> Applier:
        names = Names.of(self._field_manager, manager)
        return Applier(self._connection, self._discovery, names, self._wait)

    def rest(self) -> None:
        """Let go of connections that nobody uses now."""
        self._connection.rest()

    def address(self) -> str:
        """Where the server is, as the kubeconfig has it. Raises Permanent for one that can't be used; Transient."""
        return str(open_kubeconfig(self._kubeconfig, self._context, self._gate).host).rstrip("/").lower()

    def server_version(self) -> str:
        """The server's version without the v, such as 1.36.3."""
        return str(self._connection.get("/version").get("gitVersion", "")).removeprefix("v")

    def nodes(self) -> Listing:
        try:
            return nodes.listed(self._connection)
        except (Transient, Permanent) as error:
            return Unknown(error.message, error.hint, isinstance(error, Refused))

    def certificates(self) -> tuple[Resource, ...]:
        """Those of the kubeconfig and of the server, with when they end; what can't be read is left out."""
        return certificates.shown(self._kubeconfig, self._context, min(CONNECT_SECONDS, self._timeout), self._gate)

    def symptoms(self, nodes: Collection[str]) -> tuple[Symptom, ...]:
        try:
            return pods.symptoms(self._connection, nodes)
        except (Transient, Permanent):
            return ()

    def guests(self, nodes: Collection[str]) -> tuple[Guest, ...]:
        return guests.guests(self._connection, nodes)

    def sessions(self) -> tuple[Session, ...] | Unknown:
        try:
            return pods.sessions(self._connection)
        except (Transient, Permanent) as error:
            return Unknown(error.message, error.hint)

    def mark_sessions(self, movable: Mapping[str, bool]) -> None:
        pods.mark(self._connection, movable)

    def outliving(self) -> tuple[Resource, ...] | Unknown:
        try:
            return outliving.listed(self._connection)
        except (Transient, Permanent) as error:
            return Unknown(error.message, error.hint)

    def retain(self, volumes: Sequence[str]) -> None:
        outliving.retain(self._connection, volumes)

    def compare(
        self, part_of: str, manifests: Sequence[Manifest], before: Sequence[Resource], manager: str = ""
    ) -> Comparison:
        """`before` may be live though no manifest has it any more: its `type` says of which kind it is."""
        return self._comparer.compare(part_of, manifests, before, manager)

    def apply(
        self,
        part_of: str,
        manifests: Sequence[Manifest],
        progress: Progress,
        allowance: Allowance | None = None,
        manager: str = "",
    ) -> None:
        self._applier(manager).apply(part_of, manifests, progress, allowance or Allowance())

    def settle(
        self, part_of: str, manifests: Sequence[Manifest], progress: Progress, allowance: Allowance | None = None
    ) -> None:
        self._applier().settle(part_of, manifests, progress, allowance or Allowance())

    def lookup(self, asked: Sequence[Manifest]) -> tuple[Manifest | Unknown | None, ...]:
        return lookup(self._connection, self._discovery, asked)

    def left_alone(self, manifests: Sequence[Manifest], fields: Mapping[Key, Collection[str]]) -> tuple[Manifest, ...]:
        return kept(self._connection, self._discovery, manifests, fields, self._manager)

    def prune(self, resources: Sequence[Resource]) -> None:
        """Returns once they are gone; raises Transient naming the one that stays."""
        prune(self._connection, self._discovery, resources, self._wait)

    def cordon(self, leaving: Collection[str]) -> None:
        nodes.cordon(self._connection, leaving)

    def label_nodes(self, nodes_: Sequence[Resource]) -> None:
        nodes.mark(self._connection, nodes_)
