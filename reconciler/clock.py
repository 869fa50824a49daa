"""What time it is, for who is given no clock of their own."""

from __future__ import annotations

import datetime


def utc_now() -> datetime.datetime:
    """Now, in UTC."""
    return datetime.datetime.now(datetime.UTC)
