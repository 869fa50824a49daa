"""Two reconcilers and one cluster: at once without a remote, and with one while the first sleeps past its lease."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.soak.history import History
from tests.soak.stand_in import BEGUN, PLACE, PROJECT_ID, STOPS, read, write
from tests.soak.test_race import PROJECT, Race, git

pytestmark = pytest.mark.live


class Sleeper(Race):
    """Single applies, of which one may stop itself somewhere, as if its machine slept."""

    def apply(self, name: str, *clusters: str, stops: str = "", project: str = "") -> subprocess.Popen[str]:
        """Start an apply. With a `project` on the one machine that all such share, from a clone without a remote; else
        on a machine of its own."""
        clone, config = self.root / name, self.root / f"{name}.yaml"
        if not clone.exists():
            git("clone", "-q", self.remote, clone)
            if project:
                git("-C", clone, "remote", "remove", "origin")
        settings = {
            "state": str(self.root / f"{name}-state"),
            "git": {"leaseSeconds": self.lease_seconds},
            "terraform": {"keepsDisk": True},
        }
        config.write_text(yaml.safe_dump(settings))
        program = [sys.executable, "-c", "from tests.soak.stand_in import main; main()"]
        return subprocess.Popen(
            [*program, "--repo", str(clone), "--config", str(config), "apply", "--yes", *clusters],
            cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, PLACE: str(self.machines), STOPS: stops, PROJECT_ID: project},
        )  # fmt: skip

    def begun(self, process: subprocess.Popen[str]) -> list[str]:
        """What a process began to change, in order."""
        log = self.machines / BEGUN
        lines = log.read_text().splitlines() if log.exists() else []
        return [what for pid, _, what in (line.partition(" ") for line in lines) if pid == str(process.pid)]


def until(condition: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def stopped(process: subprocess.Popen[str]) -> bool:
    """Does it sleep? Raises AssertionError when it ended instead."""
    assert process.poll() is None, "it ended before"
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def woken(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGCONT)
    return process.communicate(timeout=120)[0]


@pytest.mark.parametrize(
    "points",
    [("terraform", "playbook", "push"), pytest.param(("objects", "record"), marks=pytest.mark.long)],
)
def test_who_wakes_after_another_applied_starts_nothing_and_records_nothing(
    tmp_path: Path, points: tuple[str, ...]
) -> None:
    """Where it slept: in Terraform, in a playbook, among objects, before its record, and right before the push."""
    made = Sleeper(tmp_path, len(points), 0, 5.0)
    asleep = {c: made.apply(p, c, stops=p) for c, p in zip(made.names, points, strict=True)}
    try:
        until(lambda: all(stopped(process) for process in asleep.values()))
        before = {cluster: made.begun(process) for cluster, process in asleep.items()}
        for cluster in asleep:  # there is something to do for who comes next, whatever the first one did
            live = read(made.machines, cluster)
            live.objects.clear()
            write(made.machines, cluster, live)
        two, told = None, ""
        while two is None or two.returncode:  # it is refused as long as the leases last
            time.sleep(2)
            two = made.apply("two", *made.names)
            told = two.communicate(timeout=120)[0]
            assert not two.returncode or "is applied by another reconciler: " in told, told
        records = git("-C", made.remote, "rev-list", "observed")
        words = {cluster: woken(process) for cluster, process in asleep.items()}
    finally:
        for process in asleep.values():
            process.kill()
            process.wait()
    assert git("-C", made.remote, "rev-list", "observed") == records, "somebody who woke wrote to git"
    for cluster, process in asleep.items():
        assert process.returncode == 1, words[cluster]
        assert f"the lease of {cluster!r} was lost: " in words[cluster]
        assert made.begun(process) == before[cluster], "it began something after it woke"
        first, *later = History(made.remote).tenures(cluster)
        assert (first.number, first.pid, first.ended) == (1, process.pid, None)
        assert later[0].took_over == "expired"
        assert later[-1].ended, "the other's lease was touched"
    numbers = git("-C", made.remote, "log", "--format=%(trailers:key=Lease-Number,valueonly)", "observed").split()
    assert "1" not in numbers


def test_without_a_remote_one_of_two_clones_applies_and_the_other_hears_whose_process_it_is(tmp_path: Path) -> None:
    made, project = Sleeper(tmp_path, 1, 0, 5.0), f"project of {tmp_path}"
    one = made.apply("one", "c1", stops="terraform", project=project)
    try:
        until(lambda: stopped(one))
        two = made.apply("two", "c1", project=project)
        said = two.communicate(timeout=120)[0]
        assert two.returncode == 1, said
        assert "'c1' is applied on this machine by another reconciler: " in said
        assert f"process {one.pid} of " in said
        assert made.begun(two) == []
        said = woken(one)
        assert one.returncode == 0, said
    finally:
        one.kill()
        one.wait()
    assert made.begun(one) == ["terraform", "playbook", "objects"]


def test_of_two_clones_without_a_remote_that_start_at_once_one_applies(tmp_path: Path) -> None:
    """The other is refused, or comes later and finds nothing left to do: also where both had seen what was missing."""
    made, project = Sleeper(tmp_path, 1, 0, 5.0), f"project of {tmp_path}"
    both = [made.apply(name, "c1", project=project) for name in ("one", "two")]
    said = [process.communicate(timeout=120)[0] for process in both]
    for process, words in zip(both, said, strict=True):
        assert process.returncode == 0 or "on this machine by another reconciler: process " in words, words
    assert sorted(made.begun(process) for process in both) == [[], ["terraform", "playbook", "objects"]], said
