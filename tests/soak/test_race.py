"""Many processes on the same clusters, killed at random, while people push: what happened is read from git alone."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests.soak.history import History
from tests.soak.stand_in import PLACE, read, write
from tests.unit.examples import CLUSTER

PROJECT = Path(__file__).resolve().parents[2]


def git(*argv: str | Path) -> str:
    settings = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    return subprocess.run(["git", *settings, *argv], capture_output=True, text=True, check=True).stdout.strip()


@dataclass
class Race:
    """A bare remote, clusters c1 to cN in it, and processes on clones of it. `seed` decides who is killed when."""

    root: Path
    clusters: int
    seed: int
    lease_seconds: float
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    kills: int = 0
    pushes: int = 0
    lives: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.remote, self.work, self.machines = (self.root / n for n in ("remote.git", "work", "machines"))
        self.names = [f"c{n}" for n in range(1, self.clusters + 1)]
        self.machines.mkdir()
        git("init", "-q", "--bare", "--initial-branch=main", self.remote)
        git("-C", self.remote, "config", "core.logAllRefUpdates", "always")
        git("-C", self.remote, "config", "gc.auto", "0")
        git("clone", "-q", self.remote, self.work)
        for number, name in enumerate(self.names, 1):
            text = CLUSTER.replace("name: demo", f"name: {name}").replace("10.20.0.0/24", f"10.{number}.0.0/24")
            text = text.replace("count: 2", "count: 1").replace("m1.large", "m1.medium")
            self.put(f"desired/{name}/cluster.yaml", text + f"  workloads: [{{name: sid, path: manifests/{name}}}]\n")
            self.put(f"manifests/{name}/a.yaml", _config_map(0))
        self.put("terraform/openstack-cluster/main.tf", "# its place is taken\n")
        self.push("clusters")

    def put(self, path: str, text: str) -> None:
        (self.work / path).parent.mkdir(parents=True, exist_ok=True)
        (self.work / path).write_text(text)

    def push(self, message: str) -> None:
        git("-C", self.work, "add", "--all")
        git("-C", self.work, "commit", "-q", "-m", message)
        git("-C", self.work, "push", "-q", "origin", "HEAD:main")

    def start(self, name: str, *, fresh: bool) -> None:
        """Start a process on its clone; with a `fresh` state folder it is another machine to what it held before."""
        self.lives += 1
        clone, state = self.root / name, self.root / f"{name}-state-{self.lives if fresh else 0}"
        if not clone.exists():
            git("clone", "-q", self.remote, clone)
        config = self.root / f"{name}.yaml"
        settings = {
            "state": str(state),
            "git": {"leaseSeconds": self.lease_seconds},
            "http": {"port": None},
            "daemon": {"interval": 15, "poll": 3},
            "terraform": {"keepsDisk": True},  # also where a CI job runs this
        }
        config.write_text(yaml.safe_dump(settings))
        program = [sys.executable, "-c", "from tests.soak.stand_in import main; main()"]
        command = [*program, "--repo", str(clone), "--config", str(config)]
        with (self.root / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*command, "run", "--ref", "origin/main"],
                cwd=PROJECT, stdout=log, stderr=log, env={**os.environ, PLACE: str(self.machines)},
            )  # fmt: skip

    def kill(self) -> None:
        holders = self.holders()
        name = self.random.choice(holders if holders and self.random.random() < 0.7 else sorted(self.processes))
        process = self.processes.pop(name)
        assert process.poll() is None, f"{name} ended by itself: {(self.root / f'{name}.log').read_text()[-2000:]}"
        process.kill()
        process.wait()
        self.kills += 1
        self.start(name, fresh=self.random.random() < 0.5)

    def holders(self) -> list[str]:
        """Who applies something now."""
        history = History(self.remote)
        pids = {t.pid for cluster in history.clusters() if (t := history.tenures(cluster)[-1]).ended is None}
        return sorted(name for name, process in self.processes.items() if process.pid in pids)

    def meddle(self) -> None:
        """Somebody merges a change, or something breaks."""
        name = self.random.choice(self.names)
        if self.random.random() < 0.7:
            self.pushes += 1
            self.put(f"manifests/{name}/a.yaml", _config_map(self.pushes))
            self.push(f"{name}: {self.pushes}")
            return
        live = read(self.machines, name)
        live.objects.clear()
        write(self.machines, name, live)

    def change_all(self) -> None:
        """Somebody merges a change to every cluster: who applies it takes over what the dead left."""
        self.pushes += 1
        for name in self.names:
            self.put(f"manifests/{name}/a.yaml", _config_map(self.pushes))
        self.push(f"all: {self.pushes}")

    def run(self, seconds: float, every: float) -> None:
        """Let them race, with something happening `every` so many seconds, one time in three a kill."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(self.random.uniform(0, 2 * every))
            self.kill() if self.random.random() < 0.35 else self.meddle()

    def settled(self) -> bool:
        """Is every cluster as git says, recorded so, and every lease given back?"""
        history = History(self.remote)
        return set(history.clusters()) == set(self.names) and all(self._settled(history, name) for name in self.names)

    def _settled(self, history: History, name: str) -> bool:
        wanted = yaml.safe_load((self.work / f"manifests/{name}/a.yaml").read_text())["data"]
        live = [m["data"] for m in read(self.machines, name).objects.values() if "data" in m]
        try:
            told = git("-C", self.remote, "show", f"observed:{name}/observed.yaml")
        except subprocess.CalledProcessError:  # nobody recorded it yet
            return False
        return live == [wanted] and "status: in sync" in told and history.tenures(name)[-1].ended is not None

    def wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self.settled():
            assert time.monotonic() < deadline, "it did not converge"
            time.sleep(1)

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


def _config_map(number: int) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{n: '{number}'}}\n"


def race(
    root: Path, *, processes: int, clusters: int, seconds: float, every: float, lease: float, patience: float
) -> Race:
    seed = int(os.environ.get("SOAK_SEED", time.time_ns() % 1_000_000))
    sys.stdout.write(f"SOAK_SEED={seed} does the same again\n")
    made = Race(root, clusters, seed, lease)
    try:
        for n in range(processes):
            made.start(f"p{n}", fresh=False)
        made.wait(patience)
        made.run(seconds, every)
        made.change_all()
        made.wait(patience)
    finally:
        made.stop()
    return made


def prove(made: Race) -> int:
    history = History(made.remote)
    taken_over, commits = history.check_leases(), history.check_records()
    tenures = sum(len(history.tenures(name)) for name in made.names)
    sys.stdout.write(
        f"{made.lives} processes, {made.kills} kills, {made.pushes} pushes: {tenures} leases, {taken_over} taken over "
        f"from the dead, {commits} records\n"
    )
    assert made.kills
    assert commits >= made.clusters
    return taken_over


@pytest.mark.live
@pytest.mark.timeout(600)
def test_three_processes_race_for_four_clusters(tmp_path: Path) -> None:
    """The short version of what `make soak` does."""
    prove(race(tmp_path, processes=3, clusters=4, seconds=20, every=1.5, lease=10, patience=300))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_ten_processes_race_for_twenty_clusters(tmp_path: Path) -> None:
    assert prove(race(tmp_path, processes=10, clusters=20, seconds=300, every=2, lease=30, patience=1500))
