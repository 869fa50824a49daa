"""A cluster's lease while it is applied: taken, kept alive by a thread, given back; who loses it stops."""

from __future__ import annotations

import datetime
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import files, interrupt
from ..clock import utc_now
from ..errors import ReconcilerError, Transient
from ..model.lease import LONGEST_SECONDS, Lease, Standing, Unreadable, after, standing
from ..ports import Leases, Progress
from .sightings import Sightings

_ATTEMPTS = 3  # how often somebody else may be faster before we leave it to them
_RETRY_PART = 12  # a heartbeat that failed is tried again after this part of a lease's life
_SLACK_SECONDS = 2.0  # so far the kernel's word for when a process began may be off
_TURN_SECONDS = 60.0  # the renewal may wait for the clone, which whoever asks may have locked: one of them gives up
_QUESTIONS = 3  # how often the remote is asked, a second apart, before nobody knows whose the lease is
# Words of the note beside the ids, which version 0.1.0 takes for ids of no lease: what the last number stands behind,
# and that who had the lease before us is still to be fenced off.
_NUMBER = "#"
_UNFENCED = "!"


class HeldElsewhere(Transient):
    """Another reconciler applies the cluster: `holder` says which, and until when."""

    def __init__(self, message: str, *, holder: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.holder = holder


class Lost(ReconcilerError):
    """The lease is not ours any more: nothing more is begun under it, and nothing written. It is no trouble with the
    clone or its remote, which a record would look for before it is tried again."""


def _since_boot() -> float:
    """A clock that nobody sets and that a suspended machine does not stop."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Terms:
    """Where leases are, for how many seconds one is taken, how far the machines' clocks may differ (`grace`), and what
    was seen of others'. `steady`, in seconds, goes on while the machine sleeps, and nobody sets it."""

    store: Leases
    seconds: float = 300.0
    grace: float = 10.0
    clock: Callable[[], datetime.datetime] = utc_now
    sightings: Sightings = field(default_factory=Sightings)
    steady: Callable[[], float] = _since_boot


@contextmanager
def leased(
    terms: Terms | None, cluster: str, state: Path, progress: Progress, commit: str = "", recorded: int = 0
) -> Iterator[Tenure | None]:
    """Hold the cluster's lease while the block runs, for the desired `commit`; None when there is none to take. As soon
    as it is lost this thread is told to stop, by `interrupt`, and what it starts asks the remote before. `recorded` is
    the last number that a record bears: who took the ref away took its numbers along.

    The caller has the lock of `state`/`cluster`: what was taken from there before belongs to a process that is dead,
    and is taken over at once. Raises Transient when somebody else holds the lease or that can't be asked; Permanent
    when it can't be written.
    """
    if terms is None or not terms.store.shared():
        yield None
        return
    tenure = _take(terms, cluster, state / cluster, commit, progress, recorded)
    beat = threading.Thread(target=tenure.keep, name=f"lease of {cluster}", daemon=True)
    beat.start()
    try:
        with interrupt.unless(tenure.lost, certain=tenure.doubt):
            yield tenure
    finally:
        if why := tenure.lost():  # a tool that was ended says only that it was
            progress.log(why)
        tenure.over.set()
        beat.join()
        try:
            tenure.give_back()
        except ReconcilerError as error:
            progress.log(f"the lease of {cluster} could not be given back, it expires by itself: {error.message}")


def _take(terms: Terms, cluster: str, folder: Path, commit: str, progress: Progress, recorded: int) -> Tenure:
    note = folder / "lease"
    before, last_number, owed = _noted(note)
    host, mine = socket.gethostname(), uuid.uuid4().hex
    for attempt in range(_ATTEMPTS + 1):
        # mostly nobody had it since we last saw it: the first push says so, and asks nobody before
        name, there = (terms.store.read if attempt else terms.store.known)(cluster) or (None, None)
        now, began = terms.clock(), terms.steady()
        first = terms.sightings.first(folder / "lease-seen", name, now) if name and attempt else now
        stands = standing(there, host, before, now, terms.grace, first)
        if stands is Standing.OTHERS and not attempt:
            continue
        if stands is Standing.OTHERS:
            raise _held(terms, cluster, there, first)
        if isinstance(there, Unreadable):
            progress.log(f"warning: the lease of {cluster!r} is taken from {there}")
        took_over = "" if stands is Standing.FREE else stands.value
        ends = now + datetime.timedelta(seconds=terms.seconds)
        last = there if isinstance(there, Lease) else None
        number = after(recorded, last_number, last.number if last else 0)
        unfenced = stands is Standing.EXPIRED or (stands is Standing.MINE and owed)
        lease = Lease(host, os.getpid(), mine, now, ends, commit, took_over, number=number)
        # both, and first: whenever we are killed, who comes after us here knows what was ours
        ours = before if not attempt else [last.id] if last and last.id in before else []
        owes = [_UNFENCED] if unfenced or (owed and not attempt) else []
        files.write(note, "\n".join([mine, *ours, f"{_NUMBER}{number}", *owes]) + "\n")
        if taken := terms.store.swap(cluster, name, lease):
            foreign = None if last and last.id in before and not unfenced else there
            return Tenure(terms, cluster, taken, lease, began + terms.seconds, foreign, note, unfenced)
    raise Transient(f"other reconcilers were faster on the lease of {cluster!r}", hint="run it again")


def _noted(note: Path) -> tuple[Sequence[str], int, bool]:
    """The ids of the leases that were taken from here, the last number, and whether it is unfenced."""
    words = note.read_text().split() if note.exists() else []
    numbers = [word.removeprefix(_NUMBER) for word in words if word.startswith(_NUMBER)]
    last = max((int(text) for text in numbers if text.isascii() and text.isdigit() and len(text) < 17), default=0)
    return [word for word in words if not word.startswith((_NUMBER, _UNFENCED))], last, _UNFENCED in words


def _stop(why: str) -> None:
    if why:
        hint = "nothing more was begun, and nothing recorded: who has the lease now goes on; run it again after that"
        raise Lost(why, hint=hint)


def _held(terms: Terms, cluster: str, there: Lease | Unreadable | None, first_seen: datetime.datetime) -> HeldElsewhere:
    longest = first_seen + datetime.timedelta(seconds=LONGEST_SECONDS)
    return HeldElsewhere(
        f"{cluster!r} is applied by another reconciler: {there}",
        holder=str(there),
        hint=f"wait for it; a lease that nobody renews is taken over {terms.grace:g} s after it ended, and that is at "
        f"{longest:%Y-%m-%d %H:%M:%S} UTC at the latest",
    )


@dataclass
class Tenure:
    """One lease from taking it to giving it back. `name` is what the store calls it by now; `ends` is when it is over
    by the steady clock; `foreign` is the one before it, when that was not taken from here. `unfenced`: somebody never
    gave that back, and may still be about to push; the `note` of our folder says so for whoever comes after us."""

    terms: Terms
    cluster: str
    name: str
    lease: Lease
    ends: float
    foreign: Lease | Unreadable | None = None
    note: Path | None = None
    unfenced: bool = False
    over: threading.Event = field(default_factory=threading.Event)
    taken_by: str = ""
    _turn: threading.Lock = field(default_factory=threading.Lock)  # one at a time asks or renews: `name` moves

    def lost(self) -> str:
        """Why the lease is not ours any more, as far as it is known here; "" while it is."""
        if self.taken_by:
            return f"the lease of {self.cluster!r} was lost: {self.taken_by}"
        if self.terms.clock() >= self.lease.expires or self.terms.steady() >= self.ends:
            return f"the lease of {self.cluster!r} was lost: it could not be renewed in time"
        return ""

    def doubt(self) -> str:
        """Why nothing more may be begun: the lease is not ours any more, or the remote does not say whose it is. Clocks
        of a machine that stood still tell nothing, so it is asked."""
        for question in range(_QUESTIONS):
            if why := self.lost():
                return why
            try:
                with self._in_turn():
                    self._look()
            except ReconcilerError as error:
                unknown = f"nobody can say whether the lease of {self.cluster!r} is still ours: {error.message}"
                if question + 1 < _QUESTIONS:
                    interrupt.wait(1)
            else:
                return self.lost()
        return unknown

    def check(self, recorded: int) -> None:
        """Raises Lost where nothing may be written any more: the lease is not ours, or the number `recorded` says that
        somebody who had it later wrote already."""
        why = self.doubt()
        if not why and recorded > self.lease.number:
            ours = self.lease.number
            why = f"the lease of {self.cluster!r} was lost: number {recorded} was recorded, and ours is {ours}"
        _stop(why)

    def check_clock(self) -> None:
        """Raises Lost like `check`, and asks nobody."""
        _stop(self.lost())

    def fenced(self, pid: int, began: datetime.datetime | None) -> bool:
        """Did a process of this machine, which began at `began`, have this lease and never give it back? It starts and
        writes nothing more, whether it knows that already or is stopped. Asks nobody."""
        host, slack = socket.gethostname(), datetime.timedelta(seconds=_SLACK_SECONDS)
        others = (lease for lease in self.terms.store.history(self.cluster) if lease.id != self.lease.id)
        return began is not None and any(
            (lease.host, lease.pid, lease.released) == (host, pid, None) and lease.since >= began - slack
            for lease in others
        )

    def fenced_off(self) -> None:
        """Who had it before can push no more. Raises Transient when that can't be written down."""
        if self.note is not None:
            kept = [word for word in self.note.read_text().split() if word != _UNFENCED]
            files.write(self.note, "\n".join(kept) + "\n")
        self.unfenced = False

    def keep(self) -> None:
        """Renew at each third of the lease's life until it is over or lost."""
        wait = third = self.terms.seconds / 3
        while not self.over.wait(wait) and not self.lost():
            wait = third if self._renewed() else self.terms.seconds / _RETRY_PART

    def _renewed(self) -> bool:
        try:
            with self._in_turn():
                longer = replace(self.lease, expires=self._longest())
                ends = self.terms.steady() + self.terms.seconds
                if name := self.terms.store.swap(self.cluster, self.name, longer):
                    self.name, self.lease, self.ends = name, longer, ends
                    return True
                self._look()
        except Exception:  # whatever it was: what is not renewed in time is lost, and `lost` says so
            return False
        return False

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=_TURN_SECONDS):
            raise Transient("its renewal does not come to an end")
        try:
            yield
        finally:
            self._turn.release()

    def _look(self) -> None:
        """See who has the lease. A push whose answer was lost may have arrived: then it is still ours, and no longer
        than we would have asked for: who else writes the ref can read our id there."""
        longest, ends = self._longest(), self.terms.steady() + self.terms.seconds
        there = self.terms.store.read(self.cluster)
        if there and there[0] == self.name:
            return
        if there and isinstance(there[1], Lease) and there[1].id == self.lease.id:
            self.name, self.lease = there[0], replace(self.lease, expires=min(there[1].expires, longest))
            self.ends = ends
        else:
            self.taken_by = f"taken over by {there[1]}" if there else "somebody took it away"

    def _longest(self) -> datetime.datetime:
        return self.terms.clock() + datetime.timedelta(seconds=self.terms.seconds)

    def give_back(self) -> None:
        """Say that the lease is over, if it is still ours. Raises Transient when the remote can't be reached. Where who
        had it before is not fenced off, it expires: who takes it over does that, and of a free one nobody would."""
        if self.unfenced:
            return
        over = replace(self.lease, released=self.terms.clock())
        if self.taken_by or self.terms.store.swap(self.cluster, self.name, over) is not None:
            return
        self._look()
        if not self.taken_by:
            self.terms.store.swap(self.cluster, self.name, over)
