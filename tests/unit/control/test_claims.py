"""Whose a cluster's name is in a project: the first one's, until its cluster is gone from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.control.claims import Claims
from reconciler.errors import Blocked, Permanent

BOTH = frozenset({"physics", "chemistry"})


def test_the_first_one_has_it_also_after_a_restart(tmp_path: Path) -> None:
    claims = Claims(tmp_path / "state" / "claims.json", BOTH)
    claims.take("physics", "demo", ["the project 1"])
    claims.take("physics", "demo", ["the project 1"])
    claims.take("chemistry", "demo", ["the project 2"])
    claims.take("chemistry", "laser", ["the project 1"])
    again = Claims(tmp_path / "state" / "claims.json", BOTH)
    with pytest.raises(Blocked, match="chemistry/demo is in the project 1, where physics/demo is"):
        again.take("chemistry", "demo", ["the project 2", "the project 1"])
    again.take("physics", "demo", ["the project 1"])


def test_who_looks_takes_nothing(tmp_path: Path) -> None:
    claims = Claims(tmp_path / "claims.json", BOTH)
    claims.check("chemistry", "demo", ["the project 1"])
    claims.take("physics", "demo", ["the project 1"])
    with pytest.raises(Blocked):
        claims.check("chemistry", "demo", ["the project 1"])
    before = claims.file.read_text()
    Claims(claims.file, frozenset({"chemistry"})).check("chemistry", "demo", ["the project 1"])  # by other settings
    assert claims.file.read_text() == before


def test_it_is_free_when_the_cluster_is_elsewhere_gone_or_its_repository_is(tmp_path: Path) -> None:
    claims = Claims(tmp_path / "claims.json", BOTH)
    claims.take("physics", "demo", ["the project 1"])
    claims.take("physics", "demo", ["the project 2"], all_known=False)
    with pytest.raises(Blocked):
        claims.check("chemistry", "demo", ["the project 1"])
    claims.take("physics", "demo", ["the project 2"])
    claims.take("chemistry", "demo", ["the project 1"])
    claims.keep("chemistry", ["demo"])
    with pytest.raises(Blocked):
        claims.take("physics", "demo", ["the project 1"])
    claims.keep("chemistry", ["laser"])
    claims.take("physics", "demo", ["the project 1"])
    Claims(tmp_path / "claims.json", frozenset({"chemistry"})).take("chemistry", "demo", ["the project 1"])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', "[" * 100_000])
def test_what_cant_be_read_is_not_free(tmp_path: Path, text: str) -> None:
    file = tmp_path / "claims.json"
    file.write_text(text)
    with pytest.raises(Permanent, match="can't be read"):
        Claims(file, BOTH).take("physics", "demo", ["the project 1"])
    assert file.read_text() == text
