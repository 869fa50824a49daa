"""Whatever strangers, machines and pushers send is read or refused: no traceback, at most 1 s and 200 MiB."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.property.parsers import PARSERS

ROOT = Path(__file__).parents[2]
MOST_SECONDS, MOST_MIB = 1.0, 200


def tried(parser: str, seed: int, count: int) -> None:
    command = [sys.executable, "-m", "tests.property.foreign", parser, str(seed), str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert set(outcome["endings"]) <= {"read", "refused"}, outcome
    assert outcome["endings"].get("read"), outcome  # what is right is among the cases
    assert outcome["slowest"] < MOST_SECONDS, outcome
    assert outcome["mib"] < MOST_MIB, outcome


@pytest.mark.parametrize("parser", PARSERS)
def test_some_hundred(parser: str) -> None:
    tried(parser, 1, 300)


@pytest.mark.long
@pytest.mark.parametrize("parser", PARSERS)
def test_ten_thousand(parser: str) -> None:
    tried(parser, 2, 10_000)


def test_a_parser_that_breaks_is_noticed() -> None:
    """The check can fail: what raises anything but our own errors is no ending that counts."""
    from tests.property.foreign import ended

    assert ended(lambda text: {b"": 1}[text], b"a")[0].startswith("KeyError")
