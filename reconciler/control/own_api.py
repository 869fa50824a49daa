"""What a cluster's own API says in one look: asked beside the cloud where its kubeconfig is here, else once it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass

from ..model.presence import Installed, Nothing, Presence
from ..model.resource import Component, Expected, Kinds, Known, Listing, Resource, Unknown
from ..model.session import Session
from ..spec.load import DesiredCluster
from ..spec.render.environment import namespace
from ..spec.wiring import Output
from . import outputs
from .presence import learn, presence
from .toolkit import Access, Toolkit

Sessions = tuple[Session, ...] | Unknown


@dataclass(frozen=True)
class Answers:
    """The nodes, the certificates, what the outputs are read from, and the researchers' sessions that run; of each,
    why it is not known."""

    nodes: Listing
    certificates: tuple[Resource, ...]
    outputs: outputs.Live
    sessions: Sessions


@dataclass(frozen=True)
class Questions:
    """The same while they are asked for."""

    nodes: Future[Listing]
    certificates: Future[tuple[Resource, ...]]
    outputs: Future[outputs.Live]
    sessions: Future[Sessions] | None

    def answers(self, there: Presence) -> Answers:
        if isinstance(there, Nothing):
            return Answers(Known(), (), self.outputs.result(), ())
        working = self.sessions.result() if self.sessions else ()
        return Answers(self.nodes.result(), self.certificates.result(), self.outputs.result(), working)


@dataclass(frozen=True)
class OwnApi:
    """What one cluster's API is asked. `wanted` are outputs, `targets` the OpenShifts of its applications, `applied` is
    what the record says: nobody asks for sessions where there can be none."""

    desired: DesiredCluster
    tools: Toolkit
    wanted: Collection[Output]
    targets: Mapping[str, Access]
    applied: Expected

    def ask(self, pool: Executor) -> Questions | None:
        """Ask it all, side by side; None where there is no kubeconfig."""
        access = self.tools.api(self.desired.name)
        if not access.kubeconfig.exists():
            return None
        api = self.tools.kubernetes(access)
        working = pool.submit(api.sessions) if self._has_environments() else None
        readings = pool.submit(outputs.live, self.desired, self.wanted, self.tools, self.targets)
        return Questions(pool.submit(api.nodes), pool.submit(api.certificates), readings, working)

    def settled(
        self, questions: Questions | None, pool: Executor, infrastructure: Kinds, awaited: Collection[str]
    ) -> tuple[Presence, Answers]:
        """Whether there is a Kubernetes at all, and what it says. `questions` are those that were asked, None where
        there was no kubeconfig; the rest as in `presence`. Where a kubeconfig was fetched meanwhile, it is asked by
        that one; and what is installed where is written down if nobody knew it here."""
        cluster, nodes = self.desired.cluster, questions.nodes.result() if questions else None
        there = presence(cluster, self.tools, infrastructure, nodes, awaited)
        if isinstance(there, Installed) and there.regained:
            questions = self.ask(pool)
        answers = questions.answers(there) if questions else self._unasked(there)
        learn(cluster, self.tools, infrastructure, answers.nodes, there)
        return there, answers

    def _unasked(self, there: Presence) -> Answers:
        """What is known where it can't be asked. Raises nothing: what is not known says why."""
        why = there if isinstance(there, Unknown) else None
        live = outputs.live(self.desired, self.wanted, self.tools, self.targets, missing=why)
        return Answers(why or Known(), (), live, why if why and self._has_environments() else ())

    def _has_environments(self) -> bool:
        """Also of those that just left git somebody may be at work in one."""
        before = (r.name for r in self.applied.resources(Component.WORKLOADS) if r.kind == "StatefulSet")
        return bool(self.desired.environments) or any(name.startswith(namespace("")) for name in before)


def running(cluster: str, tools: Toolkit, there: Presence) -> Sessions:
    """The researchers' sessions that run on a cluster, none where there is none."""
    if isinstance(there, Nothing):
        return ()
    return there if isinstance(there, Unknown) else tools.kubernetes(tools.api(cluster)).sessions()
