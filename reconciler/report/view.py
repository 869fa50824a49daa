"""The one model every report is made from: what a plan or an outcome says, as short strings in a fixed order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..model.change import Action, Class, Difference, Severity
from ..model.outcome import Outcome, Status, StepOutcome
from ..model.plan import Plan, Refusal, Step
from ..model.resource import Component, Expected, Key, Observed
from .picture import Picture, picture
from .values import is_secret, line, number, reason, short, some

_TOGETHER = 6  # names in one message


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference with all that follows from it. The three sides are short strings, — where there is nothing;
    `repair` says what would be done; `since` is when the observed branch first had it, empty for a new one; `effects`
    are what it did to others, in order; `owner` is who else the live field belongs to, a field manager."""

    severity: Severity
    cls: Class
    component: Component
    resource: str
    field: str
    desired: str
    applied: str
    live: str
    why: str
    repair: str
    since: str = ""
    effects: tuple[str, ...] = ()
    owner: str = ""

    @property
    def chain(self) -> str:
        """What led to what, for a difference that did something to others; empty for any other."""
        return " → ".join((f"{self.resource} {self.field}".rstrip(), *self.effects)) if self.effects else ""

    @property
    def change(self) -> str:
        """Desired beside live; empty for a whole resource, of which `why` says all there is to say."""
        return f"git says {self.desired}, live is {self.live}" if self.field else ""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """`command` is what it runs, as one would type it; `seconds` an estimate from earlier runs, None without any.
    `held`: it waits for an approval, and the other steps don't wait for it."""

    number: int
    component: Component
    tool: str
    operation: str
    summary: str
    targets: tuple[str, ...]
    counts: str
    command: str = ""
    seconds: float | None = None
    held: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """One step carried out. `seconds` is wall time; `error` and `hint` are empty on success."""

    title: str
    seconds: float
    error: str
    hint: str

    @property
    def ok(self) -> bool:
        return not self.error


@dataclass(frozen=True, slots=True)
class Guarded:
    """A guard's refusal and how to approve it all the same: in words, and the line to put into git. `partial`: only
    what the guard is about is held."""

    guard: str
    message: str
    approval: str
    paste: str = ""
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Unobserved:
    """What could not be observed, so is neither compared nor touched."""

    component: Component
    what: str
    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class View:
    """Everything a report may say. `findings` are worst first; `digest` names the plan; `ignored` are left alone.

    `repaired` says that the findings were there and are gone.
    """

    cluster: str
    commit: str
    digest: str
    status: Status
    headline: str
    findings: tuple[Finding, ...]
    ignored: tuple[Finding, ...]
    steps: tuple[PlannedStep, ...]
    refusals: tuple[Guarded, ...]
    unknowns: tuple[Unobserved, ...]
    results: tuple[Result, ...]
    error: str
    hint: str
    repaired: bool
    picture: Picture

    @property
    def refused(self) -> str:
        """What the guards' no means for the rest."""
        partial = self.refusals and all(r.partial for r in self.refusals)
        return "Held: left as it is until somebody decides" if partial else "Refused: nothing was changed"

    @property
    def finished(self) -> bool:
        """Whether every planned step has its result, so that there is no plan left to show."""
        return bool(self.results) and len(self.results) == len(self.steps)

    @property
    def seconds(self) -> float | None:
        """How long the plan takes, as far as earlier runs tell; None while one of its steps never ran."""
        told = [step.seconds for step in self.steps]
        return sum(s for s in told if s is not None) if told and None not in told else None


def view(
    plan: Plan,
    *,
    status: Status,
    outcome: Outcome | None = None,
    observed: Observed | None = None,
    expected: Expected | None = None,
) -> View:
    """Make the view of `plan`. With `outcome`, what came of it is shown beside it."""
    results = outcome.steps if outcome else ()
    repaired = status is Status.IN_SYNC and bool(results)
    findings = _findings(plan)
    unknowns = _unknowns(plan, observed)
    error = line(outcome.error) if outcome else ""
    return View(
        cluster=line(plan.cluster),
        commit=line(plan.commit),
        digest=plan.digest,
        status=status,
        headline=_headline(status, findings, len(unknowns), error, repaired=repaired),
        findings=findings,
        ignored=tuple(_finding(d, None) for d in plan.differences if d.cls is Class.IGNORED),
        steps=tuple(_step(number, step) for number, step in enumerate(plan.steps, 1)),
        refusals=tuple(_guarded(r) for r in plan.refusals),
        unknowns=unknowns,
        results=tuple(_result(r) for r in results),
        error=error,
        hint=line(outcome.hint) if outcome else "",
        repaired=repaired,
        picture=picture(plan, observed=observed, expected=expected, repaired=repaired),
    )


def by_component(findings: tuple[Finding, ...]) -> Mapping[Component, tuple[Finding, ...]]:
    """Group findings, components in the order they are applied; those without findings are left out."""
    groups = {c: tuple(f for f in findings if f.component is c) for c in Component}
    return {component: group for component, group in groups.items() if group}


def alike(findings: tuple[Finding, ...]) -> tuple[tuple[Finding, ...], ...]:
    """Group findings that say the same of different resources: a new cluster is a few sentences, not a hundred."""
    groups: dict[Finding, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(replace(finding, resource=""), []).append(finding)
    return tuple(tuple(group) for group in groups.values())


def _findings(plan: Plan) -> tuple[Finding, ...]:
    steps = {(d.component, d.key, d.field, d.id): n for n, s in enumerate(plan.steps, 1) for d in s.differences}
    told = [d for d in (*plan.open, *plan.notices) if d.cls is not Class.UNKNOWN]
    roots, worst = {d.key for d in told}, _worst(told)
    shown = [d for d in told if d.cause not in roots]  # what follows from another is told there
    found = [_finding(d, steps.get((d.component, d.key, d.field, d.id)), worst.get(d.key)) for d in shown]
    order = {id(f): d.order for f, d in zip(found, shown, strict=True)}
    return tuple(sorted(found, key=lambda f: (-int(f.severity), order[id(f)])))


def _worst(told: Sequence[Difference]) -> Mapping[Key, Severity]:
    """How bad what follows from a difference is, by the difference's key."""
    found: dict[Key, Severity] = {}
    for d in told:
        if d.cause is not None:
            found[d.cause] = max(found.get(d.cause, Severity.INFO), d.severity)
    return found


def _finding(d: Difference, step: int | None, worst: Severity | None = None) -> Finding:
    secret = is_secret(d)
    return Finding(
        severity=max(d.severity, worst or d.severity) if d.effects else d.severity,
        cls=d.cls,
        component=d.component,
        resource=line(str(d.key)),
        field=line(d.field),
        desired=short(d.desired, secret=secret),
        applied=short(d.applied, secret=secret),
        live=short(d.live, secret=secret),
        why=reason(d),
        repair=_repair(d) + (f" (step {step})" if step else ""),
        since=d.first_seen,
        effects=tuple(line(effect) for effect in d.effects),
        owner=line(str(d.owner or "")),
    )


def _repair(d: Difference) -> str:
    verbs = {
        Action.CREATE: "create it",
        Action.UPDATE: "set it to what git says",
        Action.REPLACE: "replace it",
        Action.DELETE: "delete it",
        Action.NONE: "nothing: left to people",
    }
    return verbs[d.action]


def _step(number: int, step: Step) -> PlannedStep:
    return PlannedStep(
        number=number,
        component=step.component,
        tool=step.tool.value,
        operation=line(step.operation),
        summary=line(step.summary),
        targets=tuple(line(t) for t in step.targets),
        counts=str(step.counts),
        command=line(step.command),
        seconds=step.seconds,
        held=step.held,
    )


def _guarded(refusal: Refusal) -> Guarded:
    way, found, paste = refusal.approval.partition("\n- {plan: ")
    pasted = line(found + paste) if found else ""
    return Guarded(line(refusal.guard), line(refusal.message), line(way), pasted, refusal.partial)


def _result(result: StepOutcome) -> Result:
    title = f"{result.step.tool.value} {result.step.operation}: {result.step.summary}"
    return Result(line(title), round(result.seconds, 2), line(result.error), line(result.hint))


def _unknowns(plan: Plan, observed: Observed | None) -> tuple[Unobserved, ...]:
    """What the plan does not know, and what the observer could not see beyond that, each with its hint."""
    seen = {(c, kind): unknown for c, kind, unknown in (observed.unknowns() if observed else ())}
    told = []
    for d in sorted(plan.unknown, key=lambda d: d.order):
        listing = seen.pop((d.component, d.key.kind), None)
        why, hint = (listing.reason, listing.hint) if listing else (reason(d), None)
        told.append(_unobserved(d.component, str(d.key).removesuffix(" *"), why, hint))
    told += [_unobserved(component, kind, u.reason, u.hint) for (component, kind), u in seen.items()]
    return _joined(told)


def _joined(told: Sequence[Unobserved]) -> tuple[Unobserved, ...]:
    """What can't be seen for one and the same reason is one message, at the first component that it is about."""
    reasons: dict[tuple[str, str], list[Unobserved]] = {}
    for one in told:
        reasons.setdefault((one.reason, one.hint), []).append(one)
    return tuple(_together(found) for found in reasons.values())


def _together(found: Sequence[Unobserved]) -> Unobserved:
    first, *rest = found
    names = [first.what, *(o.what if o.component is first.component else f"{o.component} {o.what}" for o in rest)]
    return replace(first, what=some(list(dict.fromkeys(names)), _TOGETHER))


def _unobserved(component: Component, what: str, why: str, hint: str | None) -> Unobserved:
    return Unobserved(component, line(what), line(why), line(hint or ""))


def _headline(status: Status, findings: tuple[Finding, ...], unknown: int, error: str, *, repaired: bool) -> str:
    counted, noticed = _counted(findings), _noticed(findings)
    unseen = f"{unknown} could not be observed" if unknown else ""
    if repaired:
        return "; ".join(part for part in (f"in sync, repaired {counted}", noticed) if part)
    if status is Status.FAILED:
        return ": ".join(part for part in ("failed", line(error, 200)) if part)
    told = "; ".join(part for part in (counted, unseen, noticed) if part)
    if status is Status.DRIFTED and told:
        return told
    return ": ".join(part for part in (status.value, told) if part)


def _counted(findings: tuple[Finding, ...]) -> str:
    differing = [f.severity for f in findings if f.cls is not Class.NOTICE]
    if not differing:
        return ""
    each = ((s, differing.count(s)) for s in sorted(Severity, reverse=True))
    return f"{number(len(differing), 'difference')} ({', '.join(f'{n} {s}' for s, n in each if n)})"


def _noticed(findings: tuple[Finding, ...]) -> str:
    count = sum(f.cls is Class.NOTICE for f in findings)
    return number(count, "notice") if count else ""
