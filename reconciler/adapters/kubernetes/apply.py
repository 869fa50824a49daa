"""Server-side apply in an order that works, and waiting until what was applied is healthy.

What the server refuses of one object is that object's: the others go on, and all refusals are told together.
"""

from __future__ import annotations

import base64
import contextlib
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import Permanent, ReconcilerError, Transient
from ...ports import Manifest, Progress, Task
from .compare import apply_query, name_of, namespace_of, path_of
from .connection import APPLY_PATCH, Conflict, Connection, NotFound, Refused, Rejected, Silent
from .fields import generated, prepared
from .health import Health, health
from .kinds import Discovery, Kind
from .reasons import reason

# What others need comes first. Kinds that are not named come last: they may be of a kind defined here.
_DEFINITION = "CustomResourceDefinition"
_FOUNDATIONS = ("Namespace", _DEFINITION)
_CONFIGURATION = (
    *("ResourceQuota", "LimitRange", "PriorityClass", "StorageClass", "PersistentVolume", "ServiceAccount"),
    *("ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding", "ConfigMap", "Secret"),
    *("PersistentVolumeClaim", "NetworkPolicy", "Service"),
)
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
_ORDER = {kind: rank for rank, kind in enumerate((*_FOUNDATIONS, *_CONFIGURATION, *_WORKLOADS))}

_FIRST_POLL, _SLOWEST_POLL = 0.2, 2.0
_NEW_KIND_SECONDS = 5.0
_TOLD = 5  # failures of one apply that are told one by one


@dataclass(frozen=True, slots=True)
class _Applied:
    title: str
    path: str


def rank(kind: str) -> int:
    return _ORDER.get(kind, len(_ORDER))


class Applier:
    """`wait` is how long applied objects may take to become healthy, in seconds."""

    def __init__(self, connection: Connection, discovery: Discovery, manager: str, wait: float) -> None:
        self._connection = connection
        self._discovery = discovery
        self._manager = manager
        self._wait = wait

    def apply(self, part_of: str, manifests: Sequence[Manifest], progress: Progress) -> None:
        ordered = sorted((prepared(m, part_of) for m in manifests), key=lambda m: rank(m["kind"]))
        foundations = [m for m in ordered if m["kind"] in _FOUNDATIONS]
        rest = [m for m in ordered if m["kind"] not in _FOUNDATIONS]
        failed: list[ReconcilerError] = []
        with progress.task(f"apply {part_of}") as task:
            task.total(len(ordered))
            self._settle(self._sent(foundations, task, failed), task, failed)
            # A definition that was applied a moment ago is served a moment later.
            grace = _NEW_KIND_SECONDS if any(m["kind"] == _DEFINITION for m in foundations) else 0.0
            self._settle(self._sent(rest, task, failed, grace), task, failed)
        _raise(failed)

    def settle(self, part_of: str, manifests: Sequence[Manifest], progress: Progress) -> None:
        """Wait for what was applied before. Raises Permanent for what fails, or is not healthy in time."""
        failed: list[ReconcilerError] = []
        with progress.task(f"wait for {part_of}") as task:
            task.total(len(manifests))
            self._settle([self._there(prepared(m, part_of)) for m in manifests], task, failed)
        _raise(failed)

    def _there(self, manifest: dict[str, Any]) -> _Applied:
        kind = self._kind(manifest, 0.0)
        return _Applied(f"{kind.name} {name_of(manifest, kind)}", path_of(manifest, kind))

    def _sent(
        self, manifests: Sequence[dict[str, Any]], task: Task, failed: list[ReconcilerError], grace: float = 0.0
    ) -> list[_Applied]:
        """What the server took; what it refused goes to `failed`. Raises when it talks to us about nothing at all."""
        taken: list[_Applied] = []
        for manifest in manifests:
            try:
                taken.append(self._send(manifest, task, grace))
            except (Silent, Refused):
                raise
            except ReconcilerError as error:
                failed.append(error)
        return taken

    def _send(self, manifest: dict[str, Any], task: Task, grace: float = 0.0) -> _Applied:
        kind = self._kind(manifest, grace)
        title = f"{kind.name} {name_of(manifest, kind)}"
        task.status(title)
        with _named(title):
            if generated(manifest):
                self._create_once(kind, manifest)
            else:
                self._patch(kind, manifest)
        return _Applied(title, path_of(manifest, kind))

    def _patch(self, kind: Kind, manifest: dict[str, Any]) -> None:
        query = apply_query(self._manager)
        self._connection.request("PATCH", path_of(manifest, kind), query=query, body=manifest, content_type=APPLY_PATCH)

    def _create_once(self, kind: Kind, manifest: dict[str, Any]) -> None:
        """A token that exists is never written over: people and programs have copies of it."""
        token = base64.b64encode(secrets.token_urlsafe(32).encode()).decode()
        path = kind.collection(namespace_of(manifest))
        query = {"fieldManager": self._manager}
        with contextlib.suppress(Conflict):
            self._connection.request("POST", path, query=query, body={**manifest, "data": {"token": token}})

    def _kind(self, manifest: Mapping[str, Any], grace: float) -> Kind:
        until = time.monotonic() + grace
        while (kind := self._discovery.kind(manifest["apiVersion"], manifest["kind"])) is None:
            if time.monotonic() >= until:
                raise Permanent(
                    f"the server has no kind {manifest['kind']} of {manifest['apiVersion']}",
                    hint="apply its CustomResourceDefinition, or correct apiVersion and kind",
                )
            time.sleep(_FIRST_POLL)
            self._discovery.forget()
        return kind

    def _settle(self, applied: Sequence[_Applied], task: Task, failed: list[ReconcilerError]) -> None:
        """Poll what is not healthy yet. What failed, or is not healthy in time, goes to `failed`."""
        until = time.monotonic() + self._wait
        pending, pause = list(applied), _FIRST_POLL
        while True:
            states = [(one, *self._look(one)) for one in pending]
            waiting = [(one, obj, state) for one, obj, state in states if not state.ok]
            task.advance(len(pending) - len(waiting))
            if not waiting:
                return
            one, _, state = next((w for w in waiting if w[2].failed), waiting[0])
            done = len(applied) - len(waiting)
            task.status(f"{done}/{len(applied)} healthy: {one.title} {state.detail}")
            late = time.monotonic() > until
            failed += [self._unhealthy(*w) for w in waiting if w[2].failed or late]
            pending = [w[0] for w in waiting if not (w[2].failed or late)]
            if not pending:
                return
            time.sleep(pause)
            pause = min(pause * 1.5, _SLOWEST_POLL)

    def _look(self, one: _Applied) -> tuple[Mapping[str, Any], Health]:
        with _named(one.title):
            obj = self._connection.get(one.path)
        state = health(obj)
        if not state.ok and obj["kind"] == "PersistentVolumeClaim" and self._binds_late(obj):
            return obj, Health(True)
        return obj, state

    def _binds_late(self, claim: Mapping[str, Any]) -> bool:
        """Such a claim is bound when its first pod is scheduled; that pod's own rollout is waited for."""
        name = claim["spec"].get("storageClassName")
        try:
            found = self._connection.get(f"/apis/storage.k8s.io/v1/storageclasses/{name}") if name else {}
        except Permanent:  # not there, or not ours to read
            return False
        return bool(found.get("volumeBindingMode") == "WaitForFirstConsumer")

    def _unhealthy(self, one: _Applied, obj: Mapping[str, Any], state: Health) -> Permanent:
        why = reason(self._connection, obj)
        verdict = "failed" if state.failed else f"is not healthy after {self._wait:g} s"
        namespace = f" -n {obj['metadata']['namespace']}" if "namespace" in obj["metadata"] else ""
        return Permanent(
            f"{one.title} {verdict} ({state.detail})" + (f": {why}" if why else ""),
            hint=f"look closer: kubectl{namespace} describe {obj['kind'].lower()} {obj['metadata']['name']}",
        )


def _raise(failed: Sequence[ReconcilerError]) -> None:
    """Raise what went wrong, as one: Permanent where only a change helps with any of it."""
    if len(failed) < 2:
        for error in failed:
            raise error
        return
    told = [error.message for error in failed[:_TOLD]]
    if (rest := len(failed) - _TOLD) > 0:
        told.append(f"and {rest} more")
    hints = dict.fromkeys(error.hint for error in failed[:_TOLD] if error.hint)
    kind = Permanent if any(isinstance(error, Permanent) for error in failed) else Transient
    raise kind(f"{len(failed)} objects failed, the others went on: {'; '.join(told)}", hint="; ".join(hints) or None)


@contextlib.contextmanager
def _named(title: str) -> Iterator[None]:
    """Whatever goes wrong inside names the object, and says what to do about it."""
    try:
        yield
    except Conflict as error:  # somebody else wrote at the same time
        raise Transient(f"{title}: {error.message}", hint="the next cycle tries again") from None
    except NotFound as error:
        raise Permanent(f"{title}: {error.message}", hint="add its Namespace to the manifests") from None
    except Rejected as error:
        raise Permanent(f"{title}: {error.message}", hint=_advice(error.message)) from None
    except ReconcilerError as error:
        raise type(error)(f"{title}: {error.message}", hint=error.hint) from None


def _advice(message: str) -> str:
    if "immutable" in message or "Forbidden: updates to" in message:
        return (
            "this field can't be changed in place: delete the object (mind its data) or give the new one another name"
        )
    return "correct the manifest; the server's message names the field"
