"""A report as workflow commands of GitHub Actions: each becomes a note beside a line of the pull request's files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..model.change import Class, Severity
from ..text import visible, visible_line
from .bundle import Failure, Report
from .values import number, told
from .view import Finding, View

# GitHub shows this many of each level for a step and says nothing of the others.
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Annotation:
    """`level` is error, warning or notice. Without a `file` it is about the run as a whole."""

    level: str
    title: str
    message: str
    file: str = ""
    line: int = 1
    column: int = 1


def annotated(report: Report) -> tuple[Annotation, ...]:
    """Mistakes at their lines; what a cluster's plan says, at the first line of its file. Worst first."""
    made = [one for failure in report.failures for one in _failure(failure)]
    made += [one for view in report.views for one in _view(view)]
    rank = ("error", "warning", "notice")
    return tuple(sorted(made, key=lambda a: rank.index(a.level)))


def commands(report: Report) -> str:
    """The annotations as GitHub's runner reads them, a line each; where there are too many, the last says so."""
    lines = []
    for level in ("error", "warning", "notice"):
        found = [a for a in annotated(report) if a.level == level]
        lines += [_command(a) for a in (found if len(found) <= _SHOWN else found[: _SHOWN - 1])]
        if len(found) > _SHOWN:
            more = number(len(found) - _SHOWN + 1, f"more {level}")
            lines.append(_command(Annotation(level, "reconciler", f"{more}: the job's summary has all")))
    return "".join(f"{line}\n" for line in lines)


def _failure(failure: Failure) -> Iterator[Annotation]:
    for p in failure.problems:
        said = told(f"{p.path}: {p.message}" if p.path else p.message) + (f"\nhint: {told(p.hint)}" if p.hint else "")
        yield Annotation("error", "mistake in the desired state", said, p.file, p.line, p.column)
    if not failure.problems:
        said = failure.message + (f"\nhint: {failure.hint}" if failure.hint else "")
        yield Annotation(
            "error", failure.cluster or "reconciler", said, _file(failure.cluster) if failure.cluster else ""
        )


def _view(view: View) -> Iterator[Annotation]:
    file = _file(view.cluster)
    for r in view.refusals:
        yield Annotation("warning", f"{view.cluster}: guard {r.guard}", f"{r.message}. {r.approval} {r.paste}", file)
    for u in view.unknowns:
        yield Annotation(
            "warning", f"{view.cluster}: could not be observed", f"{u.component} {u.what}: {u.reason}", file
        )
    if view.error:
        yield Annotation("error", f"{view.cluster} failed", view.error, file)
    for f in () if view.repaired else view.findings:
        name = f"{f.resource} {f.field}".rstrip()
        yield Annotation(_level(f), f"{view.cluster}: {f.cls} of {name}", f"{f.why}; {f.repair}", file)


def _level(finding: Finding) -> str:
    """What a pull request asks for is no warning."""
    return "warning" if finding.cls is not Class.PENDING and finding.severity >= Severity.MEDIUM else "notice"


def _file(cluster: str) -> str:
    return f"desired/{cluster}/cluster.yaml"


def _command(a: Annotation) -> str:
    place = {"file": a.file, "line": str(max(a.line, 1)), "col": str(max(a.column, 1))} if a.file else {}
    said = {**place, "title": a.title}
    properties = ",".join(f"{key}={_property(value)}" for key, value in said.items())
    return f"::{a.level} {properties}::{_data(a.message)}"


def _data(text: str) -> str:
    """As the runner reads it back: a line end in a value can't end the command and begin another one."""
    return visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(visible_line(text)).replace(":", "%3A").replace(",", "%2C")
