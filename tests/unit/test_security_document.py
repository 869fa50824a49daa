"""docs/security.md names a test for each attack: one that is renamed or deleted must not leave the promise behind."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "security.md"


def rows() -> list[list[str]]:
    """The cells of every row of the table of attacks."""
    lines = DOCUMENT.read_text().partition("## Attacks")[2].splitlines()
    split = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return [cells for cells in split if cells[0] != "attack"]


def test_every_attack_has_a_boundary_and_a_test_that_there_is() -> None:
    assert len(rows()) > 20
    for attack, boundary, tests in rows():
        assert attack
        assert boundary, attack
        names = re.findall(r"`([\w]+\.py)::(\w+)`", tests)
        assert names, f"no test shows: {attack}"
        for file, name in names:
            sources = [path.read_text() for path in (ROOT / "tests").rglob(file)]
            there = any(f"def {name}(" in text or f"class {name}" in text for text in sources)
            assert there, f"{file}::{name} is not there: {attack}"


def test_every_module_that_keeps_a_boundary_is_there() -> None:
    for _, boundary, _ in rows():
        for path in re.findall(r"`([\w/]+\.py)`", boundary):
            assert list(ROOT.glob(f"reconciler/**/{path}")) or (ROOT / path).is_file(), path
