"""Who may apply a cluster, and until when: decided from values, so that every reconciler decides alike."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Lease:
    """`host` and `pid` are for people; `id` is random and made anew each time a lease is taken. Times are UTC.

    `commit` is the desired commit it was taken for; `took_over` says how the one before stood when that was never given
    back; `released` is when this one was, None while it is held."""

    host: str
    pid: int
    id: str
    since: datetime.datetime
    expires: datetime.datetime
    commit: str = ""
    took_over: str = ""
    released: datetime.datetime | None = None

    def __str__(self) -> str:
        return f"{self.host} (process {self.pid}) until {self.expires:%Y-%m-%d %H:%M:%S} UTC"


class Standing(StrEnum):
    FREE = "free"
    MINE = "mine"
    OTHERS = "others"
    EXPIRED = "expired"


def standing(lease: Lease | None, host: str, ids: Collection[str], now: datetime.datetime, grace: float) -> Standing:
    """How a lease stands for the one on `host` who took leases with these `ids` before.

    `grace`, in seconds, is how far two machines' clocks may differ: its holder goes by `expires` itself, and others
    wait that much longer.
    """
    if lease is None or lease.released:
        return Standing.FREE
    if lease.host == host and lease.id in ids:
        return Standing.MINE
    over = now >= lease.expires + datetime.timedelta(seconds=grace)
    return Standing.EXPIRED if over else Standing.OTHERS
