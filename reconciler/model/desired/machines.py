"""Machines: what a control plane, a node group and a bastion are made of."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from .base import At, CloudName, Model, Name, distinct

# RFC 1123 subdomain, a slash, and at most 63 characters: Kubernetes' rule for label and taint keys
_QUALIFIED = r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
LabelKey = Annotated[str, StringConstraints(pattern=_QUALIFIED)]
LabelValue = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")]
# Glance's ids are UUIDs.
ImageId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Autoscaling = Literal["active", "suspended"]
Policy = Literal["soft-anti-affinity", "anti-affinity", "soft-affinity", "affinity"]


class Taint(Model):
    """Keeps pods without a matching toleration away."""

    key: LabelKey
    value: LabelValue = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]

    def __str__(self) -> str:
        return f"{self.key}={self.value}:{self.effect}"


class BootVolume(Model):
    """A Cinder volume as root disk, made from the image with the machine and deleted with it. `size` is in GiB, `type`
    one of the cloud's volume types; left out, it is the cloud's default."""

    size: Annotated[int, Field(ge=1, le=16384)]
    type: CloudName | None = None


class Machines(Model):
    """What control plane, node groups and bastion have in common.

    `image` is the cluster's when left out. `build` is the id of one image: machines that were made from another one are
    replaced, as many at a time as `guards.maxReplacedServers` allows; left out, a machine keeps the build it was made
    from, and a new one gets the newest of that name. Machines are spread over `availabilityZones` in turn.
    `securityGroups` names groups that exist already and are joined besides the cluster's own. Without a `bootVolume`
    the root disk is the flavor's.
    """

    flavor: CloudName
    image: CloudName | None = None
    build: ImageId | None = None
    boot_volume: BootVolume | None = None
    floating_ips: bool = False
    availability_zones: tuple[CloudName, ...] = ()
    security_groups: tuple[CloudName, ...] = ()


class Placed(Machines):
    """Machines that share a server group: `serverGroupPolicy` says how Nova places them on its hosts."""

    server_group_policy: Policy = "soft-anti-affinity"


class ControlPlane(Placed):
    """The machines etcd and the API run on. `count` is odd, so that a majority is always one."""

    count: Literal[1, 3, 5] = 1


class Etcd(Placed):
    """Machines for etcd alone. Left out, it runs on the control plane."""

    count: Literal[1, 3, 5] = 3


class NodeGroup(Placed):
    """Workers of one kind. With `min` and `max` the autoscaler decides, within them, which machines there are, in a
    file of its own (`autoscale.yaml`); `count` is where it starts. `autoscaling: suspended` keeps them as they are.
    Machines are numbered from 1; `without` are numbers that are passed over, so that one in the middle can go for
    good."""

    name: Name
    count: Annotated[int, Field(ge=0, le=1000)]
    without: tuple[Annotated[int, Field(ge=1, le=9999)], ...] = ()
    min: Annotated[int, Field(ge=0, le=1000)] | None = None
    max: Annotated[int, Field(ge=0, le=1000)] | None = None
    autoscaling: Autoscaling = "active"
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    taints: tuple[Taint, ...] = ()

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        distinct(("without",), [str(number) for number in self.without], key="")
        if (self.min is None) != (self.max is None):
            raise At(("max" if self.max is None else "min",), "min and max belong together; one of them is missing")
        if self.min is not None and self.max is not None:
            if self.min > self.max:
                raise At(("min",), f"min is {self.min}, which is more than max ({self.max})")
            if not self.min <= self.count <= self.max:
                raise At(("count",), f"{self.count} is not between min ({self.min}) and max ({self.max})")
        return self

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of its machines."""
        without = frozenset(self.without)
        usable = (number for number in itertools.count(1) if number not in without)
        return tuple(itertools.islice(usable, self.count))


class Bastion(Machines):
    """One machine with a floating IP that SSH goes through; the others then need none."""

    floating_ips: Literal[True] = True
