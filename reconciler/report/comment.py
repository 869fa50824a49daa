"""A report as one comment for a pull request, and as one issue: short above, a collapsed section for each cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..errors import Problem
from ..model.outcome import Status
from ..text import visible_line
from . import markdown, proposal
from .bundle import Failure, Report
from .foreign import cell, code, html_prose, prose
from .values import line, number, some, told
from .view import View

# A section shorter than this says nothing that the table doesn't.
_SHORTEST = 400
_ROWS = 100
_PROBLEMS = 20
# What GitHub takes as a step's summary, in bytes; a character of ours takes four at most.
SUMMARY_LIMIT = 1_048_576 // 4
_CALM = (Status.IN_SYNC, Status.SUSPENDED, Status.DESTROYED)


def mark(key: str) -> str:
    """The first line, which nobody sees: by it we find our own text again."""
    return f"<!-- reconciler:{re.sub(r'[^a-z0-9.-]', '', key.lower())} -->"


def comment(report: Report, *, limit: int, key: str, run: str = "") -> str:
    """The report in at most `limit` characters. `key` tells several comments on one pull request apart; `run` is where
    the rest is, where that is a link."""
    return f"{mark(key)}\n{summary(report, limit=limit - len(mark(key)) - 1, run=run)}"


def title(report: Report) -> str:
    """One line of plain text: an issue's title."""
    names = [v.cluster for v in report.views if v.status not in _CALM or v.findings]
    names += [f.cluster or "the desired state" for f in report.failures]
    if report.in_sync or not names:
        return "Drift: all clusters are in sync"
    return f"Drift: {some([_titled(name) for name in dict.fromkeys(names)], 3)}"


def _titled(name: str) -> str:
    """A name that a tag gave, which others can write, in a place where there is no code to put it into."""
    return re.sub(r"[^\w .-]|(?<=[Gg][Hh]-)", "_", visible_line(name))


def summary(report: Report, *, limit: int, run: str = "") -> str:
    """The report in Markdown: a line for each cluster, what failed, and as much of the sections as there is room for;
    worst first, so that what is cut is what matters least."""
    views = sorted(report.views, key=lambda v: v.status in _CALM)
    table = _proposals(views) if report.verb == "plan" else _table(views)
    head = "\n".join([*_head(report), *table, *_failures(report.failures, limit // 2)])
    foot = "\n".join(_foot(run))
    left = "\n" + "\n".join(_left(views, run))  # as long as it can get
    plan = report.verb == "plan"
    whole = [_section(view, markdown.COMMENT_LIMIT * 16, plan) for view in views]
    room = limit - len(head) - len(foot) - 2
    if sum(len(text) + 1 for text in whole) <= room:
        return "\n".join([head, *whole, foot])
    kept, cut = _fitted(views, whole, room - len(left), plan)
    return _cut("\n".join([head, *kept, *_left(cut, run), foot]), limit)


def _cut(text: str, limit: int) -> str:
    """Whole lines only: half a code span is none."""
    return text if len(text) <= limit else text[: limit + 1].rpartition("\n")[0]


def _head(report: Report) -> list[str]:
    differ = sum(v.status not in _CALM for v in report.views)
    plan = report.verb == "plan"
    to_do, nothing = ("would change", "nothing would change") if plan else ("to look at", "all in sync")
    counts = [number(len(report.views), "cluster"), f"{differ} {to_do}" if differ else nothing]
    failed = f", {number(len(report.failures), 'failure')}" if report.failures else ""
    what = f"{counts[0]}, {counts[1]}" if report.views else "valid" if not report.failures else "nothing could be seen"
    commit = f" Desired state {code(line(report.commit)[:12])}." if report.commit else ""
    return [f"### reconciler {code(line(report.verb))}: {what}{failed}", "", f"{_promise(report)}{commit}".strip(), ""]


def _promise(report: Report) -> str:
    """Which plan is applied after the merge: what was read here is named, so that it can be compared."""
    if report.verb != "plan" or not report.views:
        return ""
    return "A plan is named by its digest: the merge applies the plan shown here, or plans and guards anew."


def _proposals(views: Sequence[View]) -> list[str]:
    """A pull request proposes changes; what differs anyway is counted apart."""
    if not views:
        return []
    rows = [
        f"| {cell(v.cluster)} | {cell(proposal.sentence(v))} | {proposal.proposed(v)} | {proposal.besides(v)} "
        f"| {len(v.steps)} | {cell(v.digest)} |"
        for v in views[:_ROWS]
    ]
    head = ["| cluster | merging it | changes | differs already | steps | plan |", "|---|---|---|---|---|---|"]
    return [*head, *rows, "", *_rest(views)]


def _rest(views: Sequence[View]) -> list[str]:
    return [f"*{number(len(views) - _ROWS, 'more cluster')}, less urgent.*", ""] if len(views) > _ROWS else []


def _table(views: Sequence[View]) -> list[str]:
    if not views:
        return []
    rows = [
        f"| {cell(v.cluster)} | {'' if v.status in _CALM else '**'}{v.status}{'' if v.status in _CALM else '**'} "
        f"| {len(v.findings)} | {len(v.steps)} | {cell(v.digest)} |"
        for v in views[:_ROWS]
    ]
    return ["| cluster | status | differences | steps | plan |", "|---|---|---|---|---|", *rows, "", *_rest(views)]


def _failures(failures: Sequence[Failure], room: int) -> list[str]:
    """What failed, as much as there is room for."""
    lines: list[str] = []
    for number_, failure in enumerate(failures):
        more = list(_failure(failure))
        room -= sum(len(line) + 1 for line in more)
        if room < 0:
            return [*lines, f"*{number(len(failures) - number_, 'more failure')}.*", ""]
        lines += more
    return lines


def _failure(failure: Failure) -> Iterator[str]:
    yield f"**{prose(told(failure.cluster) or 'error')}**: {prose(told(failure.message))}"
    if failure.hint:
        yield f"Hint: {prose(told(failure.hint))}"
    yield ""
    yield from (_problem(p) for p in failure.problems[:_PROBLEMS])
    if len(failure.problems) > _PROBLEMS:
        yield f"- *{number(len(failure.problems) - _PROBLEMS, 'more mistake')}*"
    yield ""


def _problem(p: Problem) -> str:
    said = told(f"{p.path}: {p.message}" if p.path else p.message)
    place = code(f"{told(p.file)}:{p.line}:{p.column}")
    return f"- {place} {prose(said)}" + (f" ({prose(told(p.hint))})" if p.hint else "")


def _section(view: View, limit: int, plan: bool) -> str:
    """One cluster, collapsed. Longer than `limit` where not even its first lines fit."""
    headline = proposal.sentence(view) if plan else view.headline
    before = f"<details><summary>{html_prose(f'{view.cluster}: {headline}')}</summary>\n\n"
    after = "\n</details>\n"
    return before + markdown.section(view, limit=limit - len(before) - len(after), proposed=plan) + after


def _fitted(views: Sequence[View], whole: Sequence[str], room: int, plan: bool) -> tuple[list[str], list[View]]:
    """Share the room: what is short keeps all of it, the long ones share what that leaves. Returns the sections, and
    the views of which there is less than all."""
    kept: dict[int, str] = {}
    cut: list[View] = []
    by_length = sorted(range(len(views)), key=lambda n: len(whole[n]))
    for place, n in enumerate(by_length):
        share = room // (len(views) - place) - 1
        text = whole[n] if len(whole[n]) <= share else _section(views[n], share, plan)
        if share >= _SHORTEST and len(text) <= share:
            kept[n] = text
            room -= len(text) + 1
        if text != kept.get(n) or text != whole[n]:
            cut.append(views[n])
    return [kept[n] for n in sorted(kept)], cut


def _left(views: Sequence[View], run: str) -> list[str]:
    """Of which clusters there is more than is said here, and where it is."""
    names = some([v.cluster for v in views], 20)
    where = f"[the job's summary and artifacts]({run})" if run else f"{code('reconciler plan')} on your own machine"
    return [f"*Cut for length: {prose(names)}. All of it: {where}.*", ""] if views else []


def _foot(run: str) -> list[str]:
    link = f" [Reports as pages and JSON]({run})." if run else ""
    return [f"<sub>Kept up to date by {code('reconciler ci')}.{link}</sub>", ""]
