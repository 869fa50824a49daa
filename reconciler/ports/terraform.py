"""OpenTofu or Terraform."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..model.login import Login
from .progress import Progress


@dataclass(frozen=True, slots=True)
class Backend:
    """Where a state is kept, other than in its folder: `kind` and `config` are Terraform's own words. What lets us in
    is in the environment."""

    kind: str
    config: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Ids:
    """The id of every sound resource of a state, by address, as this machine last saw them. Of a state that is `shared`
    another machine may know more."""

    by_address: Mapping[str, str]
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Workspace:
    """Everything one Terraform run needs. `directory` is private to a cluster and component;
    `module` is the module's files from the desired commit; `live` maps addresses to the ids of live resources of
    ours, so that what a killed run made but did not write down is imported instead of made twice.

    `replace` are addresses to make anew though Terraform sees no reason to (another image, a server in ERROR); they
    must be in `may_destroy` as well. `reread` are addresses that differ in a field the provider never reads back (a
    port's security groups, a server's metadata): they are forgotten and imported, so that the difference is seen.
    `forget` are addresses that the variables leave out for now: what is live there stays, and is taken back later.
    `only` are the addresses that this run may touch at all, besides what they are made from; None for everything.
    `backend` is where the state is kept; None for `directory`. `login` is how the cloud is logged in to: the run gets a
    private file of it, which goes with the run."""

    directory: Path
    module: Mapping[str, bytes]
    variables: Mapping[str, object]
    environment: Mapping[str, str]
    live: Mapping[str, str]
    may_destroy: frozenset[str]
    replace: frozenset[str] = frozenset()
    reread: frozenset[str] = frozenset()
    forget: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    backend: Backend | None = None
    login: Login | None = None


class Terraform(Protocol):
    """OpenTofu or Terraform."""

    def apply(self, workspace: Workspace, progress: Progress) -> None:
        """Plan, check, and apply that very plan. Raises Blocked when the saved plan would delete or replace an
        address that is not in `may_destroy`; Transient or Permanent, with evidence, when a run fails."""

    def take(self, workspace: Workspace, progress: Progress) -> int:
        """Write what is live (`workspace.live`) into the state, and change nothing of it. Return how many changes an
        apply would make next. Raises Transient or Permanent, with evidence, when a run fails."""

    def unlock(self, workspace: Workspace, lock: str, progress: Progress) -> None:
        """Take away the lock that a dead run left on the state. Raises Permanent when there is another, or none."""
