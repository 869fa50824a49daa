"""Since when something differs: as long as the observed branch has had it without a break."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from ..model.change import Class, Difference

Identity: TypeAlias = tuple[str, str, str, str, str]
Version: TypeAlias = tuple[str, frozenset[Identity]]


def identity(difference: Difference) -> Identity:
    """What makes it the same difference tomorrow: where it is, whatever its values and class then are."""
    key = difference.key
    return difference.component.value, key.kind, key.name, key.target, difference.field


def dated(differences: Sequence[Difference], versions: Iterable[Version]) -> tuple[Difference, ...]:
    """Give each difference its `first_seen`. `versions` are what was written down, newest first, each with its time;
    they are read only as far back as one of the differences goes."""
    left = {identity(d) for d in differences if d.cls is not Class.IGNORED}
    since: dict[Identity, str] = {}
    if left:
        for when, had in versions:
            left &= had
            if not left:
                break
            since |= dict.fromkeys(left, when)
    return tuple(replace(d, first_seen=since.get(identity(d), "")) for d in differences)
