"""Waits until what was applied is healthy, each object for as long as it may take, and tells what keeps it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import Permanent, ReconcilerError, Transient
from ...model.naming import going
from ...ports import Allowance, Progress, Task
from .applied import Applied
from .connection import Connection, NotFound, Refused, Silent
from .fleeting import FleetingJobs
from .health import Health, finished, health
from .leaving import leaving
from .metrics import measured
from .reasons import Trouble, last_lines, trouble

_FIRST_POLL, _SLOWEST_POLL = 0.2, 2.0
# How long an object is waited for whose status nobody may ever write, such as the address of an Ingress (seconds).
WELCOME_SECONDS = 60.0
_GOES = "somebody deleted it: it is made anew once it is gone (whoever owns its finalizers takes them off)"


@dataclass(frozen=True, slots=True)
class _Seen:
    """`hopeless`: nobody will say more of it, so that waiting is for nothing."""

    one: Applied
    obj: Mapping[str, Any]
    health: Health
    hopeless: bool = False


class Rollout:
    """`wait` is how long an object may take, in seconds, where its workload doesn't say."""

    def __init__(self, connection: Connection, wait: float) -> None:
        self._connection = connection
        self._wait = wait
        self._jobs = FleetingJobs(connection)

    def wait(
        self, applied: Sequence[Applied], allowance: Allowance, task: Task, progress: Progress
    ) -> list[ReconcilerError]:
        """Poll what is not healthy yet. Returns what failed, or is not healthy in time; raises when nobody answers."""
        started = time.monotonic()
        # Most kinds have nothing to wait for: what apply was answered says so.
        pending = [one for one in applied if one.fleeting or one.answer is None or not _stays_well(one.answer)]
        pause = _FIRST_POLL
        task.advance(len(applied) - len(pending))
        wrong: list[ReconcilerError] = []
        while True:
            waiting = self._waiting(pending, wrong, allowance, progress)
            gone = time.monotonic() - started
            left = []
            for seen in waiting:
                may_take = allowance.patience.get(seen.one.key, self._wait)
                if seen.health.optional and (seen.hopeless or gone >= min(WELCOME_SECONDS, may_take)):
                    progress.log(f"{seen.one.title}: {seen.health.detail}; not waited for any longer")
                elif seen.health.failed or gone > may_take:
                    wrong.append(self._unhealthy(seen, may_take))
                else:
                    left.append(seen)
            task.advance(len(pending) - len(left))
            if not left:
                return wrong
            task.status(
                f"{len(applied) - len(left)}/{len(applied)} healthy: {left[0].one.title} {left[0].health.detail}"
            )
            pending = [seen.one for seen in left]
            time.sleep(pause)
            pause = min(pause * 1.5, _SLOWEST_POLL)

    def _waiting(
        self, pending: Sequence[Applied], wrong: list[ReconcilerError], allowance: Allowance, progress: Progress
    ) -> list[_Seen]:
        found: list[_Seen] = []
        for one in pending:
            try:
                seen = self._look(one)
            except NotFound as error:
                if one.fleeting:
                    wrong += self._jobs.gone(one, allowance, progress)
                    continue
                hint = "somebody deleted it: the next cycle makes it again"
                wrong.append(Permanent(f"{one.title}: {error.message}", hint=hint))
                continue
            except (Silent, Refused) as error:
                raise type(error)(f"{one.title}: {error.message}", hint=error.hint) from None
            except (Transient, Permanent) as error:  # its own API is down, or nobody may see it: that is its own
                wrong.append(type(error)(f"{one.title}: {error.message}", hint=error.hint))
                continue
            if (since := going(leaving(seen.obj["metadata"]))) and not one.fleeting:
                wrong.append(Transient(f"{one.title} {since}", hint=_GOES))
            elif not seen.health.ok:
                found.append(seen)
            elif one.fleeting and finished(seen.obj):
                self._jobs.note(one, allowance)
        return found

    def _look(self, one: Applied) -> _Seen:
        obj = self._connection.get(one.path)
        state = health(obj)
        if not state.ok and not state.failed and self._nobody_comes(obj):
            state = Health(True)
        scaler = state.optional and obj["kind"] == "HorizontalPodAutoscaler"
        return _Seen(one, obj, state, hopeless=scaler and not measured(self._connection, obj))

    def _nobody_comes(self, obj: Mapping[str, Any]) -> bool:
        """Is what is waited for nobody's task here, or a later pod's?"""
        try:
            if obj["kind"] == "PersistentVolumeClaim":
                return self._binds_late(obj)
            if obj["kind"] == "Ingress":
                return not self._is_served(obj)
        except Permanent:  # not there, or not ours to read
            return str(obj["kind"]) == "Ingress"
        return False

    def _binds_late(self, claim: Mapping[str, Any]) -> bool:
        """Such a claim is bound when its first pod is scheduled; that pod's own rollout is waited for."""
        name = claim["spec"].get("storageClassName")
        found = self._connection.get(f"/apis/storage.k8s.io/v1/storageclasses/{name}") if name else {}
        return bool(found.get("volumeBindingMode") == "WaitForFirstConsumer")

    def _is_served(self, ingress: Mapping[str, Any]) -> bool:
        """Without a class of that name no controller takes it: nobody will ever give it an address."""
        name = (ingress.get("spec") or {}).get("ingressClassName")
        return bool(name and self._connection.get(f"/apis/networking.k8s.io/v1/ingressclasses/{name}"))

    def _unhealthy(self, seen: _Seen, may_take: float) -> Permanent:
        why = trouble(self._connection, seen.obj)
        verdict = "failed" if seen.health.failed else f"is not healthy after {may_take:g} s"
        told = f"{seen.one.title} {verdict} ({seen.health.detail})" + (f": {why.text}" if why.text else "")
        return Permanent(told, hint=_hint(seen.obj, why), evidence=last_lines(self._connection, why))


def _stays_well(answer: Mapping[str, Any]) -> bool:
    return health(answer).ok and not leaving(answer["metadata"])


def _hint(obj: Mapping[str, Any], why: Trouble) -> str:
    if why.container:
        return f"look closer: {why.command}"
    namespace = f" -n {obj['metadata']['namespace']}" if "namespace" in obj["metadata"] else ""
    return f"look closer: kubectl{namespace} describe {obj['kind'].lower()} {obj['metadata']['name']}"
