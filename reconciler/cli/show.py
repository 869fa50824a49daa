"""What verbs print: reports on stdout, errors and progress on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from enum import StrEnum

from rich.text import Text

from ..console import Console, emit
from ..control.sight import Sight
from ..errors import Invalid, ReconcilerError
from ..model.outcome import Outcome, Status
from ..report import html, markdown, sarif, terminal
from ..report import json as json_report
from ..report.view import View, view


class Format(StrEnum):
    """How a report is written."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"
    SARIF = "sarif"


def out() -> Console:
    """Where reports go. Rich leaves colours out by itself when this is no terminal or NO_COLOR is set."""
    return Console(sys.stdout, soft_wrap=not sys.stdout.isatty())


def report(views: Sequence[View], form: Format) -> None:
    """Print one report for each cluster, in the form asked for. JSON is always one list."""
    if form is Format.JSON:
        emit(json.dumps([json_report.document(v) for v in views], indent=2) + "\n")
    elif form is Format.SARIF:
        emit(json.dumps(sarif.document(views), indent=2) + "\n")
    elif form is Format.TEXT:
        console = out()
        for view in views:
            console.print(terminal.render(view))
    else:
        render = markdown.render if form is Format.MARKDOWN else html.render
        emit("\n".join(render(view) for view in views) + "\n")


def outcome_view(outcome: Outcome, sight: Sight) -> View:
    """A cycle that ended well shows what it found and did; any other shows what is left."""
    well = outcome.status in (Status.IN_SYNC, Status.DESTROYED)
    shown = outcome.before if well else outcome.after
    return view(shown, status=outcome.status, outcome=outcome, observed=sight.observed, expected=sight.expected)


def failure(error: ReconcilerError) -> None:
    """What happened, where, and what to do about it."""
    console = Console(sys.stderr, soft_wrap=True)
    console.print(Text.assemble(("error: ", "bold red"), error.message))
    for problem in error.problems if isinstance(error, Invalid) else ():
        console.print(Text.assemble("  ", (f"{problem.file}:{problem.line}:{problem.column}", "bold"), " "), end="")
        console.print(Text(f"{problem.path}: {problem.message}" if problem.path else problem.message))
        if problem.hint:
            console.print(Text(f"    hint: {problem.hint}", style="dim"))
    if error.evidence and error.evidence.last_lines:
        console.print(Text(f"  ran: {error.evidence.command}", style="dim"))
        for line in error.evidence.last_lines[-12:]:
            console.print(Text(f"  | {line}", style="dim"))
    if error.hint:
        console.print(Text(f"  hint: {error.hint}", style="cyan"))
