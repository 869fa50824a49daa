"""Every format says of every case exactly what it said when somebody last read it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
from rich.console import Console

from reconciler.report import html, markdown, sarif, terminal
from reconciler.report.json import document, schema
from reconciler.report.view import View

ROOT = Path(__file__).parents[2]
Case = tuple[str, View]
Golden = Callable[[str, str], None]
HISTORY = ("1c9e2ab demo: in sync again, 3 differences repaired", "77d01fe demo: 3 differences, 1 critical")


def test_terminal_at_80_columns_without_colours(case: Case, golden: Golden) -> None:
    name, view = case
    console = Console(file=io.StringIO(), width=80, color_system=None, force_terminal=False, legacy_windows=False)
    console.print(terminal.render(view))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    golden(f"{name}.txt", text)


def test_markdown(case: Case, golden: Golden) -> None:
    name, view = case
    golden(f"{name}.md", markdown.render(view))


def test_what_is_committed(case: Case, golden: Golden) -> None:
    name, view = case
    text = markdown.lasting(view)
    assert "about" not in text
    assert "since" not in text
    golden(f"{name}.committed.md", text)


def test_sarif(case: Case, golden: Golden) -> None:
    name, view = case
    golden(f"{name}.sarif", json.dumps(sarif.document([view]), indent=2, ensure_ascii=False) + "\n")


def test_html(case: Case, golden: Golden) -> None:
    name, view = case
    golden(f"{name}.html", html.render(view, history=HISTORY))


def test_json(case: Case, golden: Golden) -> None:
    name, view = case
    made = document(view)
    jsonschema.validate([made], schema())
    golden(f"{name}.json", json.dumps(made, indent=2, ensure_ascii=False) + "\n")


def test_the_schema_that_is_published() -> None:
    written = (ROOT / "schema" / "report.json").read_text(encoding="utf-8")
    assert written == json.dumps(schema(), indent=2) + "\n", "renew it: reconciler schema --write schema"
