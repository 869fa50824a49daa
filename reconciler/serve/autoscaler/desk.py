"""Where decisions are made and remembered: answers are from memory, and a decision is on disk before its answer."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ...engine import autoscale
from ...engine.autoscale import Folded, Refused
from ...model.autoscale import Decision, Group, Instance, Live, Outlook, State
from ...model.desired import Autoscale, Cluster, ScaledGroup, effective
from .journal import Journal


@dataclass(frozen=True, slots=True)
class Ground:
    """What git says: the cluster as people wrote it, and the autoscaler's file."""

    cluster: Cluster
    file: Autoscale | None = None


class Desk:
    """All methods may be called from any thread. `fresh` is for how many seconds a look at the cloud counts."""

    def __init__(
        self, journal: Journal, ground: Ground, *, fresh: float = 120.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._journal = journal
        self._ground = ground
        self._fresh = fresh
        self._clock = clock
        self._live = Live()
        self._gone: frozenset[str] = frozenset()
        self._looked: float | None = None  # when the servers were seen
        self._met: float | None = None  # when the nodes were
        self._lock = threading.RLock()
        self.waiting = threading.Event()  # there are decisions to be pushed
        self.moved = threading.Event()  # other machines leave than before
        self._pauses: dict[str, autoscale.Pause] = {}
        self._leaving: frozenset[str] = frozenset()
        self._outlook = Outlook()
        self._folded = Folded(Autoscale.of(ground.cluster.name), ())
        self._refold()
        if journal.pending:
            self.waiting.set()

    @property
    def outlook(self) -> Outlook:
        """What there is to answer from. Never older than the last decision."""
        return self._outlook

    @property
    def leaving(self) -> frozenset[str]:
        """The nodes whose machines go."""
        return self._leaving

    @property
    def cluster(self) -> Cluster:
        return self._ground.cluster

    @property
    def live(self) -> Live:
        return self._live

    @property
    def pending(self) -> tuple[Decision, ...]:
        with self._lock:
            return self._journal.pending

    @property
    def gone(self) -> frozenset[str]:
        """Servers that the file names as removed and that were seen to be no more."""
        return self._gone

    def increase(self, name: str, delta: int) -> Decision:
        """More machines. Raises Refused; Permanent when the disk does not take it."""
        with self._lock:
            group = autoscale.check_known(self._outlook, name)
            autoscale.check_paused(name, self._pauses.get(name), self._clock())
            return self._decided(autoscale.increase(self.cluster.name, group, self._entry(group), delta, _id()))

    def delete(self, name: str, nodes: Sequence[tuple[str, str]]) -> Decision | None:
        """These nodes, each as (providerID, name), go; None where all of them do already. Raises Refused where one is
        not this group's, or where nobody can say whether it is a node by now: then none goes."""
        with self._lock:
            group = autoscale.check_known(self._outlook, name)
            found = []
            for provider_id, node in nodes:
                place = autoscale.place(self._outlook, provider_id, node)
                if place is None:
                    raise Refused(f"no machine of {name} is {provider_id or node}", missing=True)
                if place[0] != name:
                    raise Refused(f"{provider_id or node} is a machine of {place[0]}, not of {name}")
                found.append(place[1])
            if any(_may_have_joined(i) for i in found) and self._since(self._met) > self._fresh:
                raise Refused(f"it is not known whether these of {name} are nodes: the cluster was not seen lately")
            decision = autoscale.delete(group, found, _id())
            return self._decided(decision) if decision else None

    def decrease(self, name: str, delta: int) -> Decision:
        """Fewer machines, of those that are not there. Raises Refused, also while nobody can say which are there."""
        with self._lock:
            group = autoscale.check_known(self._outlook, name)
            if not self._outlook.known or self.age() > self._fresh:
                raise Refused("it is not known which machines are there: the cloud was not seen lately")
            return self._decided(autoscale.decrease(group, delta, _id()))

    def age(self) -> float:
        """For how many seconds the cloud was not seen."""
        return self._since(self._looked)

    def stands_on(self, ground: Ground) -> None:
        """Git says this now: what is in the file is decided there, and is not pending any more."""
        with self._lock:
            self._ground = ground
            self._journal.done(ground.file.spec.decided if ground.file else ())
            self._refold()

    def published(self, ground: Ground, ids: Sequence[str]) -> None:
        """These decisions are in git, which says `ground` now."""
        with self._lock:
            self._journal.done(ids)
            self.stands_on(ground)
            self.rest()

    def rest(self) -> None:
        """Nothing waits any more, unless something was decided since somebody looked."""
        with self._lock:
            if not self._journal.pending:
                self.waiting.clear()

    def sees(self, live: Live, before: Ground) -> None:
        """This is live; `before` is what git said before it was looked at. What could not be asked stays as it was."""
        with self._lock:
            if live.nodes is not None:
                self._met = self._clock()
            if live.servers is not None:
                self._looked = self._clock()
                there = {id_ for id_, _ in live.servers.values()}
                said = before.file.spec.node_groups if before.file else ()
                self._gone = frozenset(r.server for g in said for r in g.removed if r.server not in there)
            was = self._live
            self._live = replace(
                live,
                servers=was.servers if live.servers is None else live.servers,
                nodes=was.nodes if live.nodes is None else live.nodes,
                flavors=live.flavors or was.flavors,
            )
            self._refold()

    def _since(self, then: float | None) -> float:
        return float("inf") if then is None else self._clock() - then

    def _decided(self, decision: Decision) -> Decision:
        decision = autoscale.addressed(decision, self._folded)
        self._journal.add(decision)
        if autoscale.given_up(decision, self._outlook):
            self._pauses[decision.group] = autoscale.pause(self._pauses.get(decision.group), self._clock())
        self._refold()
        self.waiting.set()
        return decision

    def _entry(self, group: Group) -> ScaledGroup:
        written = next(g for g in self.cluster.spec.node_groups if g.name == group.name)
        return effective(written, self._folded.file.group(group.name))

    def _refold(self) -> None:
        self._folded = autoscale.fold(self.cluster, self._ground.file, self._journal.pending)
        self._outlook = autoscale.outlook(self.cluster, self._folded.file, self._live)
        before, self._leaving = self._leaving, autoscale.leaving(self._outlook, self._live)
        if self._leaving != before:
            self.moved.set()


def _may_have_joined(instance: Instance) -> bool:
    """A server that was not seen as a node, and may be one that is called otherwise since."""
    return bool(instance.server) and instance.state is State.CREATING and not instance.error


def _id() -> str:
    return uuid.uuid4().hex[:12]
