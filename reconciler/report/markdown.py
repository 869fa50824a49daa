"""A view as Markdown, for drift.md on the observed branch and for pull requests.

The same view gives the same text: no clock, no durations, so that a commit means that something changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from ..model.change import Severity
from .foreign import cell, code, prose
from .values import about, number, some, when
from .view import Finding, View, by_component, gathered

# what GitHub accepts as one comment, in characters
COMMENT_LIMIT = 65_536


def render(view: View, *, limit: int = COMMENT_LIMIT) -> str:
    """Return a comment of at most `limit` characters. Too long a text loses its last (least severe) entries, whole
    ones, and says how many; headline and status always stay. The first line, which nobody sees, lets a bot find its
    comment again."""
    mark = f"<!-- reconciler:{re.sub(r'[^a-z0-9-]', '', view.cluster)} -->\n"
    return mark + _cut_to(view, limit - len(mark))


def lasting(view: View, *, limit: int = COMMENT_LIMIT) -> str:
    """Return what is committed: without times, estimates and the desired commit, which change while the cluster does
    not (the commit's message has the latter)."""
    findings = tuple(replace(f, since="", set_at="") for f in view.findings)
    steps = tuple(replace(s, seconds=None) for s in view.steps)
    return _cut_to(replace(view, findings=findings, steps=steps), limit, dated=False)


def section(view: View, *, limit: int, proposed: bool = False) -> str:
    """Return what `render` does without its first two lines, for a place that has said them. `proposed`: it is what a
    change would bring, and no drift."""
    return _cut_to(view, limit, headed=False, proposed=proposed)


def _cut_to(view: View, limit: int, *, dated: bool = True, headed: bool = True, proposed: bool = False) -> str:
    render = partial(_render, view, dated=dated, headed=headed, proposed=proposed)
    most = max(map(len, (view.findings, view.ignored, view.steps, view.refusals, view.unknowns, view.results)))
    if len(whole := render(most)) <= limit:
        return whole
    fits, too_many = 0, most
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        fits, too_many = (middle, too_many) if len(render(middle)) <= limit else (fits, middle)
    return render(fits)


def _render(view: View, most: int, *, dated: bool, headed: bool, proposed: bool) -> str:
    parts = (
        _head(view, headed, dated, proposed),
        _table(view, most),
        _details(view, most, dated, "change" if proposed else "difference"),
        _ignored(view, most),
        _plan(view, most, dated),
        _more(view, most),
    )
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def _head(view: View, titled: bool, dated: bool, proposed: bool) -> Iterator[str]:
    if titled:
        yield f"## {prose(view.cluster)}: {prose(view.headline)}"
        yield ""
    begin = f"Desired state {code(view.commit[:12])}, status" if dated else "Status"
    said = f"Plan {code(view.digest)}." if proposed else f"{begin} **{view.status}**, plan {code(view.digest)}."
    yield said
    if view.hint:
        yield f"Hint: {prose(view.hint)}"
    for orphan in view.orphans:
        yield f"Note: {prose(orphan)}"
    yield ""


def _table(view: View, most: int) -> Iterator[str]:
    if not view.findings:
        return
    yield "| severity | class | resource | desired | live |"
    yield "|---|---|---|---|---|"
    for f in view.findings[:most]:
        severity = f"**{f.severity}**" if f.severity >= Severity.HIGH else str(f.severity)
        yield f"| {severity} | {f.cls} | {_what(f, cell)} | {cell(f.desired)} | {cell(f.live)} |"
    yield ""
    yield from _cut(len(view.findings), most, "difference")
    if len(view.findings) > most:
        left = [str(f.severity) for f in view.findings[most:]]
        told = ", ".join(f"{left.count(name)} {name}" for name in dict.fromkeys(left))
        yield f"Left out: {told}. All of them: {code(f'reconciler drift {view.cluster}')}."
        yield ""


def _details(view: View, most: int, dated: bool, noun: str) -> Iterator[str]:
    for component, findings in by_component(view.findings[:most]).items():
        yield f"<details><summary>{component}: {number(len(findings), noun)}</summary>"
        yield ""
        for finding in findings:
            yield from _finding(finding, dated)
        yield ""
        yield "</details>"
        yield ""


def _ignored(view: View, most: int) -> Iterator[str]:
    if view.ignored:
        yield f"<details><summary>{number(len(view.ignored), 'difference')} ignored</summary>"
        yield ""
        yield from (f"- {_what(f)}: {prose(f.why)}" for f in view.ignored[:most])
        yield ""
        yield from _cut(len(view.ignored), most, "difference")
        yield "</details>"
        yield ""


def _finding(f: Finding, dated: bool) -> Iterator[str]:
    yield f"- {_what(f)}" + (f" ({when(f.since, f.set_at)})" if dated else "")
    yield f"  - why: {f.cls}, {prose(f.why)}"
    if f.chain:
        yield f"  - {prose(f.chain)}"
    if f.field:
        yield f"  - desired {code(f.desired)}, last applied {code(f.applied)}, live {code(f.live)}"
    yield f"  - repair: {prose(f.repair)}"


def _what(f: Finding, value: Callable[[str], str] = code) -> str:
    return value(f.resource) + (f" {value(f.field)}" if f.field else "")


def _plan(view: View, most: int, dated: bool) -> Iterator[str]:
    if view.steps and not view.finished:
        yield "### Plan"
        yield ""
        for step in view.steps[:most]:
            yield f"{step.number}. **{step.tool} {prose(step.operation)}**: {prose(step.summary)}" + (
                ", held" if step.held else ""
            )
            if step.targets:
                yield f"   - {prose(some(step.targets))}"
            if step.command:
                yield f"   - runs {code(step.command)}" + (f", {about(step.seconds)}" if dated else "")
        yield ""
        yield from _cut(len(view.steps), most, "step")


def _more(view: View, most: int) -> Iterator[str]:
    refusals = [
        f"- **{prose(r.guard)}**: {prose(r.message)}. {prose(r.approval)}" + (f" {code(r.paste)}" if r.paste else "")
        for r in view.refusals
    ]
    unknowns = [
        f"- {u.component} {code(u.what)}: {prose(u.reason)}" + (f". Hint: {prose(u.hint)}" if u.hint else "")
        for u in gathered(view.unknowns)
    ]
    results = [
        f"- {'done' if r.ok else 'failed'}: {prose(r.title)}"
        + (f": {prose(r.error)}" if r.error else "")
        + (f". Hint: {prose(r.hint)}" if r.hint else "")
        for r in view.results
    ]
    yield from _section(view.refused, refusals, most, "refusal")
    yield from _section("Could not be observed: not compared, not touched", unknowns, most, "unknown")
    yield from _section("Results", results, most, "result")


def _section(title: str, entries: list[str], most: int, noun: str) -> Iterator[str]:
    if entries:
        yield f"### {title}"
        yield ""
        yield from entries[:most]
        yield ""
        yield from _cut(len(entries), most, noun)


def _cut(total: int, most: int, noun: str) -> Iterator[str]:
    if total > most:
        yield f"*{number(total - most, f'more {noun}')} left out for length: the HTML and JSON reports have all.*"
        yield ""
