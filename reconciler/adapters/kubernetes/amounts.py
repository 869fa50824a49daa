"""Amounts that are written in several ways: 1000m and 1 of a CPU, 1024Mi and 1Gi of memory. Pure."""

from __future__ import annotations

import re

from ...model.desired import quantity
from ...model.resource import Value

# Where Kubernetes has a quantity; elsewhere (an environment variable) 1000m is a text like any other.
_AMOUNTS = re.compile(
    r"\.(limits|requests|hard|capacity|podFixed|min|max|default|defaultRequest|maxLimitRequestRatio)\.[^\[\]]+$"
    r"|\.(sizeLimit|averageValue|divisor|target\.value)$"
)


def same_amount(path: str, one: Value, other: Value) -> bool:
    """Are the two values of the field at `path` one quantity?"""
    if not _AMOUNTS.search(path) or isinstance(one, bool) or isinstance(other, bool):
        return False
    if not isinstance(one, (str, int, float)) or not isinstance(other, (str, int, float)):
        return False
    try:
        return quantity(str(one)) == quantity(str(other))
    except ValueError:
        return False
