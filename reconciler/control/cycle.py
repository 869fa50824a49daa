"""One cycle for one cluster: observe, plan, guard, apply, look again, record. It can be killed anywhere."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import takewhile

from ..engine.diff import diff
from ..engine.guard import Facts, destroyed, guard
from ..engine.planner import plan
from ..errors import Transient
from ..model.naming import GROUP_KEY
from ..model.outcome import Outcome, Status, StepOutcome
from ..model.plan import Plan, Step
from ..model.resource import Component, Expected
from ..report import markdown
from ..report.view import view
from ..spec.load import DesiredCluster
from ..spec.render.infrastructure import REPLACING
from ..spec.render.machines import CONTROL_PLANE_GROUP, machines
from . import record
from .executor import Executor
from .sight import Sight, look
from .toolkit import Toolkit

# When one of these fails, what is built on it waits; workloads and applications don't wait for each other.
_FOUNDATIONS = (Component.INFRASTRUCTURE, Component.KUBERNETES)


@dataclass(frozen=True)
class Cycle:
    """Everything about one cluster that does not change during a cycle. `fleet` names all clusters of the
    repository; `approved` holds the digests of plans a person said yes to."""

    desired: DesiredCluster
    commit: str
    files: Mapping[str, bytes]
    tools: Toolkit
    fleet: Sequence[str]
    approved: Collection[str] = ()

    def check(self) -> tuple[Plan, Sight]:
        """Observe and plan; change nothing."""
        sight = self._look()
        return self._plan(sight), sight

    def reconcile(self) -> tuple[Outcome, Sight]:
        """Bring the cluster to its desired state and commit what was observed.

        Raises what `check` raises: when the cluster can't be looked at at all, there is nothing to record.
        """
        started = time.monotonic()
        if self.desired.cluster.spec.suspend:
            nothing, sight = self.check()
            return Outcome(self.desired.name, self.commit, Status.SUSPENDED, nothing, nothing), sight
        with self._alone():
            first, sight = self.check()
            after, sight, steps = self._apply(first, sight)
            status = _status(after, steps)
            seconds = time.monotonic() - started
            error, hint = next(((s.error, s.hint) for s in steps if not s.ok), ("", ""))
            outcome = Outcome(self.desired.name, self.commit, status, first, after, steps, seconds, error, hint)
            self._record(outcome, sight)
        return outcome, sight

    def _apply(self, first: Plan, sight: Sight) -> tuple[Plan, Sight, tuple[StepOutcome, ...]]:
        """Phase by phase, looking again after each: a plan gone stale is made again, never applied.

        What a later plan would destroy must have been in the first one, which was guarded; and a step that
        comes back unchanged after it was carried out did not help, and is not tried twice.
        """
        executor = Executor(self.desired, self.files, self.tools)
        done: list[StepOutcome] = []
        seen: set[str] = set()
        current = first
        while not current.refusals and (phase := _next_phase(current, seen)):
            for step in phase:
                seen.add(_name(step))
                self.tools.progress.log(f"{step.component}: {step.summary}")
                done.append(executor.run(step, sight))
                if not done[-1].ok:
                    break
            sight = self._look()
            current = self._plan(sight)
            if destroyed(current) <= destroyed(first):
                current = replace(current, refusals=())
            if not done[-1].ok and phase[0].component in _FOUNDATIONS:
                break
        return current, sight, tuple(done)

    def _look(self) -> Sight:
        return look(self.desired, self.files, self.tools, self._applied(), self.fleet)

    def _applied(self) -> Expected:
        folder = self.desired.name
        return record.read_applied(self.tools.repository.observed(folder).get(f"{folder}/{record.APPLIED}"))

    def _plan(self, sight: Sight) -> Plan:
        cluster = self.desired.cluster
        masters = {m.name for m in machines(cluster) if m.role == "control-plane"}
        found = diff(sight.expected, self._applied(), sight.observed, replacing=REPLACING)
        made = plan(self.desired.name, self.commit, found, control_plane=masters)
        infrastructure = Component.INFRASTRUCTURE
        live = sum(len(sight.observed.resources(infrastructure, k)) for k in sight.observed.kinds(infrastructure))
        there = {s.name for s in sight.servers if s.fields.get(f"metadata.{GROUP_KEY}") == CONTROL_PLANE_GROUP}
        facts = Facts(cluster.spec.guards, masters | there, live, len(sight.expected.resources(infrastructure)))
        return guard(made, facts, approved=self.approved)

    def _record(self, outcome: Outcome, sight: Sight) -> None:
        folder = self.desired.name
        applied = record.now_applied(sight.expected, self._applied(), outcome)
        shown = view(outcome.after, status=outcome.status, observed=sight.observed, expected=sight.expected)
        files = {
            f"{folder}/{record.OBSERVED}": record.observed_text(folder, outcome.status, sight.observed),
            f"{folder}/{record.APPLIED}": record.applied_text(applied),
            f"{folder}/{record.DRIFT}": markdown.render(shown),
        }
        self.tools.repository.record(folder, files, record.message(outcome, {}))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One cycle per cluster on this machine. The kernel lets go of the lock when its holder dies."""
        folder = self.tools.state / self.desired.name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                hint = "wait for it to end, or look for it with: ps aux | grep reconciler"
                raise Transient(f"another cycle for {self.desired.name!r} is running", hint=hint) from None
            yield


def _next_phase(current: Plan, seen: Collection[str]) -> tuple[Step, ...]:
    """The leading steps of one component that were not tried yet: what comes after them depends on what they leave."""
    left = [step for step in current.steps if _name(step) not in seen]
    return tuple(takewhile(lambda step: step.component is left[0].component, left))


def _name(step: Step) -> str:
    return f"{step.component} {step.tool} {step.operation} {','.join(step.targets)}"


def _status(after: Plan, steps: Sequence[StepOutcome]) -> Status:
    if any(not s.ok for s in steps):
        return Status.FAILED
    if after.refusals:
        return Status.BLOCKED
    if after.unknown:
        return Status.UNKNOWN
    return Status.DRIFTED if after.open else Status.IN_SYNC


def status_of(current: Plan) -> Status:
    """The state of a cluster that was only looked at."""
    return _status(current, ())
