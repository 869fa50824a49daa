"""A researcher's running session: where it runs, and whether somebody may be at work in it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Session:
    """A pod of an environment. `pod` is namespace/name, `title` owner/environment, `node` the machine it runs on.
    `active` is when somebody was last seen at work in it (aware), `idle_after` after how many seconds without that it
    counts as idle; None: never. `movable` is whether its pod says that it may be moved; None: it says nothing."""

    pod: str
    title: str
    node: str
    active: datetime.datetime | None = None
    idle_after: int | None = None
    movable: bool | None = None

    def in_use(self, now: datetime.datetime) -> bool:
        """Unknown is in use. An activity that lies ahead of `now` by a clock that is wrong is one of now."""
        if self.idle_after is None:
            return not self.movable
        if self.active is None:
            return True
        return (now - self.active).total_seconds() < self.idle_after
