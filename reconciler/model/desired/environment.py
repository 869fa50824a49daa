"""The Environment kind: what one researcher works in."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, StringConstraints

from .base import Kind, Model, Name, Quantity


def _date(text: str) -> str:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no date of the calendar") from None
    return text


Date = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_date)]


class EnvironmentSpec(Model):
    """One researcher's environment. `image` overrides the type's own; `expires` is a date, YYYY-MM-DD."""

    type: Literal["jupyter", "rstudio", "desktop"]
    owner: Name
    image: str | None = None
    cpu: Quantity = "1"
    memory: Quantity = "2Gi"
    volume: Quantity = "10Gi"
    expires: Date | None = None


class Environment(Kind):
    """JupyterLab, RStudio or a Linux desktop for one researcher."""

    kind: Literal["Environment"]
    spec: EnvironmentSpec
