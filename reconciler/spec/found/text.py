"""A first cluster.yaml: the description as YAML, with comments on what it leaves open and why."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...text import visible_line
from ...yaml_text import dump

_WIDTH = 116


@dataclass(frozen=True, slots=True)
class Left:
    """A difference that the description leaves, as an ignore rule says it: no field is all of them."""

    resource: str
    field: str
    reason: str
    component: str = "infrastructure"


def text(name: str, spec: Mapping[str, Any], notes: Sequence[str], left: Sequence[Left], *, suspend: str = "") -> str:
    """The file. `left` becomes ignore rules; `suspend` says why the cluster is to be looked at and not touched."""
    lines = [
        "# yaml-language-server: $schema=../../schema/cluster.json",
        f"# What runs as {name}, as `reconciler import` found it. Read it, commit it, then: reconciler plan {name}",
    ]
    if notes:
        lines += ["#", "# What the cloud does not tell, or this file can't say:"]
        lines += [line for note in notes for line in _comment(note)]
    lines += ["apiVersion: research.moc/v1alpha1", "kind: Cluster", "metadata:", f"  name: {name}", "spec:"]
    if suspend:
        lines += [*_comment(suspend, "  # ", "  # "), "  suspend: true"]
    for key, value in spec.items():
        lines += ["", *_yaml({key: value})] if isinstance(value, (dict, list)) else _yaml({key: value})
    if left:
        lines += ["", "  # What is live and not as above, left as it is. Without a rule, the next apply sets it right."]
        lines += _yaml({"ignore": [_rule(one) for one in left]})
    return "\n".join(lines) + "\n"


def _rule(left: Left) -> dict[str, str]:
    field = {"field": left.field} if left.field else {}
    resource = {"resource": left.resource} if left.resource else {}
    return {"component": left.component, **resource, **field, "reason": left.reason}


def _comment(note: str, first: str = "#   - ", then: str = "#     ") -> list[str]:
    """A note as comment lines: nothing a cloud calls itself can end one."""
    clean = visible_line(" ".join(note.split()))
    return textwrap.wrap(clean, _WIDTH, initial_indent=first, subsequent_indent=then)


def _yaml(value: Mapping[str, Any]) -> list[str]:
    written = dump(dict(value), sort_keys=False, width=1 << 16)
    return [f"  {line}" if line else "" for line in written.splitlines()]
