"""What the trailers of commits say, newest first. Whoever may push there may have written them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from itertools import islice

_ID = re.compile(r"[0-9a-f]{40}")
_NUMBER = re.compile(r"[0-9]{1,16}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z", re.ASCII)


def commit(values: Iterable[str]) -> str:
    """The first full id of a commit; "" without."""
    return next((value for value in values if _ID.fullmatch(value)), "")


def number(values: Iterable[str], most: int) -> int:
    """The first number, `most` at the most; 0 without."""
    return next((min(int(value), most) for value in values if _NUMBER.fullmatch(value)), 0)


def time(values: Iterable[str]) -> datetime.datetime | None:
    """The time that the newest one says; None where that is no time (UTC)."""
    value = next(islice(values, 1), "")
    if not _TIME.fullmatch(value):
        return None
    try:
        return datetime.datetime.fromisoformat(value)
    except ValueError:
        return None
