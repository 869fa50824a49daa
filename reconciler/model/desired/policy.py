"""What a cycle may do without asking, when, and what it leaves alone: guards, approvals, windows, ignore rules."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from .base import At, Model

GuardName = Literal[
    "max-deletions",
    "max-deletion-percent",
    "control-plane",
    "replaced-servers",
    "backup",
    "stateful-volumes",
    "rebuild",
    "empty-desired-set",
    "maintenance-window",
    "freeze",
    "unknowns",
    "recovery",
    "conflict",
    "last-workers",
    "sessions",
    "destroy",
]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]
LONGEST_PATTERN = 500
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_PATTERN)]


def _moment(text: str) -> str:
    try:
        datetime.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no date (2026-12-01) and no time (2026-12-01T18:00:00+00:00)") from None
    return text


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{text!r} is no time zone, such as UTC or America/New_York") from None
    return text


# A date or a time as ISO 8601 writes it; without an offset it is UTC, and a date alone is its first moment.
Moment = Annotated[str, AfterValidator(_moment)]
Zone = Annotated[str, AfterValidator(_zone)]
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def moment(text: str) -> datetime.datetime:
    """The time a Moment means, aware."""
    found = datetime.datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def end_of(text: str) -> datetime.datetime:
    """The last moment of a Moment, aware: a date alone counts to its end, as an environment's last day does."""
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        return moment(text)
    return datetime.datetime.combine(day, datetime.time.max, datetime.UTC)


class Approval(Model):
    """Somebody read the plan called `plan` and agrees to it until `expires`, that day included. Without `guards`, to
    all they refuse."""

    plan: Digest
    expires: Moment
    guards: tuple[GuardName, ...] = ()
    reason: str = ""


class Guards(Model):
    """Limits one cycle may not pass without approval. `maxEndedSessions` is how many researchers' sessions that are in
    use one plan may end."""

    max_deletions: Annotated[int, Field(ge=0)] = 5
    max_deletion_percent: Annotated[int, Field(ge=0, le=100)] = 30
    max_replaced_servers: Annotated[int, Field(ge=0)] = 1
    max_ended_sessions: Annotated[int, Field(ge=0)] = 0
    approvals: tuple[Approval, ...] = ()


class Ignore(Model):
    """Differences to leave alone: patterns (`*` is any text, `?` one character) over `server demo-*` and over the
    field's name, where brackets mean themselves: `spec.template.spec.containers[web].image`, `rules[0].*`."""

    component: Literal["infrastructure", "kubernetes", "workloads", "applications"] | None = None
    resource: Pattern = "*"
    field: Pattern = "*"
    reason: str = ""

    @model_validator(mode="after")
    def _not_everything(self) -> Self:
        if self.component is None and self.resource == "*" and self.field == "*":
            raise At((), "would ignore everything; name a component, a resource or a field")
        return self


class Window(Model):
    """When changes may happen: on these days, from `start`, for this many hours. Past midnight is fine."""

    days: tuple[Day, ...] = DAYS
    start: TimeOfDay
    hours: Annotated[float, Field(gt=0, le=24)] | Annotated[int, Field(gt=0, le=24)]


class Freeze(Model):
    """Nothing changes from `from` until `until`."""

    from_: Moment = Field(alias="from")
    until: Moment
    reason: str = ""

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if moment(self.from_) >= moment(self.until):
            raise At(("until",), f"{self.until} is not after {self.from_}")
        return self


class Maintenance(Model):
    """Where there are windows, what disrupts happens in them only; with `changes: all`, any change does.

    Disruptive is what deletes or replaces a resource, and every playbook but scale.yml.
    """

    timezone: Zone = "UTC"
    windows: tuple[Window, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    changes: Literal["disruptive", "all"] = "disruptive"
