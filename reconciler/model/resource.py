"""One shape for everything compared, so that diff is one function: a resource is a kind, a name and plain fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from .guest import Guest

Value: TypeAlias = "str | int | float | bool | tuple[Value, ...] | None"
Fields: TypeAlias = Mapping[str, Value]


class Component(StrEnum):
    """The parts of a cluster, in the order they are applied."""

    INFRASTRUCTURE = "infrastructure"
    KUBERNETES = "kubernetes"
    WORKLOADS = "workloads"
    APPLICATIONS = "applications"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Names a resource within a cluster's component: `server demo-worker-1`, `Deployment sid/backend`.

    `target` is the OpenShift it is on, as the settings call it; empty for all that is the cluster's own.
    """

    kind: str
    name: str
    target: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


# Field managers of people who type: kubectl and oc, each verb of them (kubectl-edit), and a browser's console, whose
# name is its user agent's first word.
_PEOPLE = re.compile(r"(kubectl|oc)(-.*)?|Mozilla|before-first-apply")


@dataclass(frozen=True, slots=True, order=True)
class Owner:
    """Who else a live field belongs to, by the API server's own books: a field manager, and whether it applies (and
    will come back for the field) or just wrote."""

    manager: str
    applies: bool = False

    @property
    def by_hand(self) -> bool:
        """Was it somebody at a keyboard? What people change outside git is drift and is taken back; what a controller
        or another applier owns is not ours to take."""
        return not self.applies and self.typed

    @property
    def typed(self) -> bool:
        """Is it a program that people type into, whether it applies or just writes?"""
        return bool(_PEOPLE.fullmatch(self.manager))

    def __str__(self) -> str:
        return f"{self.manager} (Apply)" if self.applies else self.manager


@dataclass(frozen=True, slots=True)
class Addition:
    """That a live field is there though nobody of ours asked for it: who set it (None: somebody in our name), and when
    that manager last changed anything of the object, ISO 8601 in UTC, empty where the API server does not say."""

    owner: Owner | None
    time: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as desired or as live.

    `fields` holds only what we manage, normalised (names instead of ids, sorted tuples instead of lists).
    `id` is the live side's own id; empty on the desired side. It is never compared.
    `owner` is the cluster a live resource of the cloud belongs to; `target` the OpenShift an object is on.
    `digest` names a whole manifest where `fields` cannot tell what was asked for, and `type` is its
    apiVersion/Kind, such as apps/v1/Deployment. `wave` says after which other objects it is applied. `owners` are, on
    the live side and by field, those a differing field belongs to; `added` has the fields that somebody added. `waits`
    says what it needs and nobody knows yet: until then it is left as it is. What is `fleeting` goes by itself when it
    is done; `within` is the id of the namespace it was done in, empty where that is not known.
    """

    kind: str
    name: str
    fields: Fields = field(default_factory=dict)
    id: str = ""
    owner: str = ""
    digest: str = ""
    type: str = ""
    target: str = ""
    wave: int = 0
    owners: Mapping[str, Owner] = field(default_factory=dict)
    added: Mapping[str, Addition] = field(default_factory=dict)
    waits: str = ""
    fleeting: bool = False
    within: str = ""

    @property
    def key(self) -> Key:
        return Key(self.kind, self.name, self.target)


@dataclass(frozen=True, slots=True)
class Known:
    """All resources of one kind, listed completely."""

    resources: tuple[Resource, ...] = ()


@dataclass(frozen=True, slots=True)
class Unknown:
    """One kind could not be observed. Never acted on, never read as absent. `refused`: somebody answered, and does not
    trust our credentials or is not whom they are for."""

    reason: str
    hint: str | None = None
    refused: bool = False


Listing: TypeAlias = Known | Unknown
Kinds: TypeAlias = Mapping[str, Listing]


@dataclass(frozen=True, slots=True, order=True)
class Symptom:
    """Something that does not work, though nobody asked for it to be different: a pod that waits. `node` is where it
    runs, empty where it runs nowhere; `state` is one of the words people know, `pending` or `not ready`."""

    kind: str
    name: str
    node: str
    state: str


@dataclass(frozen=True, slots=True)
class Observed:
    """What is live, per component and kind. A kind that is not in the mapping was not asked for.

    `symptoms` are never differences of their own: they tell how far a difference reaches. `guests` are the pods on
    machines that a plan drains, asked for once there is one.
    """

    components: Mapping[Component, Kinds]
    symptoms: tuple[Symptom, ...] = ()
    guests: tuple[Guest, ...] = ()

    def kinds(self, component: Component) -> Kinds:
        return self.components.get(component, {})

    def resources(self, component: Component, kind: str) -> tuple[Resource, ...]:
        listing = self.kinds(component).get(kind)
        return listing.resources if isinstance(listing, Known) else ()

    def unknowns(self) -> tuple[tuple[Component, str, Unknown], ...]:
        return tuple(
            (component, kind, listing)
            for component, kinds in self.components.items()
            for kind, listing in kinds.items()
            if isinstance(listing, Unknown)
        )


@dataclass(frozen=True, slots=True)
class Expected:
    """What should be live, per component: resources rendered from the desired state, in a stable order."""

    components: Mapping[Component, tuple[Resource, ...]]

    def resources(self, component: Component) -> tuple[Resource, ...]:
        return self.components.get(component, ())
