"""Snapshots of etcd that are kept off the machines."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from .base import Model

_UNITS = {"h": "hours", "d": "days"}


class Backups(Model):
    """`schedule` is how old the newest snapshot may get before another is taken, in hours or days: 6h, 1d. `keep` is
    how many stay. `to` is the folder that the reconciler's settings name, or a container of the cluster's own project
    in its cloud's object storage."""

    schedule: Annotated[str, StringConstraints(pattern=r"^([1-9][0-9]{0,2}h|[1-9][0-9]?d)$")] = "1d"
    keep: Annotated[int, Field(ge=1, le=200)] = 14
    to: Literal["folder", "objectStorage"]

    @property
    def every(self) -> datetime.timedelta:
        """The schedule as a time."""
        return datetime.timedelta(**{_UNITS[self.schedule[-1]]: int(self.schedule[:-1])})
