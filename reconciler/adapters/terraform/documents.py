"""Terraform's JSON, checked before it is used: providers, backends and clouds put into it what they like.

Only what is read is checked; a state is pushed back as it came, with all that is not.
"""

from __future__ import annotations

import json
from typing import Any, NotRequired, TypeAlias, TypeVar, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from ...errors import Permanent

_MOST_BYTES = 512 * 1024 * 1024  # a state of 10,000 instances has some 50 MiB
_LONGEST_LINE = 4 * 1024 * 1024
_KEPT = ConfigDict(extra="allow", strict=True)
Attributes: TypeAlias = dict[str, Any]
Document = TypeVar("Document")


@with_config(_KEPT)
class Doing(TypedDict):
    """What a plan would do with one resource."""

    actions: list[str]
    before: NotRequired[Attributes | None]
    after: NotRequired[Attributes | None]
    after_unknown: NotRequired[Any]
    replace_paths: NotRequired[list[list[Any]] | None]


@with_config(_KEPT)
class Planned(TypedDict):
    """One entry of a plan's `resource_changes`."""

    address: str
    mode: str
    type: str
    action_reason: NotRequired[str | None]
    change: Doing


@with_config(_KEPT)
class PlanDocument(TypedDict):
    """What `show -json` says of a saved plan."""

    resource_changes: NotRequired[list[Planned] | None]


@with_config(_KEPT)
class Instance(TypedDict):
    """One instance of a resource in a state."""

    index_key: NotRequired[str | int]
    status: NotRequired[str | None]
    attributes: NotRequired[Attributes | None]


@with_config(_KEPT)
class Held(TypedDict):
    """One resource of a state."""

    module: NotRequired[str]
    mode: str
    type: str
    name: str
    instances: list[Instance]


@with_config(_KEPT)
class StateDocument(TypedDict):
    """A state as Terraform keeps it; `encrypted_data` stands in the place of everything where it is sealed."""

    serial: NotRequired[int]
    resources: NotRequired[list[Held] | None]


@with_config(_KEPT)
class Resource(TypedDict):
    """A resource as a message names it."""

    resource_type: str
    resource_key: NotRequired[Any]


@with_config(_KEPT)
class Hook(TypedDict):
    """What happens to one resource while Terraform runs."""

    resource: Resource
    action: NotRequired[str]
    elapsed_seconds: NotRequired[float]


_PLAN = TypeAdapter(PlanDocument)
_STATE = TypeAdapter(StateDocument)
_HOOK = TypeAdapter(Hook)


def plan(text: str | bytes) -> PlanDocument:
    """What `show -json` said of a saved plan. Raises Permanent for what is none."""
    return _checked(_PLAN, decoded(text), "what Terraform says of its plan")


def state(document: object, where: str) -> dict[str, Any]:
    """A state, just as it came. Raises Permanent for what is none."""
    _checked(_STATE, document, f"what is kept at {where}")
    return cast("dict[str, Any]", document)


def hook(value: object) -> Hook | None:
    """What a message says happens to a resource; None where it says nothing we know."""
    try:
        return _HOOK.validate_python(value)
    except (ValidationError, RecursionError):
        return None


def message(line: str) -> dict[str, Any]:
    """One message of Terraform's stream; empty for a line that is none."""
    found = decoded(line) if len(line) <= _LONGEST_LINE else None
    return found if isinstance(found, dict) else {}


def decoded(text: str | bytes) -> object:
    """The value of a JSON text; None for what is none, or far too much."""
    if len(text) > _MOST_BYTES:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _checked(adapter: TypeAdapter[Document], document: object, what: str) -> Document:
    try:
        return adapter.validate_python(document)
    except (ValidationError, RecursionError):  # whose message would repeat what stands there
        raise _none(what) from None


def _none(what: str) -> Permanent:
    return Permanent(f"{what} is not what Terraform writes", hint="look at what answers there; nothing was changed")
