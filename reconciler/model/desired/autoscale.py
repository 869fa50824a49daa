"""The Autoscale kind: which machines the autoscaler wants, in a file of its own beside what people decide.

Machines are named by number, so that a chosen one goes and no other. A number is handed out once: a machine that is
still being drained can't be taken for a new one, and a decision that is carried out late can't hit another machine.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from .base import API_VERSION, At, Kind, Model, Name, distinct
from .machines import NodeGroup

LARGEST = 99_999
Number = Annotated[int, Field(ge=1, le=LARGEST)]
DecisionId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]


class Removed(Model):
    """A machine that is to be drained and deleted. `server` is the id it has in the cloud: the deletion of that very
    server is decided here and needs no approval."""

    number: Number
    server: Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{1,64}$")]


class ScaledGroup(Model):
    """The machines of one node group. `next` is the number that is handed out next; `removed` are machines that may
    still be there."""

    name: Name
    machines: tuple[Number, ...] = ()
    next: Annotated[int, Field(ge=1, le=LARGEST + 1)]
    removed: tuple[Removed, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        distinct(("machines",), [str(number) for number in self.machines], key="")
        for index, gone in enumerate(self.removed):
            if gone.number in self.machines:
                raise At(("removed", index, "number"), f"{gone.number} is among the machines, too")
        last = max((*self.machines, *(gone.number for gone in self.removed)), default=0)
        if self.next <= last:
            raise At(("next",), f"is {self.next}, and must be more than every number in use ({last})")
        return self


class AutoscaleSpec(Model):
    """`decided` are the ids of the last decisions that are in here: what is in is not applied again."""

    node_groups: tuple[ScaledGroup, ...] = ()
    decided: tuple[DecisionId, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        distinct(("nodeGroups",), [group.name for group in self.node_groups])
        return self


class Autoscale(Kind):
    """One for a cluster, in desired/<cluster>/autoscale.yaml; `reconciler autoscaler serve` writes it."""

    kind: Literal["Autoscale"]
    spec: AutoscaleSpec = AutoscaleSpec()

    @classmethod
    def of(cls, cluster: str, groups: Sequence[ScaledGroup] = (), decided: Sequence[str] = ()) -> Self:
        """The file of a cluster. Raises pydantic's ValidationError where it would be wrong."""
        return cls.model_validate(
            {
                "apiVersion": API_VERSION,
                "kind": "Autoscale",
                "metadata": {"name": cluster},
                "spec": {"nodeGroups": tuple(groups), "decided": tuple(decided)},
            }
        )

    def group(self, name: str) -> ScaledGroup | None:
        """What is said of a group; None where nothing is."""
        return next((group for group in self.spec.node_groups if group.name == name), None)


class ScaledNodeGroup(NodeGroup):
    """A node group as it is with the autoscaler's file: `count` is how many `machines` there are."""

    machines: tuple[int, ...] = ()

    @property
    def numbers(self) -> tuple[int, ...]:
        return self.machines


def effective(group: NodeGroup, said: ScaledGroup | None) -> ScaledGroup:
    """What a group comes to. `count` is where it starts; from then on the autoscaler's file counts, within what people
    say: `without` takes machines out, `max` the last ones, and `min` adds some."""
    if said is None or group.min is None or group.max is None:
        numbers = group.numbers
        return ScaledGroup(name=group.name, machines=numbers, next=max((*numbers, *group.without), default=0) + 1)
    passed_over = {*group.without, *(gone.number for gone in said.removed)}
    machines = sorted(set(said.machines) - passed_over)[: group.max]
    fresh = (number for number in itertools.count(said.next) if number not in passed_over)
    machines += itertools.islice(fresh, max(0, group.min - len(machines)))
    following = max([said.next, *(number + 1 for number in machines)])
    return said.model_copy(update={"machines": tuple(machines), "next": following})


def scaled(group: NodeGroup, said: ScaledGroup | None) -> NodeGroup:
    """The group with the machines it comes to; as it was where the file says nothing or people gave no bounds."""
    if said is None or group.min is None:
        return group
    machines = effective(group, said).machines
    fields = {name: getattr(group, name) for name in NodeGroup.model_fields}
    return ScaledNodeGroup.model_construct(**{**fields, "count": len(machines), "machines": machines})
