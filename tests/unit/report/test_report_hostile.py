"""Names and values come from a cloud that others can write to: no format may be talked into anything by them."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console

from reconciler.errors import Problem
from reconciler.model.change import Action, Class, Difference, Severity
from reconciler.model.outcome import Outcome, Status, StepOutcome
from reconciler.model.plan import Plan, Refusal, Step, Tool
from reconciler.model.resource import Component, Expected, Key, Known, Observed, Resource, Unknown
from reconciler.report import actions, comment, html, markdown, sarif, terminal
from reconciler.report.bundle import Failure, Report
from reconciler.report.json import document
from reconciler.report.quality import quality
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
    "see https://evil.example/x?a=b www.evil.example evil@example.org mailto:a@b.c ftp://x",
    '@octocat @org/team #1 GH-1 owner/repo#1 owner/repo!2 !1 %1 ~bug ~"a b" $1 &1 ^1 PROJ-1 :tada: [[wiki]]',
    "fixes #1, closes https://forge/o/r/issues/2; deadbeef deadbee 0123456789abcdef0123456789abcdef01234567",
    "/close",
    "1. x",
    "- x",
    "# x",
    "> x",
    "    x",
    "---",
    "===",
    "+ x",
    "* x",
    "``` | \\| \\\\| a\\",
    "`",
    "|",
    "\\",
    "a` @b `c",
    "</summary></details>@x",
    "<!-- @x -->",
    "&#64;octocat",
    "::error file=x::y",
    "##[add-mask]x",
    "\n::add-mask::x",
    "%0A::error::x",
    "\u2028::error::x\u2029\x85\x9b31m\u2066\u061c\ufeff\u2060\U000e0041\u3164",
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
    assert structure(written) == structure(markdown.render(everywhere("harmless")))
    assert calls(written) == []
    assert re.match(r"<!-- reconciler:[a-z0-9-]* -->\n", written)  # the cluster's name; nothing ends the comment
    assert len(written) <= markdown.COMMENT_LIMIT
    assert not unseen(written)


def structure(text: str) -> list[str]:
    """What a CommonMark parser with tables sees, text and code left out."""
    tokens: list[str] = []
    for block in _parsed(text):
        tokens += re.findall("<[^>]*>", _without_code(block.content)) if block.type == "html_block" else [block.type]
        tokens += [child.type for child in block.children or [] if child.type not in ("text", "code_inline")]
    return tokens


# What GitHub, GitLab and Gitea make a link, a message to somebody, or a reference, where it is no code.
CALLS = re.compile(
    r"""://|\bwww\.|@\w|\w@|[#!%$&^]\d|~\w|\bGH-\d|\b[A-Z]+-\d|\w/\w|(?<![\w])[0-9a-fA-F]{7,40}(?![\w])|:\w+:|\bmailto:"""
    r"""|\[|\]|\{|\}|[*_`<>|\\]|&[#\w]+;|^\s*/\w""",
    re.MULTILINE,
)


def calls(text: str) -> list[str]:
    """What of it would be more than text: found in what a reader sees outside of code, once Markdown and HTML are done
    with, as forges look for it."""
    shown = []
    for block in _parsed(text):
        if block.type == "html_block":
            shown.append(unescape(re.sub("<[^>]*>", "", _without_code(block.content))))
        shown += [child.content for child in block.children or [] if child.type == "text"]
    return [found[0] for part in shown for found in CALLS.finditer(part)]


def _parsed(text: str) -> list[Token]:
    """Without what is ours: the mark, links to the job."""
    ours = re.sub(r"\]\(https://forge\.example\.org[^)]*\)", "]", re.sub(r"^<!-- [^\n]* -->\n", "", text))
    return MarkdownIt("commonmark").enable("table").parse(ours)


def _without_code(block: str) -> str:
    """A block of HTML with nothing but our tags."""
    return re.sub(r"(?<=<summary>).*(?=</summary>)", lambda found: re.sub("<code>.*?</code>", "", found[0]), block)


def unseen(text: str) -> list[str]:
    """Characters that a terminal obeys, that move others, or that nobody sees. Joiners may be a script's own."""
    return [
        c
        for c in text
        if c != "\n" and (unicodedata.category(c) in ("Cc", "Cs", "Co", "Zl", "Zp") or c in _BIDI or c in _INVISIBLE)
    ]


_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_INVISIBLE = "\u00ad\u034f\u115f\u1160\u180e\u200b\u2060\u2061\u2062\u2063\u2064\u206a\u3164\ufeff\uffa0" + "".join(
    map(chr, range(0xE0000, 0xE0080))
)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_terminal_shows_text_and_obeys_none_of_it(text: str) -> None:
    console = Console(file=io.StringIO(), width=80, color_system=None, force_terminal=False)
    console.print(terminal.render(everywhere(text)))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert not unseen(shown)
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
        assert not unseen(result["message"]["text"])
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


FRAGMENTS = st.sampled_from(
    [
        *HOSTILE[:-2],
        "`",
        "``",
        "|",
        "\\",
        " ",
        "\n",
        "\r",
        "\t",
        "[",
        "](",
        "!",
        "<",
        ">",
        "&",
        "@a",
        "#1",
        "::",
        "*",
        "_",
    ]
)
TEXTS = st.lists(st.one_of(FRAGMENTS, st.text(max_size=8)), min_size=1, max_size=6).map("".join)


@settings(max_examples=25, deadline=None)
@given(TEXTS)
def test_whatever_the_text_no_output_is_talked_into_anything(text: str) -> None:
    """Markdown for comments and commits, a page, SARIF, code quality, annotations, a terminal, a commit's message."""
    shown, problem = everywhere(f"x{text}"), Problem(text, 1, 1, text, text, text)
    failed = Report("plan", text, (shown,), (Failure(text, text, text, 1, (problem,)),))
    for written in (markdown.render(shown), markdown.lasting(shown), comment.comment(failed, limit=10**7, key="plan")):
        assert calls(written) == []
        assert unseen(written) == []
    assert shape(html.render(shown, history=(f"x{text}",))) == shape(html.render(everywhere("x"), history=("x",)))
    assert unseen(html.render(shown)) == []
    scanned = said(sarif.document([shown], [problem]))
    assert not [message for message in scanned if "](" in message]
    assert not [message for message in scanned + said(quality([shown], [problem])) if unseen(message)]
    annotations = actions.commands(failed)
    assert unseen(annotations) == []
    assert len(annotations.splitlines()) == len(actions.annotated(failed))
    assert re.fullmatch(r"(::(error|warning|notice) [^\n]*::[^\n]*\n)*", annotations)
    assert not re.search(r"[@#\]\[]", comment.title(failed))


def said(document: Any) -> list[str]:
    """Every string in a document."""
    if isinstance(document, str):
        return [document]
    parts = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    return [text for part in parts for text in said(part)]
