"""All clusters of one repository, each reconciled when there is a reason to: one thread decides, others do the work.

Everything that happens comes through one queue to the thread that called `run`: a push, a moved ref, an event of a
watch, a signal, the end of a cycle. What is next is decided by `engine.schedule`; a cycle that takes an hour keeps its
worker and nobody else.
"""

from __future__ import annotations

import math
import queue
import random
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from .. import interrupt
from ..engine import schedule
from ..engine.schedule import Slot, Trigger
from ..engine.touched import Uses, touched
from ..errors import Gone, Invalid, Outdated, ReconcilerError, as_failure
from ..spec.mentions import dependents
from . import outputs
from .board import Board, last_of
from .cloudwatch import CloudWatch
from .cycle import Moment
from .doing import Noted
from .ended import Ending, ending, holder, problems
from .revision import Revision, revision, uses
from .survey import Survey
from .ways import Terms, Told, Ways
from .workers import Share

_SIDE_THREADS = 4  # fetches and looks at clouds: short, and never behind a cycle
_COMMITTED = frozenset({Trigger.WEBHOOK, Trigger.LOCAL, Trigger.POLL})
_ROUND_SECONDS = 30.0  # clusters that are checked within so long share what their cloud said
_LONGEST_PAUSE = 5.0  # whoever asks this process to stop without calling `stop` is heard within so long


class Job(NamedTuple):
    """What is done again and again: a cluster's cycle, the fetch, the look at what changed in a cloud."""

    kind: str
    name: str = ""


FETCH = Job("fetch")
LOCAL = Job("local")  # what the refs of the clone say, without asking the remote


@dataclass(frozen=True, slots=True)
class _Asked:
    job: Job
    trigger: Trigger
    what: str = ""


@dataclass(frozen=True, slots=True)
class _Ended:
    job: Job
    reasons: frozenset[Trigger]
    seconds: float
    result: object
    error: ReconcilerError | None = None


class _Heard(NamedTuple):
    cluster: str
    moment: Moment


class _Wake:
    """Nothing but a reason to look again what is due: it is our turn at a worker, or we are to stop."""


@dataclass
class Fleet:
    """Clusters by name with their schedule, and a queue of what happened. `share` is this repository's part of the
    workers of the process."""

    ways: Ways
    terms: Terms
    told: Told
    share: Share
    clock: Callable[[], float] = time.monotonic
    board: Board = field(default_factory=Board)
    _inbox: queue.SimpleQueue[Any] = field(default_factory=queue.SimpleQueue)
    _slots: dict[Job, Slot] = field(default_factory=dict)
    _uses: dict[str, Uses | None] = field(default_factory=dict)
    _outputs: dict[str, str] = field(default_factory=dict)
    _clouds: dict[str, CloudWatch] = field(default_factory=dict)
    _revision: Revision | None = None
    _survey: Survey | None = None
    _lost: Gone | None = None  # why the revision is no desired state any more
    _queued: bool = False  # clusters that are due wait for a worker

    # from any thread

    def pushed(self, ref: str, commit: str = "") -> None:
        """A forge says that somebody pushed. What is not followed is none of our business, our own pushes least."""
        if not self.terms.follows(ref):
            self.told("ignored", what=ref)
            return
        self._inbox.put(_Asked(FETCH, Trigger.WEBHOOK, f"{ref} {commit[:12]}".strip()))

    def missed(self) -> None:
        """A push may have been refused unread. Strangers can bring that about: it ends no back-off, as a push does."""
        self._inbox.put(_Asked(FETCH, Trigger.CHECK, "a webhook that was refused unread"))

    def moved(self) -> None:
        """A ref of the clone may have moved."""
        self._inbox.put(_Asked(LOCAL, Trigger.LOCAL))

    def seen(self, cluster: str, what: str) -> None:
        """A watch says that something of a cluster changed."""
        self._inbox.put(_Asked(Job("cluster", cluster), Trigger.KUBERNETES, what))

    def stop(self) -> None:
        """End what runs politely, and return from `run`. May be called by a signal's handler."""
        self._inbox.put(_Wake())

    # the thread that decides

    def run(self) -> None:
        """Reconcile until `stop`. Raises Invalid when there is nothing that could be reconciled at all."""
        with (
            ThreadPoolExecutor(self.terms.workers, thread_name_prefix="cycle") as cycles,
            ThreadPoolExecutor(_SIDE_THREADS, thread_name_prefix="side") as side,
        ):
            try:
                self._begin()
                while not interrupt.requested():
                    self._start_what_is_due(cycles, side)
                    self._take(self._pause())
            except Exception as error:
                self._broke_off(error)
                raise
            self.told("stopping", running=sum(slot.running for slot in self._slots.values()))
            while any(slot.running for slot in self._slots.values()):
                self._take(_LONGEST_PAUSE)

    def _begin(self) -> None:
        """The first revision, from what is here when the remote does not answer."""
        try:
            self.ways.repository.fetch()
        except ReconcilerError as error:
            self.told("fetch", outcome="failed", error=error.message)
        now = self.clock()
        self._slots[FETCH] = Slot(self.terms.poll, now + self.terms.poll, Trigger.CHECK)
        self._slots[LOCAL] = Slot(math.inf, math.inf)
        self._follow(revision(self.ways.repository, self.terms.ref, None), frozenset())
        unknown = [name for name in self.terms.names if Job("cluster", name) not in self._slots]
        if unknown:
            known = ", ".join(self._revision.clusters if self._revision else ()) or "none"
            raise Invalid(f"there is no cluster {unknown[0]!r} below desired/", hint=f"there are: {known}")

    def _broke_off(self, error: Exception) -> None:
        """Nobody decides any more, and what runs may take an hour to end: no other repository waits for our turn."""
        self.share.rest()
        if running := sum(slot.running for job, slot in self._slots.items() if job.kind == "cluster"):
            reason = as_failure(error).message
            self.told("broke-off", running=running, error=reason)
            self.board.unusable(1, reason)

    def _take(self, pause: float) -> None:
        try:
            happened = self._inbox.get(timeout=pause)
        except queue.Empty:
            return
        if isinstance(happened, _Asked):
            self._asked(happened)
        elif isinstance(happened, _Heard):
            self.board.heard(happened.cluster, happened.moment)
        elif isinstance(happened, _Ended):
            self._ended(happened)

    def _asked(self, what: _Asked) -> None:
        slot = self._slots.get(what.job)
        if slot is None:
            return
        if what.trigger is not Trigger.LOCAL:  # every ref that git writes is one, ours too
            self.told("trigger", cluster=what.job.name, trigger=what.trigger.value, what=what.what)
        self._put(what.job, schedule.asked(slot, what.trigger))

    def _start_what_is_due(self, cycles: ThreadPoolExecutor, side: ThreadPoolExecutor) -> None:
        now = self.clock()
        due = [job for job, slot in self._slots.items() if schedule.begins(slot, now) <= now]
        queued_before, self._queued = self._queued, False
        for job in sorted(due, key=lambda j: (schedule.urgency(self._slots[j]), self._slots[j].due)):
            if self._held(job) or (job.kind == "cluster" and not self._worker()):
                continue
            slot, reasons = schedule.started(self._slots[job], now)
            self._put(job, slot)
            (cycles if job.kind == "cluster" else side).submit(self._work, job, reasons)
        if queued_before and not self._queued:
            self.share.rest()

    def _worker(self) -> bool:
        """Whether there is one for a cycle; who was refused one in this round asks no more in it."""
        self._queued = self._queued or not self.share.take(lambda: self._inbox.put(_Wake()))
        return not self._queued

    def _held(self, job: Job) -> bool:
        """A fetch moves refs itself, and looks at them when it is done."""
        return job == LOCAL and self._slots[FETCH].running

    def _pause(self) -> float:
        now = self.clock()
        waiting = (s for j, s in self._slots.items() if not (self._queued if j.kind == "cluster" else self._held(j)))
        times = (schedule.begins(slot, now) for slot in waiting)
        return min(_LONGEST_PAUSE, max(0.0, min(times, default=now + _LONGEST_PAUSE) - now))

    def _put(self, job: Job, slot: Slot) -> None:
        self._slots[job] = slot
        if job.kind == "cluster":
            self.board.scheduled(job.name, slot, schedule.begins(slot, self.clock()) - self.clock())
        elif job == FETCH:
            self.board.fetched(slot)

    # the threads that work

    def _work(self, job: Job, reasons: frozenset[Trigger]) -> None:
        began = time.monotonic()
        result: object = None
        failed: ReconcilerError | None = None
        try:
            result = self._done(job, reasons)
        except Exception as error:
            failed = as_failure(error)
        if job.kind == "cluster":
            self.share.give_back()
        self._inbox.put(_Ended(job, reasons, time.monotonic() - began, result, failed))

    def _done(self, job: Job, reasons: frozenset[Trigger]) -> object:
        if job.kind == "cluster":
            return self._cycle(job.name, reasons)
        if job.kind == "cloud":
            return self._clouds[job.name].look()
        if job == FETCH:
            self.ways.repository.fetch()
        return revision(self.ways.repository, self.terms.ref, self._revision)

    def _cycle(self, name: str, reasons: frozenset[Trigger]) -> Ending:
        at, survey = self._revision, self._survey
        if at is None or survey is None:
            raise Invalid("there is no revision yet")
        if self._lost:
            raise self._lost
        trigger = schedule.main(reasons)
        self.told("begin", cluster=name, trigger=trigger.value, commit=at.commit[:12])
        desired = self.ways.reader.read(at, name)
        (cluster,) = desired.clusters
        self._inbox.put(_Heard(name, Moment.LOADED))

        def heard(moment: Moment) -> None:
            self._inbox.put(_Heard(name, moment))
            self.told(moment.value, cluster=name, trigger=trigger.value, commit=at.commit[:12])

        checked = not reasons & (_COMMITTED | {Trigger.KUBERNETES})
        cycle = self.ways.cycle(
            desired,
            cluster,
            survey.within(_ROUND_SECONDS if checked else self.terms.interval),
            progress=Noted(self.ways.progress(name), partial(self.board.progressed, name)),
            expected=not checked,
            told=heard,
            doing=partial(self.board.doing, name),
        )
        outcome, sight = cycle.reconcile()
        self.ways.watcher.follow(name, self.ways.apis(name, sight))
        return ending(outcome, cluster, uses(cluster), outputs.text(sight.outputs, name))

    # what came of it

    def _ended(self, end: _Ended) -> None:
        slot = self._slots.get(end.job)
        if slot is None:  # its folder is gone from git meanwhile
            return
        failed, wake = (end.error.message if end.error else ""), None
        if isinstance(end.result, Ending):
            failed, wake = end.result.failed, end.result.wake
        chance = random.random()  # noqa: S311 - jitter, no secret
        after = schedule.ended(slot, self.clock(), chance, failed=failed, wake=wake, jitter=self.terms.jitter)
        self._report(end, after, failed)
        self._put(end.job, after)
        if isinstance(end.error, Outdated):  # somebody applied a newer commit than we know
            self._put(FETCH, schedule.asked(self._slots[FETCH], Trigger.RETRY))
        if isinstance(end.error, Gone):
            self._lose(end.error)
        if isinstance(end.result, Revision):
            if self._lost is not None:
                self._lost = None
                self._again(Trigger.POLL)
            self._follow(end.result, end.reasons)
        elif isinstance(end.result, Ending):
            self._learnt(end.job.name, end.result, after)
        elif isinstance(end.result, frozenset) and end.result:
            self._changed_in(end.job.name, end.result)

    def _report(self, end: _Ended, slot: Slot, failed: str) -> None:
        trigger = schedule.main(end.reasons)
        if end.job.kind != "cluster":
            if failed:
                self.told(end.job.kind, what=end.job.name, outcome="failed", error=failed, seconds=end.seconds)
            return
        ending = end.result if isinstance(end.result, Ending) else None
        outcome = ending.outcome if ending else None
        self.told(
            "cycle",
            cluster=end.job.name,
            trigger=trigger.value,
            commit=(outcome.commit if outcome else self._commit)[:12],
            outcome=outcome.status.value if outcome else "failed",
            steps=len(outcome.steps) if outcome else None,
            differences=len(outcome.after.open) if outcome else None,
            seconds=end.seconds,
            error=failed,
            hint=end.error.hint if end.error else None,
            problems=problems(end.error),
            retry_in=round(slot.until - self.clock(), 1) if slot.until > self.clock() else None,
        )
        self.board.ended(end.job.name, last_of(outcome, trigger, self._commit, end.seconds, failed), holder(end.error))

    @property
    def _commit(self) -> str:
        return self._revision.commit if self._revision else ""

    def _learnt(self, name: str, end: Ending, after: Slot) -> None:
        if not after.waiting:  # else git may ask for another thing by now, and the next cycle says what that uses
            self._uses[name] = end.uses
        if self._outputs.get(name, "") != end.outputs:
            self._outputs[name] = end.outputs
            self._tell_dependents(name)
        cloud = Job("cloud", end.cloud)
        if cloud not in self._slots:
            self._clouds[end.cloud] = CloudWatch(self.ways.feed(end.cloud))
            self._slots[cloud] = Slot(self.terms.cloud_poll, self.clock(), Trigger.CHECK)

    def _tell_dependents(self, name: str) -> None:
        said = self._revision.mentions if self._revision else {}
        for other in sorted(dependents(name, said)):
            self._asked(_Asked(Job("cluster", other), Trigger.DEPENDENCY, f"outputs of {name}"))

    def _changed_in(self, cloud: str, found: Iterable[Any]) -> None:
        if self._survey is not None:
            self._survey.forget(cloud)
        for name, what in sorted(CloudWatch.owners(found, self._uses)):
            self._asked(_Asked(Job("cluster", name), Trigger.CLOUD, what))

    def _follow(self, now: Revision, reasons: Collection[Trigger]) -> None:
        """A revision came from git, the same as before or another."""
        before, self._revision = self._revision, now
        trigger = schedule.main(reasons) if reasons else Trigger.START
        if before is not None and before.commit == now.commit:
            if Trigger.WEBHOOK in reasons:  # somebody who pushes an old commit again wants it tried again
                self._again(Trigger.WEBHOOK)
            return
        sure = now.changed is not None and before is not None and now.before == before.commit
        if before is not None and not sure:  # somebody else was faster: is it still what the ref says?
            self._asked(_Asked(LOCAL, Trigger.LOCAL))
        names = [n for n in now.clusters if not self.terms.names or n in self.terms.names]
        if self._survey is None or tuple(self._survey.fleet) != now.clusters:
            self._survey = self.ways.survey(now.clusters)
        self._arrange(names)
        fresh = Trigger.POLL if trigger not in _COMMITTED else trigger
        used = {name: self._uses.get(name) for name in names}
        hit = touched(now.changed, used) if sure and now.changed is not None else frozenset(names)
        self.told("commit", trigger=trigger.value, commit=now.commit[:12], clusters=",".join(sorted(hit)) or "none")
        if before is not None:
            self._uses |= {name: None for name in hit if not sure or now.concerns(name)}
            for name in sorted(hit):
                self._put(Job("cluster", name), schedule.asked(self._slots[Job("cluster", name)], fresh))

    def _lose(self, why: Gone) -> None:
        """The followed branch is gone: each cluster says so, and none counts as in sync with what it was."""
        if self._lost is None:
            self._again(Trigger.POLL, everybody=True)
        self._lost = why

    def _again(self, trigger: Trigger, *, everybody: bool = False) -> None:
        for job, slot in tuple(self._slots.items()):
            if job.kind == "cluster" and (everybody or slot.failures):
                self._put(job, schedule.asked(slot, trigger))

    def _arrange(self, names: Collection[str]) -> None:
        """A slot for each cluster: new ones start now, gone ones are let go."""
        wanted = {Job("cluster", name) for name in names}
        for job in [j for j in self._slots if j.kind == "cluster" and j not in wanted]:
            del self._slots[job]
            self._uses.pop(job.name, None)
            self._outputs.pop(job.name, None)
            self.board.forget(job.name)
            self.ways.watcher.follow(job.name, ())
        for job in sorted(wanted - self._slots.keys()):
            self._uses[job.name] = None
            self._put(job, Slot(self.terms.interval, self.clock()))
