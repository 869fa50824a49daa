"""OpenStack."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..model.resource import Kinds, Listing, Unknown


@dataclass(frozen=True, slots=True)
class CloudSnapshot:
    """One project of one cloud. `kinds` holds the resources of every cluster in it, each with its `owner`;
    `flavors`, `images`, `networks` and `volume_types` are the names the desired state may refer to; an image says when
    it was made, and is one that machines can be made from. `blind` has, by
    kind and owner, what could not be told of one cluster's alone: its machines' disks, while others boot from none."""

    kinds: Kinds
    flavors: Listing
    images: Listing
    networks: Listing
    volume_types: Listing
    blind: Mapping[str, Mapping[str, Unknown]] = field(default_factory=dict)

    def of(self, cluster: str) -> Kinds:
        """All of the project as one cluster may take it."""
        return {kind: self.blind.get(kind, {}).get(cluster, listing) for kind, listing in self.kinds.items()}


class Cloud(Protocol):
    """OpenStack. One implementation per SDK, one instance per cloud of clouds.yaml."""

    def observe(self, clusters: Sequence[str]) -> CloudSnapshot:
        """List everything of the project once, side by side. Raises Transient/Permanent/Invalid when the cloud
        can't be logged in to at all; a kind that can't be listed becomes Unknown."""

    def prune(self, kind: str, id: str) -> None:
        """Delete one resource by id; already gone is success."""

    def join(self, port: str, subnet: str) -> None:
        """Give a port (by id) an address of the subnet `subnet` of its network besides those it has; already there is
        success. Raises Transient/Permanent when there is no such subnet, or the cloud refuses."""

    def reboot(self, server: str) -> None:
        """Reboot a server, hard, and let its metadata say when. Raises Transient when it does not come back."""

    def console(self, server: str) -> str | Unknown:
        """What a server (by id) has written to its console, as far back as the cloud keeps it and 1 MiB at the most:
        whoever is root there wrote it. Unknown where we may not read it, or there is none."""


@dataclass(frozen=True, slots=True)
class Touched:
    """A server that was made, changed or deleted. `owner` is its cluster, "" where its metadata does not say; `stamp`
    is the same as long as nothing changes any more."""

    id: str
    name: str
    owner: str
    stamp: str


class Feed(Protocol):
    """What a cloud tells for one cheap request."""

    def touched(self, since: datetime.datetime) -> tuple[Touched, ...]:
        """The servers of the project that changed since then, deleted ones included. Raises as Cloud.observe does."""
