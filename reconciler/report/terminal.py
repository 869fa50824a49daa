"""A view for the terminal: readable at 80 columns, and just as clear where there are no colours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from rich import box
from rich.console import ConsoleOptions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..model.change import Severity
from ..model.outcome import Status
from ..model.resource import Component
from .values import about, number, some, when
from .view import Finding, View, alike, by_component, gathered

_SEVERITY = {
    Severity.CRITICAL: "bold white on red",
    Severity.HIGH: "bold red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "dim",
}
_NARROW = 60  # columns; below that a table leaves too little for what differs
_Rows: TypeAlias = "list[tuple[Component, list[tuple[Text, Text, Text]]]]"
_STATUS = {
    Status.IN_SYNC: "bold green",
    Status.SUSPENDED: "bold cyan",
    Status.DESTROYED: "bold cyan",
    Status.DRIFTED: "bold yellow",
}


def render(view: View) -> Group:
    """Return everything `view` says as one Rich renderable."""
    return Group(*_head(view), *_findings(view), *_plan(view), *_refusals(view), *_unknowns(view), *_results(view))


# Text is never Rich markup here: a server called "[red]" keeps its name.


def _head(view: View) -> Iterator[RenderableType]:
    style = _STATUS.get(view.status, "bold red")
    yield Text.assemble(
        (view.cluster, "bold"), " is " if view.status is Status.IN_SYNC else ": ", (view.headline, style)
    )
    yield Text(f"desired state {view.commit[:12]}, plan {view.digest}", style="dim")
    if view.hint:
        yield Text(f"hint: {view.hint}")
    for orphan in view.orphans:
        yield Text(f"note: {orphan}", style="yellow")


def _findings(view: View) -> Iterator[RenderableType]:
    if view.findings:
        yield _Findings(view)
    if view.ignored:
        yield Text(f"{number(len(view.ignored), 'difference')} ignored: {_reasons(view)}", style="dim")


class _Findings:
    """A table, or, where a terminal is too narrow for one, one finding below the other."""

    def __init__(self, view: View) -> None:
        self._view = view

    def __rich_console__(self, _: object, options: ConsoleOptions) -> Iterator[RenderableType]:
        for_all = by_component(self._view.findings).items()
        rows = [
            (component, [_finding(group[0], some([f.resource for f in group])) for group in alike(findings)])
            for component, findings in for_all
        ]
        yield _findings_table(rows) if options.max_width >= _NARROW else _findings_list(rows)


def _findings_table(rows: _Rows) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("severity", width=8, no_wrap=True)
    table.add_column("class", width=9, no_wrap=True)
    table.add_column("difference", overflow="fold")
    for component, findings in rows:
        table.add_row("", "", Text(component.value, style="underline"))
        for finding in findings:
            table.add_row(*finding)
        table.add_section()
    return table


def _findings_list(rows: _Rows) -> Group:
    lines: list[Text] = []
    for component, findings in rows:
        lines.append(Text(f"\n{component.value}", style="underline"))
        for severity, cls, text in findings:
            lines += [Text.assemble(severity, " ", cls), text, Text("")]
    return Group(*lines)


def _finding(finding: Finding, resources: str) -> tuple[Text, Text, Text]:
    text = Text.assemble((resources, "bold"))
    for part in (finding.field, finding.change, finding.why, *(f"→ {effect}" for effect in finding.effects)):
        text.append(f"\n{part}" if part else "")
    text.append(f"\nrepair: {finding.repair}; {when(finding.since, finding.set_at)}", style="dim")
    return Text(str(finding.severity), style=_SEVERITY[finding.severity]), Text(finding.cls.value), text


def _reasons(view: View) -> str:
    return some(list(dict.fromkeys(f.why for f in view.ignored)), 3)


def _plan(view: View) -> Iterator[RenderableType]:
    table = _listing()
    for step in view.steps:
        held = (", held", "bold red") if step.held else ""
        text = Text.assemble((f"{step.tool} {step.operation}", "bold"), f"  {step.summary}", held)
        text.append(f"\n{some(step.targets)}" if step.targets else "", style="dim")
        text.append(f"\n$ {step.command} ({about(step.seconds)})" if step.command else "", style="dim")
        table.add_row(f"{step.number}.", text)
    if view.steps and not view.finished:
        yield from _section("Plan", "bold", table)


def _refusals(view: View) -> Iterator[RenderableType]:
    table = _listing()
    for refusal in view.refusals:
        text = Text.assemble((refusal.guard, "bold"), f": {refusal.message}\n{refusal.approval}")
        table.add_row("✗", text)
        if refusal.paste:
            table.add_row("", _entry(refusal.paste))
    if view.refusals:
        yield from _section(view.refused, "bold red", table)


def _entry(paste: str) -> Table:
    """An entry of a YAML list. However narrow the terminal is, its further lines are set in behind the dash: what is
    copied is YAML still."""
    dash, _, rest = paste.strip().partition(" ")
    table = Table.grid()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(Text(f"  {dash} ", style="cyan"), Text(rest, style="cyan"))
    return table


def _unknowns(view: View) -> Iterator[RenderableType]:
    table = _listing()
    for unknown in gathered(view.unknowns):
        text = Text.assemble((f"{unknown.component} {unknown.what}", "bold"), f": {unknown.reason}")
        table.add_row("?", text.append(f"\nhint: {unknown.hint}" if unknown.hint else ""))
    if view.unknowns:
        yield from _section("Could not be observed: not compared, not touched", "bold yellow", table)


def _results(view: View) -> Iterator[RenderableType]:
    table = _listing()
    table.add_column(justify="right", no_wrap=True)
    for result in view.results:
        text = Text(result.title)
        text.append(f"\n{result.error}" if result.error else "", style="red")
        text.append(f"\nhint: {result.hint}" if result.hint else "")
        mark = Text("✓", style="green") if result.ok else Text("✗", style="bold red")
        table.add_row(mark, text, f"{result.seconds:.1f} s")
    if view.results:
        yield from _section("Done", "bold", table)


def _section(title: str, style: str, table: Table) -> Iterator[RenderableType]:
    yield Text(f"\n{title}", style=style)
    yield table


def _listing() -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table
