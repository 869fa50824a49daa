"""When changes may happen: maintenance windows and freezes, told from a given moment."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from ..model.desired import DAYS, Freeze, Maintenance, Window, moment

_WEEK = 7


def frozen(maintenance: Maintenance, now: datetime.datetime) -> Freeze | None:
    """The freeze that holds at `now`, if any."""
    return next((f for f in maintenance.freezes if moment(f.from_) <= now < moment(f.until)), None)


def is_open(maintenance: Maintenance, now: datetime.datetime) -> bool:
    """Whether `now` lies in a window; without any window it always does."""
    if not maintenance.windows:
        return True
    return any(start <= now < end for start, end in _near(maintenance, now))


def next_opening(maintenance: Maintenance, now: datetime.datetime) -> datetime.datetime | None:
    """When the next window begins after `now`, in the windows' own time zone; None without windows."""
    return min((start for start, _ in _near(maintenance, now) if start > now), default=None)


def _near(maintenance: Maintenance, now: datetime.datetime) -> Iterator[tuple[datetime.datetime, datetime.datetime]]:
    """Every opening from yesterday (one may reach over midnight) to this day next week."""
    today = now.astimezone(ZoneInfo(maintenance.timezone)).date()
    for window in maintenance.windows:
        for offset in range(-1, _WEEK + 1):
            day = today + datetime.timedelta(days=offset)
            if DAYS[day.weekday()] in window.days:
                yield _opening(window, day, ZoneInfo(maintenance.timezone))


def _opening(window: Window, day: datetime.date, zone: ZoneInfo) -> tuple[datetime.datetime, datetime.datetime]:
    hour, minute = map(int, window.start.split(":"))
    start = datetime.datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
    # In UTC, so that a window is as long as it says on the night the clocks change too.
    end = start.astimezone(datetime.UTC) + datetime.timedelta(hours=window.hours)
    return start, end
