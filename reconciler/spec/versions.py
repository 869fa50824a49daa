"""Which Kubernetes version git may ask for: one minor further than what runs, never an older one, and one that the
Kubespray in use installs.

The rules are kubeadm's (it upgrades over one minor only) and Kubespray's (docs/operations/upgrades.md: "do not skip
minor releases"); nobody supports going back. Within a minor every patch may follow every other: that is the way back
from a bad one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TypeAlias

from ..errors import Problem
from .load import DesiredCluster
from .yaml import Path

Version: TypeAlias = tuple[int, int, int]
_PLACE: Path = ("spec", "kubernetes", "version")
_NONE: frozenset[str] = frozenset()


def check(desired: DesiredCluster, running: Iterable[str], offered: Collection[str] = _NONE) -> list[Problem]:
    """What is wrong with the version git asks for, at its line.

    `running` are the nodes' versions, live or as last applied: without any there is nothing to come from. `offered` are
    the versions that Kubespray installs: without any it did not say.
    """
    wanted = desired.cluster.spec.kubernetes.version
    found = (*_jump(running, wanted, offered), *_not_offered(wanted, offered))
    return [desired.problem("Cluster", desired.name, _PLACE, message, hint) for message, hint in found]


def path(live: str, wanted: str, offered: Collection[str] = _NONE) -> tuple[str, ...]:
    """Every version on the way from `live` to `wanted`, both included: for each minor between them the newest that is
    `offered`, or 1.34.x where none is known. Raises ValueError for what is no version, and for a way down."""
    start, end = _parsed(live), _parsed(wanted)
    if start is None or end is None or end[:2] < start[:2] or end[0] != start[0]:
        raise ValueError(f"there is no way from {live} to {wanted}")
    between = (newest(offered, (end[0], minor)) or f"{end[0]}.{minor}.x" for minor in range(start[1] + 1, end[1]))
    return (live, *between, wanted)


def newest(versions: Iterable[str], minor: tuple[int, int]) -> str | None:
    """The newest of `versions` that belongs to (major, minor)."""
    return last(v for v in versions if (_parsed(v) or ())[:2] == minor)


def _jump(running: Iterable[str], wanted: str, offered: Collection[str]) -> Iterator[tuple[str, str]]:
    """Up counts from the node that is furthest behind, down from the one that is furthest ahead: an upgrade that
    stopped halfway may go on, and may not be turned back."""
    there = sorted(v for v in map(_parsed, running) if v)
    end = _parsed(wanted)
    if not there or end is None:
        return
    lowest, highest = _text(there[0]), _text(there[-1])
    if end[:2] < there[-1][:2]:
        message = f"Kubernetes does not go down: {highest} is there, git asks for {wanted}"
        yield message, _no_way_back(there[-1], offered)
    elif end[0] == there[0][0] and end[1] - there[0][1] > 1:
        way = path(lowest, wanted, offered)
        unknown = [v.removesuffix(".x") for v in way[1:-1] if v.endswith(".x")] if offered else []
        yield f"Kubernetes goes up one minor at a time: {' -> '.join(way)}", _in_turn(way[1:], unknown)


def _no_way_back(highest: Version, offered: Collection[str]) -> str:
    stay = newest(offered, highest[:2]) or _text(highest)
    return f"ask for {stay}: kubeadm and Kubespray know no way to an older minor; only a cluster made anew has one"


def _in_turn(steps: Sequence[str], unknown: Sequence[str]) -> str:
    first, *rest = steps
    older = f" (the Kubespray in use has no {', '.join(unknown)}: use the release that has it)" if unknown else ""
    return f"commit {first} first, let it be applied, then {', then '.join(rest)}{older}"


def _not_offered(wanted: str, offered: Collection[str]) -> Iterator[tuple[str, str]]:
    end = _parsed(wanted)
    if not offered or end is None or wanted in offered:
        return
    best = newest(offered, end[:2])
    minors = {v[:2] for v in map(_parsed, offered) if v}
    each = sorted((minor, newest(offered, minor)) for minor in minors)
    known = ", ".join(str(version) for _, version in each)
    hint = f"the newest it has of {end[0]}.{end[1]} is {best}" if best else f"the newest it has of each minor: {known}"
    yield f"the Kubespray in use does not install {wanted}", f"{hint}; or use another release of Kubespray"


def last(versions: Iterable[str]) -> str | None:
    """The newest of all; None of none."""
    return max(versions, key=lambda v: _parsed(v) or (), default=None)


def _parsed(version: str) -> Version | None:
    """1.34.7 as numbers; a build's own ending (1.34.7+k3s1) does not count. None for anything else."""
    found = re.match(r"v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})", version)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def _text(version: Version) -> str:
    return ".".join(map(str, version))
