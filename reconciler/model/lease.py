"""Who may apply a cluster, and until when: decided from values, so that every reconciler decides alike."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

# Whatever a lease says of itself, it ends so long after a reader first saw it. A renewal is another value of its ref.
LONGEST_SECONDS = 3600.0
# Fencing numbers end here, where every reader of JSON still counts exactly. A forged one stops nobody: it is met.
LAST_NUMBER = 2**53


@dataclass(frozen=True, slots=True)
class Lease:
    """`host` and `pid` are for people; `id` is random, another one each time a lease is taken. Times are UTC.

    `number` fences: each lease of a cluster has a higher one than all before it (0: not numbered yet). `commit` is the
    desired commit it was taken for; `took_over` says how the one before stood when that was never given back;
    `released` is when this one was, None while it is held."""

    host: str
    pid: int
    id: str
    since: datetime.datetime
    expires: datetime.datetime
    commit: str = ""
    took_over: str = ""
    released: datetime.datetime | None = None
    number: int = 0

    def __str__(self) -> str:
        return f"{self.host} (process {self.pid}) until {self.expires:%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The ref holds something that is no lease, for the reason `why`. Somebody may mean to hold it."""

    why: str
    commit: str = ""

    def __str__(self) -> str:
        return f"somebody whose lease can't be read ({self.why})"


def after(*numbers: int) -> int:
    """The number of a lease that comes after all of these."""
    return min(max(0, *numbers) + 1, LAST_NUMBER)


class Standing(StrEnum):
    FREE = "free"
    MINE = "mine"
    OTHERS = "others"
    EXPIRED = "expired"


def standing(
    lease: Lease | Unreadable | None,
    host: str,
    ids: Collection[str],
    now: datetime.datetime,
    grace: float,
    first_seen: datetime.datetime,
) -> Standing:
    """How a lease stands for the one on `host` who took leases with these `ids` before, and saw this value of its ref
    first at `first_seen`.

    `grace`, in seconds, is how far two machines' clocks may differ: its holder goes by `expires` itself, and others
    wait that much longer.
    """
    if lease is None or (isinstance(lease, Lease) and lease.released):
        return Standing.FREE
    if isinstance(lease, Lease) and lease.host == host and lease.id in ids:
        return Standing.MINE
    if now - first_seen >= datetime.timedelta(seconds=LONGEST_SECONDS + grace):
        return Standing.EXPIRED
    # no sum with `expires`: of the year 9999 there is no later one
    over = isinstance(lease, Lease) and now - datetime.timedelta(seconds=grace) >= lease.expires
    return Standing.EXPIRED if over else Standing.OTHERS
