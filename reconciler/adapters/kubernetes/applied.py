"""An object that was applied and is waited for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...model.resource import Key


@dataclass(frozen=True, slots=True)
class Applied:
    """An object that is there: what people call it, where it is asked for, what git calls it, and how it was when it
    was applied, where it was just now; whether it goes by itself when it is done."""

    title: str
    path: str
    key: Key
    answer: Mapping[str, Any] | None = None
    fleeting: bool = False
