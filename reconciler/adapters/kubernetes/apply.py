"""Server-side apply in an order that works, and waiting until what was applied is healthy.

What the server refuses of one object is that object's: the others go on, and all refusals are told together.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import itertools
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from ... import interrupt
from ...errors import Permanent, ReconcilerError, Transient
from ...model.resource import Key, Owner
from ...ports import Allowance, Manifest, Progress, Task, goes_when_done
from .additions import Names, restarter
from .applied import Applied
from .bookkeeper import Bookkeeper
from .connection import (
    APPLY_PATCH,
    MERGE_PATCH,
    Conflict,
    Connection,
    Forbidden,
    NotFound,
    Owned,
    Refused,
    Rejected,
    Silent,
)
from .fields import PART_OF, RESTARTS, generated, prepared
from .kinds import Discovery, Kind, name_of, namespace_of, path_of
from .owners import claimed
from .refused import claim, immutable
from .rollout import Rollout
from .verdict import Verdict, apply_query, verdict

# What others need comes first. Kinds that are not named come last: they may be of a kind defined here.
_DEFINITION = "CustomResourceDefinition"
_FOUNDATIONS = ("Namespace", _DEFINITION)
# Rights come before what they are for: one of them may be ours to make the rest.
_CONFIGURATION = (
    *("ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding", "ServiceAccount"),
    *("ResourceQuota", "LimitRange", "PriorityClass", "StorageClass", "PersistentVolume", "ConfigMap", "Secret"),
    *("PersistentVolumeClaim", "NetworkPolicy", "Service"),
)
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
_ORDER = {kind: rank for rank, kind in enumerate((*_FOUNDATIONS, *_CONFIGURATION, *_WORKLOADS))}

_RESTARTED = ("Deployment", "StatefulSet", "DaemonSet")
_RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"

_WORKERS = 8
_NEW_KIND_SECONDS = 5.0
_NEW_KIND_POLL = 0.2
_PAUSES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)
_NEW_RIGHT_SECONDS = 5.0  # a binding that was applied a moment ago is heeded a moment later
_TOLD = 5  # failures of one apply that are told one by one

_Made = TypeVar("_Made")


def rank(kind: str) -> int:
    return _ORDER.get(kind, len(_ORDER))


class Applier:
    """`names` says as whom. `wait` is how long applied objects may take to become healthy, in seconds, where nobody
    says otherwise."""

    def __init__(self, connection: Connection, discovery: Discovery, names: Names, wait: float) -> None:
        self._connection = connection
        self._discovery = discovery
        self._names = names
        self._books = Bookkeeper(connection, names)
        self._rollout = Rollout(connection, wait)

    def apply(self, part_of: str, manifests: Sequence[Manifest], progress: Progress, allowance: Allowance) -> None:
        """One object that is refused keeps no other from being applied. Raises with all that went wrong."""
        ordered = sorted((prepared(m, part_of) for m in manifests), key=lambda m: rank(m["kind"]))
        foundations = [m for m in ordered if m["kind"] in _FOUNDATIONS]
        rest = [m for m in ordered if m["kind"] not in _FOUNDATIONS]
        # A definition that was applied a moment ago is served a moment later.
        grace = _NEW_KIND_SECONDS if any(m["kind"] == _DEFINITION for m in foundations) else 0.0
        wrong: list[ReconcilerError] = []
        with progress.task(f"apply {part_of}") as task:
            task.total(len(ordered))
            for some, patience in ((foundations, 0.0), (rest, grace)):
                sent = self._send_all(some, task, patience, allowance, wrong)
                wrong += self._rollout.wait(sent, allowance, task, progress)
        _raise(wrong)

    def settle(self, part_of: str, manifests: Sequence[Manifest], progress: Progress, allowance: Allowance) -> None:
        """Wait for what was applied before. Raises Permanent for what fails, or is not healthy in time."""
        with progress.task(f"wait for {part_of}") as task:
            task.total(len(manifests))
            there = [self._there(prepared(m, part_of)) for m in manifests]
            wrong = self._rollout.wait(there, allowance, task, progress)
        _raise(wrong)

    def _there(self, manifest: dict[str, Any]) -> Applied:
        return _applied(manifest, self._kind(manifest, 0.0))

    def _send_all(
        self,
        manifests: Sequence[dict[str, Any]],
        task: Task,
        grace: float,
        allowance: Allowance,
        wrong: list[ReconcilerError],
    ) -> list[Applied]:
        """Rank after rank, those of one rank side by side. What is refused is added to `wrong`; an API server that does
        not answer is asked no further."""

        bound = any(m["kind"] == "RoleBinding" for m in manifests)
        until = time.monotonic() + (_NEW_RIGHT_SECONDS if bound else 0.0)
        check_own = interrupt.own_check()

        def send(manifest: dict[str, Any]) -> Applied:
            check_own()
            return _allowed(until, lambda: self._send(manifest, task, grace, allowance))

        sent: list[Applied] = []
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="apply") as pool:
            for _, some in itertools.groupby(manifests, key=lambda m: rank(m["kind"])):
                for done in pool.map(lambda m: _caught(send, m), list(some)):
                    if isinstance(done, (Silent, Refused)):
                        raise done
                    if isinstance(done, ReconcilerError):
                        wrong.append(done)
                    else:
                        sent.append(done)
        return sent

    def _send(self, manifest: dict[str, Any], task: Task, grace: float, allowance: Allowance) -> Applied:
        title = f"{manifest['kind']} {_key(manifest).name}"
        task.status(title)
        with _named(title):
            kind = self._kind(manifest, grace)
            if generated(manifest):
                self._create_once(kind, manifest)
                return _applied(manifest, kind)
            key = _key(manifest)
            taking = allowance.taking.get(key, frozenset())
            if removing := allowance.removing.get(key):
                self._books.take_over(kind, manifest, removing, taking)
            answer = self._patch(kind, manifest, taking)
            self._books.own_alone(kind, answer)
            return _applied(manifest, kind, answer)

    def _patch(self, kind: Kind, manifest: dict[str, Any], taking: Collection[Owner]) -> Any:
        """Not by force, so that the server says when a field is somebody else's. What people's programs own beside us
        may be what it refuses the rest for: a part of a probe that is to go."""
        refused: Rejected | None = None
        while True:
            try:
                return self._request(kind, manifest, force=False)
            except Owned:
                return self._take(kind, manifest, taking)
            except Rejected as error:
                again = refused is None and self._books.free(kind, manifest)
                refused = error
            if not again:
                return self._take(kind, manifest, taking, refused)

    def _take(
        self, kind: Kind, manifest: dict[str, Any], taking: Collection[Owner], refused: Rejected | None = None
    ) -> Any:
        """By force from people, whose change by hand is drift, and from those in `taking`; from nobody else. The
        version that was looked at is the one that is written over. What stands in the way goes in the same request;
        raises `refused` where that is not why the server said no."""
        for pause in _PAUSES:
            time.sleep(pause)
            found = self._verdict(kind, manifest, refused)
            if refused and not found.gone:
                raise refused
            owners = claimed(found.live, found.ours, self._names.manager, _part_of(manifest), self._names.ours)
            _refuse({field: o for field, o in owners.items() if not o.by_hand and o not in taking})
            with contextlib.suppress(Conflict):
                if self._books.take_idle(kind, found.live, found.idle):
                    continue
                live = found.live
                if found.gone:
                    live = claim(self._connection, kind, manifest, live, found.gone, self._names.manager)
                seen = {**manifest["metadata"], "resourceVersion": live["metadata"]["resourceVersion"]}
                return self._request(kind, {**manifest, "metadata": seen}, force=True)
        raise Transient("changes too fast to be applied", hint="the next cycle tries again")

    def _verdict(self, kind: Kind, manifest: dict[str, Any], refused: Rejected | None) -> Verdict:
        try:
            live = self._connection.get(path_of(manifest, kind))
            return verdict(self._connection, kind, manifest, live, self._names)
        except NotFound:
            raise refused or Transient("went away meanwhile", hint="the next cycle makes it again") from None

    def _request(self, kind: Kind, manifest: dict[str, Any], *, force: bool) -> Any:
        query, path = apply_query(self._names.manager, force=force), path_of(manifest, kind)
        return self._connection.request("PATCH", path, query=query, body=manifest, content_type=APPLY_PATCH)

    def _create_once(self, kind: Kind, manifest: dict[str, Any]) -> None:
        """A token that exists is never written over: people and programs have copies of it."""
        token = base64.b64encode(secrets.token_urlsafe(32).encode()).decode()
        path = kind.collection(namespace_of(manifest))
        query = {"fieldManager": self._names.manager}
        with contextlib.suppress(Conflict):
            self._connection.request("POST", path, query=query, body={**manifest, "data": {"token": token}})
            self._restart(manifest)

    def _restart(self, secret: Mapping[str, Any]) -> None:
        """Start anew what still runs with the token before, as `kubectl rollout restart` does. Where nothing runs yet,
        it will start with the new one."""
        kind, _, name = str((secret["metadata"].get("annotations") or {}).get(RESTARTS, "")).partition("/")
        if kind not in _RESTARTED:
            return
        now = {_RESTARTED_AT: datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}
        body = {"spec": {"template": {"metadata": {"annotations": now}}}}
        path = Kind("apps/v1", kind, f"{kind.lower()}s", True).path(name, namespace_of(secret))
        query = {"fieldManager": restarter(self._names.manager)}
        with contextlib.suppress(NotFound):
            self._connection.request("PATCH", path, query=query, body=body, content_type=MERGE_PATCH)

    def _kind(self, manifest: Mapping[str, Any], grace: float) -> Kind:
        until = time.monotonic() + grace
        while (kind := self._discovery.kind(manifest["apiVersion"], manifest["kind"])) is None:
            if time.monotonic() >= until:
                raise Permanent(
                    f"the server has no kind {manifest['kind']} of {manifest['apiVersion']}",
                    hint="apply its CustomResourceDefinition, or correct apiVersion and kind",
                )
            time.sleep(_NEW_KIND_POLL)
            self._discovery.forget()
        return kind


def _key(manifest: Mapping[str, Any]) -> Key:
    """What git calls the object: by its namespace where it names one."""
    metadata = manifest["metadata"]
    namespace = metadata.get("namespace")
    return Key(manifest["kind"], f"{namespace}/{metadata['name']}" if namespace else metadata["name"])


def _part_of(manifest: Mapping[str, Any]) -> str:
    return str(manifest["metadata"]["labels"][PART_OF])


def _applied(manifest: Mapping[str, Any], kind: Kind, answer: Mapping[str, Any] | None = None) -> Applied:
    title, path = f"{kind.name} {name_of(manifest, kind)}", path_of(manifest, kind)
    return Applied(title, path, _key(manifest), answer, goes_when_done(manifest))


def _refuse(owners: Mapping[str, Owner]) -> None:
    if owners:
        told = ", ".join(f"{field} belongs to {owner}" for field, owner in sorted(owners.items())[:_TOLD])
        raise Transient(f"{told}, and is not taken", hint="the next cycle's plan says what to do about it")


def _allowed(until: float, do: Callable[[], _Made]) -> _Made:
    """Do it, again and again until it is allowed or the time is over: the right may just have been given."""
    while True:
        try:
            return do()
        except Forbidden:
            if time.monotonic() >= until:
                raise
        time.sleep(_NEW_KIND_POLL)


def _caught(do: Callable[[dict[str, Any]], _Made], manifest: dict[str, Any]) -> _Made | ReconcilerError:
    try:
        return do(manifest)
    except ReconcilerError as error:
        return error


def _raise(wrong: Sequence[ReconcilerError]) -> None:
    """Raise what went wrong, as one: Permanent where only a change helps with any of it."""
    if len(wrong) < 2:
        for error in wrong:
            raise error
        return
    told = [error.message for error in wrong[:_TOLD]]
    if (rest := len(wrong) - _TOLD) > 0:
        told.append(f"and {rest} more")
    hints = dict.fromkeys(error.hint for error in wrong[:_TOLD] if error.hint)
    evidence = next((error.evidence for error in wrong if error.evidence), None)
    kind = Permanent if any(isinstance(error, Permanent) for error in wrong) else Transient
    said = f"{len(wrong)} objects failed, the others went on: {'; '.join(told)}"
    raise kind(said, hint="; ".join(hints) or None, evidence=evidence)


@contextlib.contextmanager
def _named(title: str) -> Iterator[None]:
    """Whatever goes wrong inside names the object, and says what to do about it."""
    try:
        yield
    except RecursionError:
        raise Permanent(
            f"{title}: nests too deeply to be compared",
            hint="somebody wrote it so: kubectl get it, and look at its fields and at metadata.managedFields",
        ) from None
    except Conflict as error:  # somebody else wrote at the same time
        raise Transient(f"{title}: {error.message}", hint="the next cycle tries again") from None
    except NotFound as error:
        raise Permanent(f"{title}: {error.message}", hint="add its Namespace to the manifests") from None
    except Rejected as error:
        raise Permanent(f"{title}: {error.message}", hint=_advice(error.message)) from None
    except ReconcilerError as error:
        raise type(error)(f"{title}: {error.message}", hint=error.hint, evidence=error.evidence) from None


def _advice(message: str) -> str:
    if immutable(message):
        return (
            "this field can't be changed in place: delete the object (mind its data) or give the new one another name"
        )
    return "correct the manifest; the server's message names the field"
