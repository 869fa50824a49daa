"""Thousands of broken desired states: always an object or an error with a position, in less than 1 s and 200 MiB."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


# two parsers read YAML: libyaml's, and PyYAML's own where there is no libyaml
RUNS = (("1", "1000", "libyaml"), ("2", "1000", "libyaml"), ("1", "100", "python"))


@pytest.mark.parametrize("run", RUNS, ids="-".join)
def test_whatever_is_committed_is_loaded_or_refused_with_a_position(run: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "tests.property.fuzz", *run]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["endings"]) == {"loaded", "refused"}, found
    assert found["endings"]["refused"] > int(run[1]) / 2
    assert found["slowest"] < 1.0, found
    assert found["mib"] < 200, found
