"""A snapshot of a cluster's etcd as it is kept: what its name says, which is all that is read before it is opened."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

_FORM = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"(?P<taken>\d{8}T\d{6}Z)-(?P<revision>0|[1-9]\d{0,18})\.db\.age", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Backup:
    """One snapshot. `taken` is when it was begun, in UTC to the second; `revision` is etcd's own count of changes."""

    taken: datetime.datetime
    revision: int

    @property
    def name(self) -> str:
        """The file's or object's name. Names sort by time."""
        return f"{self.taken:{_FORM}}-{self.revision}.db.age"

    @classmethod
    def parse(cls, name: str) -> Backup | None:
        """The snapshot of that name; None for a name that is not of our making."""
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        try:
            taken = datetime.datetime.strptime(match["taken"], _FORM).replace(tzinfo=datetime.UTC)
        except ValueError:
            return None
        return cls(taken, int(match["revision"]))
