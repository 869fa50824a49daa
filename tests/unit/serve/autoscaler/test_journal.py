"""A decision that the disk refused was never made: not for this server, and not for the one that takes over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.model.autoscale import Decision
from reconciler.serve.autoscaler import Journal

PROJECT = Path(__file__).parents[4]
A, B, C = (Decision(letter * 12, "worker", (number,)) for number, letter in enumerate("abc", 3))
# A limit of the kernel's, in a process of its own: no room for the second decision but for `room` bytes of it, and then
# room again.
SCRIPT = """
import os, resource, sys
from pathlib import Path
from reconciler.errors import Permanent
from reconciler.model.autoscale import Decision
from reconciler.serve.autoscaler.journal import Journal

A, B, C = (Decision(letter * 12, "worker", (number,)) for number, letter in enumerate("abc", 3))
folder, room, end = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
journal = Journal(folder)
for one in [A, C] if end == "pushed" else [A]:
    journal.add(one)
(path,) = folder.glob("*.jsonl")
size, limits = path.stat().st_size, resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, limits[1]))
try:
    journal.add(B)
except Permanent:
    assert path.stat().st_size == size
else:
    raise AssertionError("there was room")
if end == "pushed":
    journal.done([A.id])
    assert journal.pending == (C,)
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
if end == "repeated":
    journal.add(C)
    assert journal.pending == (A, C)
if end == "closed":
    journal.close()
os._exit(0)  # what SIGKILL does
"""


@pytest.mark.parametrize(
    ("room", "end", "left"),
    [
        (0, "repeated", (A, C)),
        (20, "repeated", (A, C)),
        (0, "closed", (A,)),
        (20, "killed", (A,)),
        (0, "pushed", (A, C)),
    ],
)
def test_what_the_disk_refused_is_not_carried_out_later(
    tmp_path: Path, room: int, end: str, left: tuple[Decision, ...]
) -> None:
    """What was pushed meanwhile is taken over once more: git names it, and it does not count twice."""
    argv = [sys.executable, "-c", SCRIPT, str(tmp_path), str(room), end]
    said = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    journal = Journal(tmp_path)
    assert journal.pending == left
    journal.close()
