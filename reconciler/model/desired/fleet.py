"""The Fleet kind: what all clusters of a repository share, as defaults and as policy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Kind, Model
from .policy import Freeze, Ignore
from .state import State
from .tenants import Tenant


class Ceilings(Model):
    """How far a cluster may raise its own guards."""

    max_deletions: Annotated[int, Field(ge=0)] | None = None
    max_deletion_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    max_replaced_servers: Annotated[int, Field(ge=0)] | None = None


class Policy(Model):
    """What holds for every cluster, whatever it says itself: rules here are added to the cluster's own. Once `tenants`
    is written, be it empty, a cluster's folder may use only what an entry allows it; without it, everything."""

    ignore: tuple[Ignore, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    guards: Ceilings = Ceilings()
    tenants: tuple[Tenant, ...] = ()

    @property
    def limits_tenants(self) -> bool:
        """Does it say who may use what?"""
        return "tenants" in self.model_fields_set


class FleetSpec(Model):
    """`defaults` is any part of a Cluster's spec: it counts where a cluster says nothing of its own. `state` is where
    Terraform's state of all clusters is kept."""

    defaults: dict[str, object] = Field(default_factory=dict)
    policy: Policy = Policy()
    state: State = State()


class Fleet(Kind):
    """One for a repository, in desired/fleet.yaml."""

    kind: Literal["Fleet"]
    spec: FleetSpec = FleetSpec()
