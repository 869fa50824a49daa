"""lease.json: how a lease is written into its ref, and read from a ref that anybody may have written."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from ...errors import Invalid
from ...model.lease import LAST_NUMBER, Lease

MAX_BYTES = 16 * 1024  # what is written is some hundred bytes
_COMMON = ConfigDict(frozen=True, strict=True, alias_generator=to_camel, populate_by_name=True)


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds what can't be printed")
    return text


def _utc(time: datetime.datetime) -> datetime.datetime:
    try:
        return time.astimezone(datetime.UTC)
    except OverflowError:
        raise ValueError("is out of range") from None


Line = Annotated[str, Field(max_length=255), AfterValidator(_printable)]
Time = Annotated[AwareDatetime, AfterValidator(_utc)]


class LeaseFile(BaseModel):
    """A lease. What else stands there is left out."""

    model_config = _COMMON

    number: int = Field(default=1, ge=1, le=LAST_NUMBER)
    host: Line
    pid: int = Field(ge=0, le=2**32)
    id: Annotated[Line, Field(min_length=1)]
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{0,64}$")] = ""
    since: Time
    expires: Time
    took_over: Line = ""
    released: Time | Literal[""] = ""

    @property
    def lease(self) -> Lease:
        more = (self.commit, self.took_over, self.released or None, self.number)
        return Lease(self.host, self.pid, self.id, self.since, self.expires, *more)


def text(lease: Lease) -> bytes:
    """The file of a lease."""
    fields = {f: getattr(lease, f) for f in ("number", "host", "pid", "id", "commit", "since", "expires", "took_over")}
    file = LeaseFile(released=lease.released or "", **fields)
    return (file.model_dump_json(by_alias=True, indent=2) + "\n").encode()


def read(content: bytes) -> LeaseFile:
    """The inverse of `text`. Raises Invalid."""
    try:
        return LeaseFile.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = next((f"{f.alias}: " for f in LeaseFile.model_fields.values() if f.alias in first["loc"]), "")
        raise Invalid(field + first["msg"].removeprefix("Value error, ")) from None
