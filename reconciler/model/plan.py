"""A plan: ordered steps made from differences. The object that is shown is the object that is applied."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .change import Action, Class, Difference
from .resource import Component, Key


class Tool(StrEnum):
    """Who carries a step out."""

    TERRAFORM = "terraform"
    OPENSTACK = "openstack"
    KUBESPRAY = "kubespray"
    KUBERNETES = "kubernetes"


@dataclass(frozen=True, slots=True)
class Counts:
    create: int = 0
    update: int = 0
    replace: int = 0
    delete: int = 0

    def __str__(self) -> str:
        parts = [f"{n} to {verb}" for verb, n in self.items() if n]
        return ", ".join(parts) or "nothing to change"

    def items(self) -> tuple[tuple[str, int], ...]:
        return (
            ("create", self.create),
            ("update", self.update),
            ("replace", self.replace),
            ("delete", self.delete),
        )

    @classmethod
    def of(cls, differences: tuple[Difference, ...]) -> Counts:
        """Count resources, not fields: three changed fields of one server are one update."""
        seen: dict[tuple[str, Key, str], Action] = {}
        for d in differences:
            at = (d.component, d.key, d.id if d.stray else "")
            if seen.get(at) is not Action.REPLACE:
                seen[at] = d.action
        acts = list(seen.values())
        return cls(*(acts.count(a) for a in (Action.CREATE, Action.UPDATE, Action.REPLACE, Action.DELETE)))


# The operation of a step that renews the certificates of control planes.
RENEW = "renew-certificates"
# The operation of a step that gives ports an address of one more subnet.
JOIN = "join"
# The argument of a step that says in which wave its workloads are; left out for the first.
WAVE = "wave"


@dataclass(frozen=True, slots=True)
class Step:
    """One run of one tool. `operation` is the tool's own word (apply, prune, cluster.yml, scale.yml, labels, …);
    `targets` are the names it touches (host names for a playbook, resources otherwise). `command` is what it runs, as
    one would type it; `seconds` an estimate from earlier runs, None where there were none. `keep` are the
    differences of what it touches that stay as they are live: ignored ones, and what can't be done. A step that is
    `held` waits for an approval, and the others don't wait for it. One that is `narrow` touches nothing but what it
    names, while something else of its kind waits."""

    component: Component
    tool: Tool
    operation: str
    summary: str
    targets: tuple[str, ...] = ()
    counts: Counts = Counts()
    differences: tuple[Difference, ...] = ()
    arguments: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    seconds: float | None = None
    keep: tuple[Difference, ...] = ()
    held: bool = False
    narrow: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A guard's no: which guard, what it saw, and how somebody approves it all the same. A `partial` one holds the
    steps that it is about, and lets the others go on."""

    guard: str
    message: str
    approval: str
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What one cycle would do for one cluster, made from the desired state at `commit`. `named` is a digest that does
    not follow from its steps, where one approval is for all of a plan that is carried out in several cycles."""

    cluster: str
    commit: str
    differences: tuple[Difference, ...] = ()
    steps: tuple[Step, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    named: str = ""

    @property
    def in_sync(self) -> bool:
        return not self.steps and not self.open

    @property
    def stopped(self) -> bool:
        """Did a guard refuse all of it?"""
        return any(not refusal.partial for refusal in self.refusals)

    @property
    def open(self) -> tuple[Difference, ...]:
        """What is not as desired: all but the ignored differences and the notices."""
        return tuple(d for d in self.differences if d.cls not in (Class.IGNORED, Class.NOTICE))

    @property
    def notices(self) -> tuple[Difference, ...]:
        """What somebody should know though nothing differs. A cluster with notices is in sync."""
        return tuple(d for d in self.differences if d.cls is Class.NOTICE)

    @property
    def unknown(self) -> tuple[Difference, ...]:
        return tuple(d for d in self.differences if d.cls is Class.UNKNOWN)

    @property
    def digest(self) -> str:
        """Names what would be done, and nothing else: two plans with one digest do the same."""
        if self.named:
            return self.named
        steps = [
            [
                s.component,
                s.tool,
                s.operation,
                s.targets,
                sorted(s.arguments.items()),
                sorted(json.dumps([str(d.key), d.field, d.action, d.id, d.desired]) for d in s.differences),
            ]
            for s in self.steps
        ]
        return hashlib.sha256(json.dumps([self.cluster, steps]).encode()).hexdigest()[:12]
