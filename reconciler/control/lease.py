"""A cluster's lease while it is applied: taken, kept alive by a thread, given back; who loses it stops."""

from __future__ import annotations

import datetime
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import files, interrupt
from ..errors import ReconcilerError, Transient
from ..model.lease import LONGEST_SECONDS, Lease, Standing, Unreadable, standing
from ..ports import Leases, Progress
from .sightings import Sightings

_ATTEMPTS = 3  # how often somebody else may be faster before we leave it to them
_RETRY_PART = 12  # a heartbeat that failed is tried again after this part of a lease's life


class HeldElsewhere(Transient):
    """Another reconciler applies the cluster: `holder` says which, and until when."""

    def __init__(self, message: str, *, holder: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.holder = holder


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True, slots=True)
class Terms:
    """Where leases are, for how many seconds one is taken, how far the machines' clocks may differ (`grace`), and what
    was seen of others'."""

    store: Leases
    seconds: float = 300.0
    grace: float = 10.0
    clock: Callable[[], datetime.datetime] = _utc_now
    sightings: Sightings = field(default_factory=Sightings)


@contextmanager
def leased(
    terms: Terms | None, cluster: str, state: Path, progress: Progress, commit: str = ""
) -> Iterator[Tenure | None]:
    """Hold the cluster's lease while the block runs, for the desired `commit`; None when there is none to take. As soon
    as it is lost this thread is told to stop, by `interrupt`.

    The caller has the lock of `state`/`cluster`: what was taken from there before belongs to a process that is dead,
    and is taken over at once. Raises Transient when somebody else holds the lease or that can't be asked; Permanent
    when it can't be written.
    """
    if terms is None or not terms.store.shared():
        yield None
        return
    tenure = _take(terms, cluster, state / cluster, commit, progress)
    beat = threading.Thread(target=tenure.keep, name=f"lease of {cluster}", daemon=True)
    beat.start()
    try:
        with interrupt.unless(tenure.lost):
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


def _take(terms: Terms, cluster: str, folder: Path, commit: str, progress: Progress) -> Tenure:
    note = folder / "lease"
    before = note.read_text().split() if note.exists() else []
    host, mine = socket.gethostname(), uuid.uuid4().hex
    for attempt in range(_ATTEMPTS + 1):
        # mostly nobody had it since we last saw it: the first push says so, and asks nobody before
        name, there = (terms.store.read if attempt else terms.store.known)(cluster) or (None, None)
        now = terms.clock()
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
        lease = Lease(host, os.getpid(), mine, now, ends, commit, took_over)
        # both, and first: whenever we are killed, who comes after us here knows what was ours
        last = there if isinstance(there, Lease) else None
        ours = before if not attempt else [last.id] if last and last.id in before else []
        files.write(note, "\n".join([mine, *ours]) + "\n")
        if taken := terms.store.swap(cluster, name, lease):
            return Tenure(terms, cluster, taken, lease, None if last and last.id in before else there)
    raise Transient(f"other reconcilers were faster on the lease of {cluster!r}", hint="run it again")


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
    """One lease from taking it to giving it back. `name` is what the store calls it by now; `foreign` is the one before
    it, when that was not taken from here."""

    terms: Terms
    cluster: str
    name: str
    lease: Lease
    foreign: Lease | Unreadable | None = None
    over: threading.Event = field(default_factory=threading.Event)
    taken_by: str = ""

    def lost(self) -> str:
        """Why the lease is not ours any more; "" while it is."""
        if self.taken_by:
            return f"the lease of {self.cluster!r} was lost: {self.taken_by}"
        if self.terms.clock() >= self.lease.expires:
            return f"the lease of {self.cluster!r} was lost: it could not be renewed in time"
        return ""

    def keep(self) -> None:
        """Renew at each third of the lease's life until it is over or lost."""
        wait = third = self.terms.seconds / 3
        while not self.over.wait(wait) and not self.lost():
            wait = third if self._renewed() else self.terms.seconds / _RETRY_PART

    def _renewed(self) -> bool:
        after = replace(self.lease, expires=self.terms.clock() + datetime.timedelta(seconds=self.terms.seconds))
        try:
            if name := self.terms.store.swap(self.cluster, self.name, after):
                self.name, self.lease = name, after
                return True
            self._look()
        except Exception:  # whatever it was: what is not renewed in time is lost, and `lost` says so
            return False
        return False

    def _look(self) -> None:
        """See who has the lease. A push whose answer was lost may have arrived: then it is still ours, and no longer
        than we would have asked for: who else writes the ref can read our id there."""
        there = self.terms.store.read(self.cluster)
        if there and isinstance(there[1], Lease) and there[1].id == self.lease.id:
            longest = self.terms.clock() + datetime.timedelta(seconds=self.terms.seconds)
            self.name, self.lease = there[0], replace(self.lease, expires=min(there[1].expires, longest))
        else:
            self.taken_by = f"taken over by {there[1]}" if there else "somebody took it away"

    def give_back(self) -> None:
        """Say that the lease is over, if it is still ours. Raises Transient when the remote can't be reached."""
        over = replace(self.lease, released=self.terms.clock())
        if self.taken_by or self.terms.store.swap(self.cluster, self.name, over) is not None:
            return
        self._look()
        if not self.taken_by:
            self.terms.store.swap(self.cluster, self.name, over)
