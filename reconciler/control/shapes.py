"""What a record of the observed branch has to look like before anything of it is believed: anybody may have pushed
it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ..errors import Problem
from ..model.resource import Component
from ..spec import records
from ..spec.yaml import Unreadable, quoted

T = TypeVar("T")
# Hears why a record counts as none.
Doubt: TypeAlias = Callable[[str], None]
_MAX_WAVE = 1_000_000


def _line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds what can't be printed")
    return text


def _value(value: Any) -> Any:
    """Text, a number, yes or no, nothing, or a list of such."""
    if isinstance(value, dict):
        raise ValueError("is a mapping where a value belongs")
    if isinstance(value, tuple):
        for part in value:
            _value(part)
    return value


Line = Annotated[str, Field(max_length=1024), AfterValidator(_line)]
Kind = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,252}$")]
# apiVersion/Kind: it becomes part of an API's address
Type = Annotated[str, Field(pattern=r"^(([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[a-z0-9]{1,63}/[A-Za-z0-9]{1,63})?$")]
Commit = Annotated[str, Field(pattern=r"^([0-9a-f]{40})?$")]


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class AppliedResource(_Shape):
    kind: Kind
    name: Line
    fields: dict[Line, Annotated[Any, AfterValidator(_value)]] = Field(default_factory=dict)
    digest: Line = ""
    type: Type = ""
    target: Line = ""
    wave: int = Field(default=0, ge=0, le=_MAX_WAVE)
    within: Line = ""


class FailedCycle(_Shape):
    commit: Commit = ""
    error: str = ""


class ObservedCluster(_Shape):
    failed: FailedCycle = FailedCycle()


class Differing(_Shape):
    component: Line
    kind: Line
    name: Line
    target: Line = ""
    field: Line = ""


class HostKeys(_Shape):
    """The SSH host keys of one server, each as `type base64`, who said so, and at which address."""

    keys: Annotated[tuple[Annotated[str, Field(max_length=4200)], ...], Field(min_length=1, max_length=5)]
    source: Literal["console", "contact", "record"] = "contact"
    address: Annotated[str, Field(max_length=64)] = ""
    asked: bool = False


APPLIED = TypeAdapter(dict[Annotated[Component, Field(strict=False)], tuple[AppliedResource, ...]])
OBSERVED = TypeAdapter(ObservedCluster)
DIFFERENCES = TypeAdapter(tuple[Differing, ...])
OUTPUTS = TypeAdapter(dict[Line, Line])
IMAGES = TypeAdapter(dict[Line, tuple[Line, ...]])
# by the server's id
HOST_KEYS = TypeAdapter(dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")], HostKeys])


def read(shape: TypeAdapter[T], file: str, text: bytes, empty: T) -> T:
    """What a record says; `empty` for one that says nothing. Raises Unreadable."""
    content = records.read(file, text)
    if content is None:
        return empty
    try:
        return shape.validate_python(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(quoted(str(part)) for part in first["loc"])
        raise Unreadable(Problem(file, 1, 1, where, first["msg"].removeprefix("Value error, "))) from None
