"""Every format says of every case exactly what it said when somebody last read it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

from rich.console import Console

from reconciler.report import html, markdown, terminal
from reconciler.report.json import document
from reconciler.report.view import View

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


def test_html(case: Case, golden: Golden) -> None:
    name, view = case
    golden(f"{name}.html", html.render(view, history=HISTORY))


def test_json(case: Case, golden: Golden) -> None:
    name, view = case
    golden(f"{name}.json", json.dumps(document(view), indent=2, ensure_ascii=False) + "\n")
