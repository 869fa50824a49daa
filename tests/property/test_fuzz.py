"""Thousands of broken desired states: always an object or an error with a position, in less than 1 s and 200 MiB."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("parser", "count"), [("libyaml", 2000), ("python", 100)])
def test_whatever_is_committed_is_loaded_or_refused_with_a_position(parser: str, count: int) -> None:
    argv = [sys.executable, "-m", "tests.property.fuzz", "1", str(count), parser]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["endings"]) == {"loaded", "refused"}, found
    assert found["endings"]["refused"] > count / 2
    assert found["slowest"] < 1.0, found
    assert found["mib"] < 200, found
