"""What applications say of other clusters, by their text alone: quick for many clusters, and also where one of them has
mistakes. A word in a comment counts too; it costs a look and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .load import FOLDER
from .wiring import Output, parsed

Mentions = Mapping[str, frozenset[Output]]
_REFERENCE = re.compile(rb"\$\{(cluster\.[^}\s]{1,500})\}")


def mentions(files: Mapping[str, bytes]) -> Mentions:
    """By cluster, what its applications want of others. `files` are those of the whole repository, by path."""
    found: dict[str, set[Output]] = {}
    for path, text in files.items():
        top, _, rest = path.partition("/")
        own, _, inside = rest.partition("/")
        if top == FOLDER and inside.startswith("applications/"):
            outputs = (parsed(name.decode(errors="replace"), own) for name in _REFERENCE.findall(text))
            found.setdefault(own, set()).update(o for o in outputs if o and o.cluster != own)
    return {own: frozenset(outputs) for own, outputs in found.items() if outputs}


def reached(cluster: str, said: Mentions) -> frozenset[str]:
    """The clusters that a cluster's applications refer to, and those that these refer to in their turn."""
    there: set[str] = set()
    left = [cluster]
    while left:
        further = {output.cluster for output in said.get(left.pop(), ())} - there
        there |= further
        left += further
    return frozenset(there)


def wanted_of(cluster: str, said: Mentions) -> frozenset[Output]:
    """What others want of a cluster."""
    return frozenset(output for outputs in said.values() for output in outputs if output.cluster == cluster)


def dependents(cluster: str, said: Mentions) -> frozenset[str]:
    """Who wants something of a cluster: when what is recorded of its outputs changes, these are to be looked at."""
    return frozenset(own for own, outputs in said.items() if any(output.cluster == cluster for output in outputs))
