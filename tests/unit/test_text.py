"""What others wrote, made visible: nothing hidden is left, and nothing of people's own scripts is lost."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.text import escape_json, hidden, visible, visible_line
from tests.unit.report.test_report_hostile import unseen


@pytest.mark.parametrize(
    "text",
    [
        "Müller, Łódź, Ελλάδα, Москва, 中文 日本語 한국어, ไทย, עברית العربية",
        "é e\u0301 \u0928\u092e\u0938\u094d\u0924\u0947 \u0915\u094d\u200d\u0937 \u0645\u06cc\u200c\u0634\u0648\u062f",
        "🙂 👍🏽 ❤\ufe0f 1\ufe0f\u20e3 👨\u200d👩\u200d👧 🏳\ufe0f\u200d🌈 🇩🇪 \U0001fae9",
        "葛\U000e0100城",
        "a\u00a0b\u3000c — “quoted” … ✓ → ½",
    ],
)
def test_letters_of_every_script_their_marks_and_emoji_stay(text: str) -> None:
    assert visible(text) == visible_line(text) == text
    assert not hidden(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m\x07\x00", r"\u001b[31m\u0007\u0000"),
        ("\x9b2J\x7f\x85", r"\u009b2J\u007f\u0085"),
        ("a\u202eb\u2066c\u061c\u200e", r"a\u202eb\u2066c\u061c\u200e"),
        ("pass\u200bword x\u200dy \ufeff\u2060\u00ad", r"pass\u200bword x\u200dy \ufeff\u2060\u00ad"),
        ("\U000e0041\U000e007f \U000e0100", r"\U000e0041\U000e007f \U000e0100"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("\ud800 \udc80", r"\ud800 \udc80"),
        ("\u3164\u115f\uffa0\u2800", r"\u3164\u115f\uffa0\u2800"),
        ("\ue000\ufffe\ufdd0\U0010ffff", r"\ue000\ufffe\ufdd0\U0010ffff"),
        ("x\ufe0f\u200d\u200d🙂", r"x\ufe0f\u200d\u200d🙂"),
    ],
)
def test_what_is_obeyed_or_not_seen_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == visible_line(text) == shown
    assert hidden(text)


def test_line_ends_and_tabs_are_one_s_own_in_several_lines_and_written_out_in_one() -> None:
    assert visible("a\n\tb\r\n") == "a\n\tb\\r\n"
    assert visible_line("a\n\tb\r\n") == r"a\n\tb\r\n"


@given(st.text(st.characters()))
def test_nothing_hidden_is_left_and_doing_it_again_changes_nothing(text: str) -> None:
    shown = visible_line(text)
    assert unseen(shown) == []
    assert "\n" not in shown
    assert visible_line(shown) == shown
    shown.encode()


@given(st.text(st.characters(categories=["L", "N", "Pd", "Ps", "Pe", "Po", "Sm", "Sc"], max_codepoint=0xFFFF)))
def test_letters_and_signs_are_never_touched(text: str) -> None:
    fillers = {c for c in text if "FILLER" in unicodedata.name(c, "")}
    assert visible_line(text) == text or fillers


@given(st.dictionaries(st.text(st.characters()), st.text(st.characters())))
def test_json_says_the_same(value: dict[str, str]) -> None:
    written = escape_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(written) == json.loads(json.dumps(value))
    assert unseen(written) == []
