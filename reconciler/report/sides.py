"""The two sides of differences in full, as a unified diff shows them: - what is live, + what git says."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from ..model.change import Difference
from ..model.resource import Component, Key, Resource, Value
from .values import is_secret, line, masked, short

Wanted = Mapping[tuple[Component, Key], Resource]

_CONTEXT = 3  # unchanged lines around a changed one, as diff shows them
_MOST_LINES = 2_000  # of one field: a live object may hold a megabyte of text


def unified(differences: Sequence[Difference], wanted: Wanted, commit: str) -> Iterator[str]:
    """The lines of all differences, resource by resource; of what is missing every field that git gives it. `wanted`
    are the resources as git has them. Values of Secrets stay hidden, as in reports."""
    ordered = sorted(differences, key=lambda d: (d.component.value, d.key, d.field))
    for (component, key), of_one in groupby(ordered, lambda d: (d.component, d.key)):
        yield f"--- {key} (live)"
        yield f"+++ {key} (git at {commit[:12]})"
        for difference in of_one:
            yield f"@@ {difference.field or 'the whole of it'} @@ {difference.cls}: {line(difference.why)}"
            if difference.field:
                yield from _field(difference)
            elif difference.live is None:
                yield from _whole(difference, wanted.get((component, key)))


def _field(difference: Difference) -> Iterator[str]:
    live, desired = _lines(difference, difference.live), _lines(difference, difference.desired)
    changed = difflib.unified_diff(live, desired, n=_CONTEXT, lineterm="")
    shown = [text for text in changed if not text.startswith(("---", "+++", "@@"))]
    yield from shown[:_MOST_LINES]
    if len(shown) > _MOST_LINES:
        yield f" … and {len(shown) - _MOST_LINES} lines more"


def _whole(difference: Difference, resource: Resource | None) -> Iterator[str]:
    for field, value in sorted((resource.fields if resource else {}).items()):
        yield f"+{line(field)}: {short(value, secret=is_secret(difference))}"


def _lines(difference: Difference, value: Value) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str) and "\n" in value and not is_secret(difference):
        return masked(value).splitlines()
    return [short(value, secret=is_secret(difference))]
