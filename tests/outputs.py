"""Everything that a cycle writes where others can read it, in one place: what must never be shown is looked for here.

A new report, or a new file on the observed branch, belongs here too; tests/property/test_canaries.py sees to that.
"""

from __future__ import annotations

import datetime
import io
import json
import logging
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.console import Console

from reconciler.adapters.kubernetes.fields import all_fields, differing, prepared
from reconciler.cli.doctor_cluster import document
from reconciler.control import host_keys, images, output_memory, outputs, record
from reconciler.control.served import served
from reconciler.engine.decision import Case, decide
from reconciler.engine.guard import Facts
from reconciler.engine.playbook import Roles
from reconciler.errors import Invalid, Problem, ReconcilerError
from reconciler.model.check import Check
from reconciler.model.host_key import HostKey, Source, Vouched
from reconciler.model.lease import Lease, Unreadable
from reconciler.model.outcome import Outcome, Status, StepOutcome
from reconciler.model.plan import Plan
from reconciler.model.resource import Component, Expected, Known, Observed, Resource, Unknown
from reconciler.ports import Manifest
from reconciler.report import actions, bundle, comment, html, markdown, proposal, quality, sarif, sides, terminal
from reconciler.report import json as json_report
from reconciler.report.bundle import Failure, Report
from reconciler.report.view import View, view
from reconciler.spec.load import DesiredCluster
from reconciler.spec.wiring import Outputs

NOW = datetime.datetime(2026, 11, 25, tzinfo=datetime.UTC)
LEASE = Lease("a", 7, "1", NOW, NOW, number=2)
_NOTHING = Plan("demo", "c0ffee")
_KEYS = host_keys.Remembered(Vouched((HostKey("ssh-ed25519", "AAAA"),), Source.CONSOLE), "192.0.2.7")
_NO_OUTCOME = Outcome("demo", "c0ffee", Status.FAILED, _NOTHING, _NOTHING)


@dataclass(frozen=True)
class Ended:
    """A cycle that is over: what was decided, seen and shown, and the error it failed with."""

    report: Report
    error: ReconcilerError
    outcome: Outcome = _NO_OUTCOME
    expected: Expected = field(default_factory=lambda: Expected({}))
    observed: Observed = field(default_factory=lambda: Observed({}))
    known: Outputs = field(default_factory=Outputs)
    desired: DesiredCluster | None = None

    @property
    def views(self) -> tuple[View, ...]:
        return self.report.views

    @property
    def problems(self) -> list[Problem]:
        return [problem for failure in self.report.failures for problem in failure.problems]


def refused(error: ReconcilerError) -> Ended:
    """A cycle that ended before anything was seen."""
    return Ended(Report("plan", "c0ffee", failures=(Failure.of(error, "demo"),)), error)


def ended(
    desired: DesiredCluster,
    manifests: Sequence[Manifest],
    live: Sequence[Manifest],
    error: ReconcilerError,
    known: Outputs,
) -> Ended:
    """A cycle that wanted the `manifests`, found those that are `live`, and could apply none for the `error`. What it
    compares are the Kubernetes adapter's own fields."""
    wanted: list[Resource] = []
    seen: dict[str, list[Resource]] = {}
    there = {_name(m): prepared(m, "demo.workloads") for m in live}
    for manifest in (prepared(m, "demo.workloads") for m in manifests):
        kind, name = manifest["kind"], _name(manifest)
        ours, theirs = differing(manifest, there[name]) if name in there else (all_fields(manifest), {})
        wanted.append(Resource(kind, name.partition(" ")[2], ours))
        seen.setdefault(kind, []).extend([Resource(kind, name.partition(" ")[2], theirs, id="1")] * (name in there))
    expected = Expected({Component.WORKLOADS: served(wanted, manifests, {}).expected})
    kinds = {kind: Known(tuple(some)) for kind, some in seen.items()}
    unseen = {"CronJob": Unknown(error.message, error.hint)}  # elsewhere: what is partly unknown gets no step
    observed = Observed({Component.WORKLOADS: kinds, Component.APPLICATIONS: unseen})
    plan = _decided(desired, expected, observed)
    steps = tuple(StepOutcome(step, 1.0, error.message, error.hint or "") for step in plan.steps)
    outcome = Outcome("demo", "c0ffee", Status.FAILED, plan, plan, steps, 2.0, error.message, error.hint or "")
    views = (
        view(plan, status=Status.DRIFTED, observed=observed, expected=expected),
        view(plan, status=Status.FAILED, outcome=outcome, observed=observed, expected=expected),
    )
    report = Report("apply", "c0ffee", views, (Failure.of(error, "demo"),))
    return Ended(report, error, outcome, expected, observed, known, desired)


def _decided(desired: DesiredCluster, expected: Expected, observed: Observed) -> Plan:
    spec = desired.cluster.spec
    facts = Facts(spec.guards, frozenset(), 9, 9, spec.maintenance, NOW)
    return decide(Case("demo", "c0ffee", expected, Expected({}), observed, Roles(), facts))


def _name(manifest: Manifest) -> str:
    metadata = manifest["metadata"]
    space = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{manifest['kind']} {space}{metadata['name']}"


def written(cycle: Ended) -> dict[str, str]:
    """Every output of the cycle, by what people call it."""
    return {name: make(cycle) for name, make in OUTPUTS.items()}


def _terminal(cycle: Ended) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=200, color_system=None)
    for one in cycle.views:
        console.print(terminal.render(one))
    return stream.getvalue()


def _sides(cycle: Ended) -> str:
    wanted = {(component, r.key): r for component in Component for r in cycle.expected.resources(component)}
    return "\n".join(sides.unified(cycle.outcome.after.open, wanted, "c0ffee"))


def _error(cycle: Ended) -> str:
    """All there is of it: the traceback, hint, evidence and problems."""
    error = cycle.error
    problems = [f"{p} {p.hint}" for p in error.problems] if isinstance(error, Invalid) else []
    return "\n".join([*traceback.format_exception(error), str(error.hint), str(error.evidence), *problems])


def _log(cycle: Ended) -> str:
    """What a line of a log would be that names whatever is at hand."""
    stream = io.StringIO()
    log = logging.Logger("outputs", logging.DEBUG)
    log.addHandler(logging.StreamHandler(stream))
    log.debug("%r %r", cycle, cycle.known, exc_info=cycle.error)
    return stream.getvalue()


OUTPUTS: dict[str, Callable[[Ended], str]] = {
    "terminal": _terminal,
    "comment": lambda c: comment.comment(c.report, limit=60_000, key="demo"),
    "summary": lambda c: comment.summary(c.report, limit=60_000),
    "title": lambda c: comment.title(c.report),
    "actions": lambda c: actions.commands(c.report),
    "proposal": lambda c: "".join(proposal.sentence(v) for v in c.views),
    "sides": _sides,
    "markdown": lambda c: "".join(markdown.render(v) for v in c.views),
    "json": lambda c: json.dumps([json_report.document(v) for v in c.views]),
    "html": lambda c: "".join(html.render(v) for v in c.views),
    "sarif": lambda c: json.dumps(sarif.document(c.views, c.problems)),
    "quality": lambda c: json.dumps(quality.quality(c.views, c.problems)),
    "bundle": lambda c: "".join(bundle.files(c.report).values()),
    record.OBSERVED: lambda c: record.observed_text(
        "demo", Status.FAILED, c.observed, record.Failed("c0ffee", c.error.message)
    ),
    record.APPLIED: lambda c: record.applied_text(c.expected),
    record.DRIFT: lambda c: "".join(markdown.lasting(v) for v in c.views),
    record.DIFFERENCES: lambda c: record.drift_text((*c.outcome.after.open, *c.outcome.after.notices)),
    output_memory.RECORD: lambda c: outputs.text(c.known, "demo"),
    images.RECORD: lambda c: images.text(c.observed.kinds(Component.INFRASTRUCTURE).get("server", Known()), {}),
    host_keys.RECORD: lambda _: host_keys.written({"id-1": _KEYS}),
    "doctor": lambda c: json.dumps(document("demo", [Check("machines", None, c.error.message, c.error.hint or "")])),
    "commit message": lambda c: record.message(c.outcome, LEASE),
    "takeover": lambda c: record.takeover("demo", LEASE, str(Unreadable(c.error.message))),
    "error": _error,
    "log": _log,
}
