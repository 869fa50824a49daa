"""The way to a terminal: others' text is shown there and obeyed by nobody; and there is no other way."""

from __future__ import annotations

import ast
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

import reconciler
from reconciler.console import Console, inert
from reconciler.progress import RichProgress
from tests.unit.report.test_report_hostile import HOSTILE, unseen

HOSTILE_LINES = HOSTILE[:-2]
PACKAGE = Path(reconciler.__file__).parent


def shown(*renderables: object) -> str:
    console = Console(io.StringIO())
    for renderable in renderables:
        console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def table(text: str) -> Table:
    made = Table(text)
    made.add_row(text)
    return made


@pytest.mark.parametrize("text", HOSTILE_LINES, ids=range(len(HOSTILE_LINES)))
def test_text_strings_and_tables_show_it(text: str) -> None:
    for renderable in (text, Text(text, style="bold"), table(text)):
        assert unseen(shown(renderable)) == []
    progress = RichProgress(console := Console(io.StringIO()), live=False)
    progress.log(text)
    with progress.task(text) as task:
        task.status(text)
    assert unseen(console.file.getvalue()) == []  # type: ignore[attr-defined]


@given(st.text(st.characters()))
def test_whatever_it_is(text: str) -> None:
    assert unseen(shown(text)) == []


def test_a_string_is_no_markup_and_no_emoji() -> None:
    text = "[red]x[/red] [link=http://x]y[/link] [/] :smile:"
    assert shown(text).strip() == text
    assert text in shown(table(text)).replace("\n", " ")


def test_colours_are_rich_s_own() -> None:
    console = Console(io.StringIO())
    with console.capture() as captured:
        console.print(Text("x\x1b[31my", style="bold"))
    assert captured.get() == "x\\u001b[31my\n"


@pytest.mark.parametrize("text", ["::error::x", "  ::add-mask::x", "a\n::stop-commands::x", "##[group]x", "\t::x::y"])
def test_a_runner_of_github_obeys_no_line(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert inert(text) == text
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for line in [*inert(text).splitlines(), *shown(Text(text)).splitlines()]:
        assert not line.strip().startswith("::")
        assert "##[" not in line


def test_there_is_no_other_way() -> None:
    """Nobody makes a console, prints, or writes to the standard streams past `reconciler.console`."""
    allowed = {"console.py", "serve/logs.py"}  # the log cleans by itself
    for file in sorted(PACKAGE.rglob("*.py")):
        name = str(file.relative_to(PACKAGE))
        if name in allowed or name.startswith("sandbox/"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            source = ast.unparse(node) if isinstance(node, ast.Call | ast.ImportFrom) else ""
            assert not source.startswith(("print(", "sys.stdout.write", "sys.stderr.write", "typer.echo(")), name
            names = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else set()
            assert not source.startswith("from rich.console import") or "Console" not in names, name
