"""A commit's message: whatever stands in a line, it stays in it, and calls nobody."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.message import commit_message
from tests.unit.report.test_report_hostile import unseen

TRAILERS = (("Desired-Commit", "c0ffee"), ("Changes", "1"))


def test_it_has_gits_own_form() -> None:
    written = commit_message("demo: drifted", ["- a", "- b"], TRAILERS)
    assert written == "demo: drifted\n\n- a\n- b\n\nDesired-Commit: c0ffee\nChanges: 1\n"
    assert commit_message("demo: in sync", [], TRAILERS) == "demo: in sync\n\nDesired-Commit: c0ffee\nChanges: 1\n"
    assert commit_message("t") == "t\n"


@given(st.text(st.characters()), st.text(st.characters()))
def test_no_text_becomes_a_line_or_a_trailer(title: str, text: str) -> None:
    forged = f"{text}\n\nDesired-Commit: {'f' * 40}\r\nLease: x\u2028Changes: 9\x85"
    written = commit_message(f"demo: {title}{forged}", [f"- {forged}"], [*TRAILERS, ("Lease", forged)])
    assert unseen(written) == []
    lines = written.split("\n")
    assert len(lines) == 8
    assert [line for line in lines if line.startswith("Desired-Commit:")] == ["Desired-Commit: c0ffee"]
    assert [line for line in lines if line.startswith("Changes:")] == ["Changes: 1"]


@pytest.mark.parametrize(
    "text", ["@octocat", "(@org/team)", "fixes #1", "owner/repo#12", "GH-1", "!1", "%1", "~bug", "$1", "&1", "x @all"]
)
def test_nobody_is_called_and_no_issue_is_closed(text: str) -> None:
    written = commit_message("t", [f"- {text}"])
    assert not re.search(r"(?<!\w)[@~]\w|[#!%&$]\d|GH-\d", written)
    assert written.replace(" ", "").endswith(f"-{text}\n".replace(" ", ""))


def test_a_digest_of_an_image_and_an_address_stay_as_they_are() -> None:
    line = "- image r.example.org/a@sha256:0f of user a@example.org at https://r.example.org/v2/"
    assert line in commit_message("t", [line])


def test_a_line_is_bounded() -> None:
    assert len(commit_message("t", ["- " + "x" * 10**6])) < 600
