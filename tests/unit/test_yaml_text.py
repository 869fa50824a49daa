"""YAML as we write it: nothing hidden in it, and the same values when it is read."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.yaml_text import dump
from tests.unit.report.test_report_hostile import HOSTILE, unseen

# YAML 1.1 can say each of them
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(TEXTS, st.one_of(TEXTS, st.lists(TEXTS), st.none(), st.booleans(), st.integers())))
def test_what_is_written_is_read_back_with_nothing_hidden_in_between(value: dict[str, Any]) -> None:
    written = dump(value)
    assert yaml.safe_load(written) == value
    assert unseen(written) == []


@pytest.mark.parametrize("text", HOSTILE[:-2], ids=range(len(HOSTILE) - 2))
def test_what_no_yaml_can_hold_is_written_as_text(text: str) -> None:
    written = dump({"name": f"{text}\ud800"})
    assert unseen(written) == []
    assert yaml.safe_load(written)["name"].endswith(r"\ud800")


def test_what_is_plain_stays_plain() -> None:
    assert dump({"b": "Zürich", "a": ["x: y", "two\nlines"]}) == "a:\n- 'x: y'\n- 'two\n\n  lines'\nb: Zürich\n"


@pytest.mark.parametrize(
    "word", ["1e3", "1234e56", "08", "-09", "0o17", "1_000", "0b1", "0XFF", "1.", "+.5", "1E-3", "y", "N", "12345678"]
)
def test_what_is_a_number_to_somebody_is_in_quotes(word: str) -> None:
    assert dump([word]) == f"- '{word}'\n"


@pytest.mark.parametrize("word", ["10.0.0.5", "1.2.3", "a1e3", "1e", "0x", "yy", "12 34", "1-2"])
def test_what_is_text_to_everybody_is_not(word: str) -> None:
    assert dump([word]) == f"- {word}\n"
