"""One cycle for one cluster: observe, plan, guard, apply, look again, record. It can be killed anywhere."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from ..clock import utc_now
from ..engine import quota
from ..engine.decision import decide
from ..engine.destroy import Wish
from ..engine.guard import destroyed
from ..engine.holding import Granted, grant
from ..engine.moves import drained
from ..errors import Blocked, Invalid, Outdated
from ..model.outcome import Outcome, Status, StepOutcome
from ..model.plan import Plan, Refusal, Step, Tool
from ..model.resource import Component, Known
from ..spec.load import FLEET, DesiredCluster
from ..spec.wiring import Output
from . import (
    descent,
    destroy,
    durations,
    failures,
    fetched,
    hands_off,
    output_memory,
    record,
    regain,
    removed,
)
from .applied import recorded
from .backups import Backups
from .case import case_of, facts_of
from .drains import living_on
from .executor import Executor
from .judging import acts, judged_by, status_of
from .lease import Lost, Tenure, leased
from .machine_lock import alone_here
from .one_cycle import one_cycle
from .phases import name, new_servers, next_phase
from .recording import Recording
from .sight import Sight, look
from .survey import Survey
from .toolkit import Toolkit

# When one of these fails, what is built on it waits; workloads and applications don't wait for each other.
_FOUNDATIONS = (Component.INFRASTRUCTURE, Component.KUBERNETES)
_OVERTAKEN = 3  # looks that others may overtake while we apply, before ours is written whatever is there


class Moment(StrEnum):
    """What a cycle says of itself while it runs."""

    LOADED = "loaded"
    LEASED = "leased"
    APPLYING = "applying"


def _nobody(_: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Cycle:
    """Everything about one cluster that does not change during a cycle. `survey` is shared with the other clusters of
    a round; `clock` says what time it is (windows and approvals depend on it). Where something is `expected` to be
    done, the lease is taken before the look, so that one look is enough. `told` and `doing` hear what a status page
    shows. `referred` are the cluster's outputs that applications of others refer to, too; `others` the clusters that
    its own refer to, as far as they could be loaded. With a `wish` it is to be destroyed."""

    desired: DesiredCluster
    commit: str
    files: Mapping[str, bytes]
    tools: Toolkit
    survey: Survey
    clock: Callable[[], datetime.datetime] = utc_now
    expected: bool = False
    told: Callable[[Moment], None] = _nobody
    doing: Callable[[str], None] = _nobody
    referred: frozenset[Output] = frozenset()
    others: Mapping[str, DesiredCluster] = field(default_factory=dict)
    wish: Wish | None = None

    def check(self) -> tuple[Plan, Sight]:
        """Observe and plan; change nothing. A commit that would not be applied for what it leaves out has a plan that
        says so."""
        sight = self._look()
        current = self._plan(sight)
        try:
            self._check_descent()
        except Blocked as error:
            refusal = Refusal("rewritten", error.message, error.hint or "")
            current = replace(current, refusals=(refusal, *current.refusals))
        return current, sight

    def reconcile(self) -> tuple[Outcome, Sight]:
        """Bring the cluster to its desired state and commit what was observed.

        Raises what `check` raises: when the cluster can't be looked at at all, there is nothing to record. Raises
        Transient when another reconciler applies it, or when that can't be asked; Outdated when a newer commit was
        applied meanwhile; Blocked when the commit is not signed as it has to be, or leaves out what was applied last.
        Then nothing was changed.
        """
        started = time.monotonic()
        with one_cycle(self.tools.state, self.desired.name):
            tools = self.tools
            tools.repository.verify(self.commit)
            self._check_descent()
            if self._may_act():
                descent.note(tools.repository, tools.state, self.desired.name, self.commit, tools.accept_rewrite)
            seen = tools.repository.observed(self.desired.name)
            if self.expected and self._may_act():
                with self._leased() as tenure:
                    return self._carried_out(*self.check(), started, tenure)
            first, sight = self.check()
            if not self._may_act():
                return self._ended(first, first, sight, (), started, seen=seen)
            first, sight = self._anew(first, sight)
            if not acts(first) and not self.backups.due(sight.nodes):
                return self._ended(first, first, sight, (), started, seen=seen)
            with self._leased() as tenure:
                if tenure or self.tools.neighbours:  # who applied it before us may have changed what we saw
                    self._outdated(first)
                    first, sight = self.check()
                return self._carried_out(first, sight, started, tenure)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """The cluster for what is no cycle: nobody changes it meanwhile, here or elsewhere. Raises as `reconcile`, and
        Blocked where its name is another repository's."""
        with one_cycle(self.tools.state, self.desired.name):
            self.tools.repository.verify(self.commit)
            self._check_descent()
            with self._leased():
                self.told(Moment.APPLYING)
                yield

    @cached_property
    def backups(self) -> Backups:
        """The snapshots of its etcd."""
        return Backups(self.desired, self.tools, self.clock, off=self.wish is not None)

    def _check_descent(self) -> None:
        tools = self.tools
        descent.check(tools.repository, tools.state, self.desired.name, self.commit, tools.accept_rewrite)

    def _may_act(self) -> bool:
        """Whether git lets us change this cluster at all."""
        spec = self.desired.cluster.spec
        return not spec.suspend and spec.mode == "apply"

    @contextmanager
    def _leased(self) -> Iterator[Tenure | None]:
        tools, cluster, cloud = self.tools, self.desired.name, self.desired.cluster.spec.cloud
        recorded = tools.repository.lease_number(cluster)
        with (
            leased(tools.leases, cluster, tools.state, tools.progress, self.commit, recorded) as tenure,
            alone_here(tools.neighbours, cluster, cloud, tenure),
        ):
            if tenure and tenure.unfenced:  # who had it may be about to push
                tools.repository.fence(cluster, record.takeover(cluster, tenure.lease, str(tenure.foreign)))
                tenure.fenced_off()
            if tenure and tenure.foreign:
                self._catch_up(tenure.foreign.commit)
            self.told(Moment.LEASED)
            yield tenure

    def _catch_up(self, last: str) -> None:
        """Learn what happened while we waited for the lease: who had it before recorded what it applied, and may have
        had a newer commit than ours. Raises Outdated."""
        repository = self.tools.repository
        repository.fetch()
        if last and last != self.commit and repository.superseded(self.commit, last):
            raise Outdated(
                f"{self.desired.name!r} was applied from {last[:12]} already, which is newer than {self.commit[:12]}",
                hint="pull, or run it again; to go back to an older state, revert in git: that makes a newer commit",
            )

    def _carried_out(self, first: Plan, sight: Sight, started: float, tenure: Tenure | None) -> tuple[Outcome, Sight]:
        first, sight = self._anew(first, sight)
        self._check_state(first)
        after, sight, steps = self._apply(first, sight)
        after = self.backups.beside(after, sight.nodes, sight.servers)
        if self.wish:  # who could say that volumes are kept is gone
            after = replace(after, differences=(*after.open, *first.notices))
        return self._ended(first, after, sight, steps, started, tenure=tenure)

    def _check_state(self, first: Plan) -> None:
        """Raises Invalid, before anything is changed, where Terraform's state would be lost or would lie in clear."""
        if not (acts(first) and any(step.tool is Tool.TERRAFORM for step in first.steps)):
            return
        where = f"{FLEET}: state: {{s3: …}}, {{pg: …}} or {{http: …}}"
        if self.tools.ephemeral and self.desired.state.local:
            raise Invalid(
                f"cluster {self.desired.name!r}: this is a CI job, whose disk goes with it, and Terraform's state too",
                hint=f"name where the state is kept ({where}), or, where this machine keeps its disk, say so in the "
                "settings (terraform: {keepsDisk: true})",
            )
        if self.desired.state.encrypted and not self.tools.sealing:
            raise Invalid(
                f"cluster {self.desired.name!r}: {FLEET} wants Terraform's state encrypted, and we have no key",
                hint="name it in the settings: terraform: {keyFile: …} or {keyVariable: …}",
            )

    def _ended(
        self,
        first: Plan,
        after: Plan,
        sight: Sight,
        steps: tuple[StepOutcome, ...],
        started: float,
        *,
        seen: Mapping[str, bytes] | None = None,
        tenure: Tenure | None = None,
    ) -> tuple[Outcome, Sight]:
        """Remember and record how it went. `started` is a time of the monotonic clock; the rest as in `_record`."""
        status = self.judged(after, steps)
        if isinstance(sight.observed.kinds(Component.KUBERNETES).get("node"), Known):
            fetched.forget(self.tools.state, self.desired.name)
            regain.forget(self.tools.state, self.desired.name)
        durations.remember(self.tools.state, self.desired.name, steps)
        output_memory.remember(self.tools.state, self.desired.name, sight.outputs)
        seconds = time.monotonic() - started
        error, hint = next(((s.error, s.hint) for s in steps if not s.ok), ("", hands_off.reason(self.desired)))
        outcome = Outcome(self.desired.name, self.commit, status, first, after, steps, seconds, error, hint)
        try:
            done = self._record(Recording(outcome, sight, sight.at or self.clock(), seen, tenure))
        except Lost as lost:  # who has the lease now records what is there
            self.tools.progress.log(lost.message)
            return replace(outcome, status=Status.FAILED, error=lost.message, hint=lost.hint or ""), sight
        if done.outcome.status is Status.DESTROYED:
            destroy.forget(self.tools.state, self.desired.name)
        return done.outcome, done.sight

    def judged(self, after: Plan, steps: Sequence[StepOutcome] = ()) -> Status:
        """The cluster's state with what is left, after these steps."""
        if self.desired.cluster.spec.suspend:
            return Status.SUSPENDED
        if self.desired.cluster.spec.mode == "report":  # what nobody carries out, no guard has to refuse
            return status_of(replace(after, refusals=()), steps)
        judged = status_of(after, steps)
        return Status.DESTROYED if self.wish and judged is Status.IN_SYNC else judged

    def _anew(self, first: Plan, sight: Sight) -> tuple[Plan, Sight]:
        """What was listed for another cluster is good enough to find nothing to do, and too old to act on."""
        if not (sight.shared and self._outdated(first)):
            return first, sight
        return self.check()

    def _outdated(self, current: Plan) -> bool:
        """Have the cloud asked again before it is changed. Objects are decided by what their own API says."""
        cloud = any(step.component in _FOUNDATIONS for step in current.steps)
        if cloud:
            self.survey.forget(self.desired.cluster.spec.cloud)
        return cloud

    def _apply(self, first: Plan, sight: Sight) -> tuple[Plan, Sight, tuple[StepOutcome, ...]]:
        """Phase by phase, looking again after each: a plan gone stale is made again, never applied.

        What a later plan would destroy must have been in the first one, which was guarded; and a step that
        comes back unchanged after it was carried out did not help: it is not tried twice, and it failed, whatever its
        tool said. Behind a wave of workloads whose tool failed, no other goes.
        """
        executor = Executor(self.desired, self.files, self.tools)
        done: list[StepOutcome] = []
        failed: list[Step] = []
        seen: set[str] = set()
        current, granted = first, grant(first)
        while not current.stopped and (phase := next_phase(current, seen, failed)):
            if not self.backups.before(phase, sight.servers):
                current = self._plan(sight, granted)
                continue
            carried: list[StepOutcome] = []
            if self.wish and phase[0].component is Component.INFRASTRUCTURE:
                destroy.begin(self.desired, self.tools, sight)
            for step in phase:
                if not done and not carried:
                    self.told(Moment.APPLYING)
                seen.add(name(step))
                self.doing(f"{step.component}: {step.summary}")
                self.tools.progress.log(f"{step.component}: {step.summary}")
                carried.append(executor.run(step, sight))
                if not carried[-1].ok:
                    failed.append(step)
                    if self.wish or not failures.goes_on(step, phase):
                        break
            if phase[0].component in _FOUNDATIONS:
                self.survey.forget(self.desired.cluster.spec.cloud)
            removed.remember(self.tools.state, self.desired.name, carried, self.clock())
            sight = self._look(new_servers(phase))
            current = self._plan(sight, granted)
            done += (judged_by(current, failures.explained(outcome, sight)) for outcome in carried)
            if self.wish and destroyed(current) <= destroyed(first):
                current = replace(current, refusals=tuple(r for r in current.refusals if r.partial))
            if not all(outcome.ok for outcome in carried) and (self.wish or phase[0].component in _FOUNDATIONS):
                break
        return current, sight, tuple(done)

    def _look(self, awaited: Collection[str] = ()) -> Sight:
        today = self.clock().astimezone(datetime.UTC).date()
        applied = recorded(self.tools.repository, self.desired.name)
        began = self.clock()
        if self.wish:
            return replace(destroy.look(self.desired, self.files, self.tools, applied, self.survey), at=began)
        arguments = (self.files, self.tools, applied, self.survey, today, self.referred, self.others, awaited)
        sight = look(self.desired, *arguments)
        return replace(sight, at=began - datetime.timedelta(seconds=sight.age))

    def _plan(self, sight: Sight, granted: Granted | None = None) -> Plan:
        """The plan from what was seen. Who lives on machines that a plan drains is asked for once there is such a plan,
        and the quota where something is to be made; then it is made anew."""
        if self.wish:
            facts = facts_of(self.desired, sight, (), self.clock(), unsaved=self.backups.failed)
            return destroy.plan(self.desired, self.commit, sight, self.wish, facts)
        more = (self.backups.notices(), self.backups.failed)
        case = case_of(self.desired, self.commit, self.tools, sight, self.clock(), granted, *more)
        current = decide(case)
        if guests := living_on(self.tools, self.desired.name, drained(current)):
            case = replace(case, observed=replace(case.observed, guests=guests))
            current = decide(case)
        if quota.creates(current):
            current = decide(replace(case, quota=self.tools.quota(self.desired.cluster.spec.cloud)))
        return current

    def _record(self, recording: Recording) -> Recording:
        """Commit what was observed. Where somebody who looked later recorded it while we applied: look again, after
        them, for what was applied has to be written down."""
        for _ in range(_OVERTAKEN):
            if recording.commit(self.tools, self.clock) or recording.seen is not None:
                return recording
            self.survey.forget(self.desired.cluster.spec.cloud)
            sight = self._look()
            after = self._plan(sight)
            status = self.judged(after, recording.outcome.steps)
            outcome = replace(recording.outcome, after=after, status=status)
            recording = replace(recording, outcome=outcome, sight=sight, looked=sight.at or self.clock())
        recording.commit(self.tools, self.clock, whatever_is_there=True)
        return recording
