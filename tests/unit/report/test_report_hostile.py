"""Names and values come from a cloud that others can write to: no format may be talked into anything by them."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console

from reconciler.model.change import Action, Class, Difference, Severity
from reconciler.model.outcome import Outcome, Status, StepOutcome
from reconciler.model.plan import Plan, Refusal, Step, Tool
from reconciler.model.resource import Component, Expected, Key, Known, Observed, Resource, Unknown
from reconciler.report import html, markdown, sarif, terminal
from reconciler.report.json import document
from reconciler.report.view import View, view

INFRASTRUCTURE, KUBERNETES = Component.INFRASTRUCTURE, Component.KUBERNETES
HOSTILE = [
    "<script>alert(1)</script>",
    "</code></details><img src=x onerror=alert(1)>",
    "a | b \\| c \\\\| d",
    "`` ` ``` `````",
    "line\n\n# heading\r\n| table |\x00\x07\x1b[2J\x1b]8;;http://x\x07",
    "[link](http://x) ![img](http://x) *bold* ~~gone~~ @everyone",
    "[red]rich[/red] [link=http://x]y[/link] [/]",
    '"\' onmouseover="alert(1)',
    "é🙂\u202e\u200b\udc80",
    "x" * 1_000_000,
    "<" * 1_000_000,
]


def everywhere(text: str) -> View:
    """A view with `text` in every place that others can write to."""
    field = Difference(
        INFRASTRUCTURE, Key(text, text), text, text, (text, (text, text)), text,
        Class.DRIFT, Action.UPDATE, Severity.CRITICAL, text, text,
    )  # fmt: skip
    whole = Difference(
        INFRASTRUCTURE, Key("server", text), "", None, None, "present",
        Class.UNMANAGED, Action.DELETE, Severity.HIGH, text, text,
    )  # fmt: skip
    step = Step(INFRASTRUCTURE, Tool.TERRAFORM, text, text, (text, text), differences=(field,))
    plan = Plan(text, text, (field, whole), (step,), (Refusal(text, text, text),))
    outcome = Outcome(text, text, Status.FAILED, plan, plan, (StepOutcome(step, 1.0, text, text),), 1.0, text, text)
    server = Resource("server", text, {"status": text, "address": text, "metadata.reconciler.group": text}, text, text)
    subnet = Resource("subnet", text, {"cidr": text})
    observed = Observed({INFRASTRUCTURE: {"server": Known((server,)), text: Unknown(text, text)}, KUBERNETES: {}})
    expected = Expected({INFRASTRUCTURE: (server, subnet)})
    return view(plan, status=Status.FAILED, outcome=outcome, observed=observed, expected=expected)


class Shape(HTMLParser):
    """What a browser would see: tags with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.depth += tag not in ("meta", "br")

    def handle_endtag(self, tag: str) -> None:
        self.depth -= 1


def shape(page: str) -> list[tuple[str, tuple[str, ...]]]:
    parser = Shape()
    parser.feed(page)
    parser.close()
    assert parser.depth == 0
    return parser.tags


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_html_has_the_same_tags_whatever_the_values(text: str) -> None:
    page = html.render(everywhere(text), history=(text,))
    assert shape(page) == shape(html.render(everywhere("harmless"), history=("harmless",)))
    assert len(page.encode()) < 100_000


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_markdown_has_the_same_structure_whatever_the_values(text: str) -> None:
    written = markdown.render(everywhere(text))
    assert structure(written)[1:] == structure(markdown.render(everywhere("harmless")))[1:]
    assert re.match(r"<!-- reconciler:[a-z0-9-]* -->\n", written)  # the cluster's name; nothing ends the comment
    assert len(written) <= markdown.COMMENT_LIMIT
    assert written.replace("\n", "").isprintable()


def structure(text: str) -> list[str]:
    """What a CommonMark parser with tables sees, text left out; mentions of people count as structure."""
    tokens = []
    for block in MarkdownIt("commonmark").enable("table").parse(text):
        tokens.append(block.content if block.type == "html_block" else block.type)
        tokens += list(_inline(block.children or []))
    return tokens


def _inline(children: list[Token]) -> Iterator[str]:
    inside_code = False
    for child in children:
        if child.type == "html_inline" and child.content in ("<code>", "</code>"):
            inside_code = child.content == "<code>"
            if inside_code:
                yield "code_inline"
        elif child.type == "text":
            yield from [] if inside_code else re.findall(r"@\w+", child.content)
        else:
            yield child.type


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_terminal_shows_text_and_obeys_none_of_it(text: str) -> None:
    console = Console(file=io.StringIO(), width=80, color_system=None, force_terminal=False)
    console.print(terminal.render(everywhere(text)))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert shown.replace("\n", "").isprintable()
    assert max(map(len, shown.splitlines())) <= 80
    if text.startswith("[red]"):
        assert "[red]rich[/red]" in shown


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_json_is_json(text: str) -> None:
    written = json.dumps(document(everywhere(text)), allow_nan=False, ensure_ascii=False).encode()
    assert json.loads(written)["schemaVersion"] == 2
    assert len(written) < 100_000


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_sarif_has_the_same_results_whatever_the_values(text: str) -> None:
    (run,) = sarif.document([everywhere(text)])["runs"]
    (harmless,) = sarif.document([everywhere("harmless")])["runs"]
    assert len(run["results"]) == len(harmless["results"])
    for result in run["results"]:
        assert result["message"]["text"].isprintable()
        assert result["ruleId"] in {rule["id"] for rule in run["tool"]["driver"]["rules"]}


def test_markdown_is_cut_between_findings_worst_first() -> None:
    many = tuple(
        Difference(
            INFRASTRUCTURE,
            Key("server", f"demo-worker-{n:04}"),
            "",
            "present",
            None,
            None,
            Class.PENDING,
            Action.CREATE,
            Severity.CRITICAL if n == 4_999 else Severity.LOW,
            "is in git and not there yet",
        )
        for n in range(5_000)
    )
    found = view(Plan("demo", "c0ffee", many), status=Status.DRIFTED)
    for limit in (65_536, 3_000):
        text = markdown.render(found, limit=limit)
        rows = text.count("\n| low") + text.count("\n| **critical**")
        assert limit - 500 < len(text) <= limit
        assert "demo-worker-4999" in text
        assert f"{5_000 - rows} more differences left out" in text
        assert text.count("<details>") == text.count("</details>") == 1
        assert text.count("\n- `server") == rows
    assert "left out" not in markdown.render(found, limit=10_000_000)
