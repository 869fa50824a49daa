"""Thousands of broken desired states: always an object or an error with a position, in less than 1 s and 200 MiB."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.spec.yaml import MAX_BYTES

ROOT = Path(__file__).parents[2]


# two parsers read YAML: libyaml's, and PyYAML's own where there is no libyaml
RUNS = (("1", "150", "libyaml"), ("1", "50", "python"))
LONG_RUNS = (("2", "5000", "libyaml"), ("2", "300", "python"))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "run", [*RUNS, *(pytest.param(run, marks=pytest.mark.long) for run in LONG_RUNS)], ids="-".join
)
def test_whatever_is_committed_is_loaded_or_refused_with_a_position(run: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "tests.property.fuzz", *run]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["endings"]) == {"loaded", "refused"}, found
    assert found["endings"]["refused"] > int(run[1]) / 2
    assert found["slowest"] < 1.0, found
    assert found["mib"] < 200, found


_LARGEST = """
import json, time
from reconciler.spec import yaml
from tests.property.fuzz import _most
from tests.slowness import slowness
text = b"a: " + b"[" * 30 + b"a," * (yaml.MAX_BYTES // 42 - 100) + b"]" * 30
text += b"#" * (yaml.MAX_BYTES - len(text))
began = time.process_time()
yaml.parse("x.yaml", text)
seconds = time.process_time() - began
print(json.dumps({"seconds": seconds / slowness(), "mib": _most(), "size": len(text) >> 20}))
"""


@pytest.mark.skipif(not MAX_BYTES >> 20, reason="PyYAML's own parser is given no more than 24 KiB")
def test_the_largest_file_costs_no_more_for_each_mib_than_a_small_one() -> None:
    done = subprocess.run([sys.executable, "-c", _LARGEST], cwd=ROOT, capture_output=True, text=True, check=True)
    cost = json.loads(done.stdout)
    assert cost["size"] == 10
    assert cost["seconds"] < 10 * 1.0, cost
    assert cost["mib"] < 200, cost
