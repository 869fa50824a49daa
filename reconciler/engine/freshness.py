"""Which of two looks at a cluster is the newer one, where several machines record what they saw. Older never replaces
newer; clocks that disagree must keep nobody from recording for long."""

from __future__ import annotations

import datetime


def replaces(
    ours: datetime.datetime,
    theirs: datetime.datetime | None,
    now: datetime.datetime,
    *,
    unchanged: bool,
    after_it: bool,
) -> bool:
    """May what was seen at `ours` take the place of a record of what was seen at `theirs`?

    `theirs` is None where the record does not say (version 0.1.0 did not), and counts as unsaid when it lies after
    `now`, which only a wrong clock can tell. `unchanged`: the record is the one that was there when the cycle began;
    `after_it`: and everything was looked at after that, so that no clock has to be asked. All times are in UTC.
    """
    if after_it:
        return True
    if theirs is None or theirs > now:
        return unchanged
    return theirs <= ours
