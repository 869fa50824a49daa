"""What counts of an output that can't be seen: what a known key recorded, or this machine saw; never just a record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest

from reconciler.control.output_memory import before, remember
from reconciler.ports import Repository
from reconciler.spec.wiring import Output, Outputs

URL = Output("b", "applications", "web", "url")
TRUE, FOREIGN = "https://web.example.org", "https://evil.example.net"


class Branch:
    """The observed branch, as far as outputs are asked for."""

    def __init__(self, content: bytes, *, signed: bool) -> None:
        self.content = content
        self.signed = signed

    def observed(self, folder: str) -> Mapping[str, bytes]:
        return {f"{folder}/outputs.yaml": self.content}

    def disregard(self, path: str, content: bytes, why: str) -> None:
        assert path.endswith("/outputs.yaml")
        assert content == self.content

    def verified(self) -> bool:
        return self.signed


def counts(state: Path, content: str = f"applications.web.url: {FOREIGN}", *, signed: bool) -> str | None:
    repository = cast(Repository, Branch(content.encode(), signed=signed))
    return before(repository, state, "a", frozenset({URL})).get(URL)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    return tmp_path


def test_a_record_that_nobody_verified_counts_for_nothing(state: Path) -> None:
    assert counts(state, signed=False) is None
    remember(state, "a", Outputs({URL: TRUE}))
    assert counts(state, signed=False) == TRUE


def test_a_verified_record_counts_and_more_than_what_was_seen_here(state: Path) -> None:
    remember(state, "a", Outputs({URL: TRUE}))
    assert counts(state, "applications.web.url: https://moved.example.org", signed=True) == "https://moved.example.org"
    assert counts(state, "{}", signed=True) == TRUE


@pytest.mark.parametrize(
    "content",
    ["", "[]", "a: [", "\x00", "applications.web.url: [x]", "applications.web.url: ''", "[" * 100_000, "a: &a {a: *a}"],
)
def test_what_cannot_be_read_says_nothing(state: Path, content: str) -> None:
    assert counts(state, content, signed=True) is None
    (state / "a" / "outputs.json").write_text(content)
    assert counts(state, content, signed=False) is None


def test_what_nobody_refers_to_any_more_is_forgotten(state: Path) -> None:
    remember(state, "a", Outputs({URL: TRUE}))
    remember(state, "a", Outputs())
    assert counts(state, signed=False) is None
