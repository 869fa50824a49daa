"""How soon the daemon reacts, and what it costs while nothing happens. A real daemon, git remote, cloud and cluster.

Reactions: 50 pushes to a bare remote whose post-receive hook sends signed webhooks, each until the daemon begins to
apply; a Deployment that is deleted, until there is another; a server that is deleted, until its cluster's cycle begins.
Idle: 200 clusters, each with an API of its own as far as the daemon can tell, over more than one interval of full
checks: CPU, memory, requests.

    python benchmarks/bench_daemon.py [--pushes 50] [--idle-minutes 11] [--clusters 200] [--only reactions|idle]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.app import App
from reconciler.progress import QuietProgress, RichProgress
from reconciler.sandbox import gitops
from reconciler.sandbox.sandbox import Sandbox
from reconciler.settings import Settings
from reconciler.toolchain import Toolbox
from tests.e2e.daemon import Running, annotate, deleted_and_back, hooked, listening
from tests.e2e.world import PROJECT, World


def main() -> None:
    asked = arguments()
    cache = Settings().cache_folder
    folder = PROJECT / ".sandbox" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(dir=folder))
    toolbox = Toolbox(cache, progress=RichProgress())
    sandbox = Sandbox(root, toolbox=toolbox, cache=cache, progress=RichProgress())
    try:
        sandbox.up()
        world = World(sandbox, root / "world", "demo")
        said = world.reconciler("apply", "demo", timeout=1800)
        if said.code:
            raise SystemExit(said.all)
        if asked.only != "idle":
            reactions(world, asked.pushes)
        if asked.only != "reactions":
            idle(world, root / "fleet", asked.clusters, asked.idle_minutes)
    finally:
        sandbox.down()
        sandbox.wipe()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pushes", type=int, default=50)
    parser.add_argument("--clusters", type=int, default=200)
    parser.add_argument("--idle-minutes", type=float, default=11)
    parser.add_argument("--only", choices=["reactions", "idle"])
    return parser.parse_args()


def reactions(world: World, pushes: int) -> None:
    settings = listening(world, interval=600)
    hooked(world.remote, settings)
    desk = world.config.with_name("desk")  # somebody else's clone: the daemon's own would tell it of a push by itself
    gitops.git("clone", "--quiet", world.remote, desk)
    with Running(world.repo, settings.config, "--ref", "origin/main") as daemon:
        daemon.until("cycle", cluster="demo")
        load = os.getloadavg()[0]
        took = [pushed(desk, daemon, n) for n in range(pushes)]
        show(f"push to the start of apply, {pushes} pushes", took, load)
        show("a deleted Deployment is back, 10 times", [restored(world, daemon) for _ in range(10)], os.getloadavg()[0])
        poll = settings.cloud_poll
        seconds = noticed(world, daemon)
        print(f"a deleted server's cycle begins after {seconds:.1f} s (the cloud is asked every {poll:g} s)")


def pushed(desk: Path, daemon: Running, number: int) -> float:
    """Seconds from before `git push` until the daemon says that it applies that commit."""
    annotate(desk, f"{os.getpid()}-{number}")
    gitops.git("-C", desk, "add", "--all")
    gitops.git("-C", desk, *gitops._NAME, "commit", "--quiet", "-m", f"change {number}")
    commit = gitops.git("-C", desk, "rev-parse", "HEAD").strip()[:12]
    began = time.time()
    gitops.git("-C", desk, "push", "--quiet", "origin", "HEAD:main")
    applying = daemon.until("applying", cluster="demo", commit=commit)
    daemon.until("cycle", cluster="demo", commit=commit, outcome="in sync")
    return when(applying) - began


def restored(world: World, daemon: Running) -> float:
    """Seconds from when a Deployment was deleted until there is another one."""
    seen = len(daemon.events)
    seconds = deleted_and_back(world)
    daemon.until("cycle", after=seen, cluster="demo", outcome="in sync")
    return seconds


def noticed(world: World, daemon: Running) -> float:
    """Seconds from when a server was deleted until a cycle of its cluster begins for that."""
    server = world.servers()["demo-worker-2"]
    seen = len(daemon.events)
    began = time.time()
    world.mischief().connection.compute.delete_server(server)
    event = daemon.until("begin", after=seen, cluster="demo", trigger="cloud")
    daemon.until("cycle", after=seen, cluster="demo", outcome="in sync", seconds=600)
    return when(event) - began


def idle(world: World, folder: Path, clusters: int, minutes: float) -> None:
    repo = fleet(world, folder, clusters)
    settings = listening(world, interval=600, config=folder / "reconciler.yaml", state=folder / "state", workers=8)
    counts = folder / "counts.json"
    applied(world, repo, folder / "state", clusters)
    with Running(repo, settings.config, "--ref", "origin/main", counts=counts) as daemon:
        daemon.until_all(named(clusters), seconds=600)
        process = psutil.Process(daemon.pid)
        time.sleep(20)  # what the first round left is settled
        before, asked, began = process.cpu_times(), json.loads(counts.read_text()), time.monotonic()
        most = 0
        while time.monotonic() - began < minutes * 60:
            time.sleep(2)
            most = max(most, process.memory_info().rss)
        seconds = time.monotonic() - began
        after, now = process.cpu_times(), json.loads(counts.read_text())
        used = sum(
            getattr(after, k) - getattr(before, k) for k in ("user", "system", "children_user", "children_system")
        )
        print(
            f"\n{clusters} idle clusters for {seconds / 60:.1f} minutes (load of the machine {os.getloadavg()[0]:.1f})"
        )
        print(f"  CPU         {100 * used / seconds:6.2f} % of one core, with the gits it ran")
        print(f"  memory      {most / 2**20:6.0f} MiB at most")
        print(f"  threads     {process.num_threads():6}")
        print(f"  watches     {daemon.metric('reconciler_watches'):6.0f}")
        for name in sorted(now):
            print(f"  {(now[name] - asked.get(name, 0)) * 60 / seconds:8.1f} a minute  {name}")


def fleet(world: World, folder: Path, clusters: int) -> Path:
    """A repository with many clusters on the sandbox's cloud, each with objects of its own on the demo's API, in sync.
    They are suspended, since nobody makes their machines."""
    repo, remote = folder / "gitops", folder / "gitops.git"
    gitops.make(repo, remote, PROJECT, world.sandbox.public_key)
    text = (repo / "desired/demo/cluster.yaml").read_text()
    shutil.rmtree(repo / "desired/demo")
    described = yaml.safe_load(text)
    for name in named(clusters):
        described["metadata"]["name"] = name
        workload = {"name": "own", "path": f"manifests/{name}", "namespace": name}
        described["spec"] |= {"suspend": True, "workloads": [workload]}
        for place, content in (("desired", yaml.safe_dump(described)), ("manifests", OBJECTS.format(name=name))):
            (repo / place / name).mkdir()
            (repo / place / name / "cluster.yaml").write_text(content)
    gitops.commit(repo, f"{clusters} clusters")
    return repo


def named(clusters: int) -> list[str]:
    return [f"c{n:03}" for n in range(clusters)]


def applied(world: World, repo: Path, state: Path, clusters: int) -> None:
    """Their objects on the demo's API, and that API under as many kubeconfigs, each another file to the daemon: as
    many APIs, as far as it knows."""
    app = App(Settings(state=state), repo, QuietProgress())
    api = KubernetesApi(world.kubeconfig)
    for name in named(clusters):
        manifests = list(yaml.safe_load_all((repo / "manifests" / name / "cluster.yaml").read_text()))
        api.apply(f"{name}.workloads", manifests, QuietProgress())
        place = app._kubespray().kubeconfig(name)
        place.parent.mkdir(parents=True)
        place.write_text(world.kubeconfig.read_text() + f"# {name}\n")


OBJECTS = """\
apiVersion: v1
kind: Namespace
metadata: {{name: {name}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings, namespace: {name}}}
data: {{cluster: {name}}}
---
apiVersion: v1
kind: Service
metadata: {{name: backend, namespace: {name}}}
spec: {{selector: {{app: backend}}, ports: [{{port: 80}}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: backend, namespace: {name}}}
spec:
  replicas: 0
  selector: {{matchLabels: {{app: backend}}}}
  template:
    metadata: {{labels: {{app: backend}}}}
    spec: {{containers: [{{name: backend, image: "registry.k8s.io/pause:3.10"}}]}}
"""


def show(what: str, seconds: list[float], load: float) -> None:
    ranked = sorted(seconds)
    at = {
        name: ranked[min(len(ranked) - 1, int(len(ranked) * part))] for name, part in (("median", 0.5), ("p95", 0.95))
    }
    print(f"{what}: median {at['median']:.2f} s, p95 {at['p95']:.2f} s, worst {ranked[-1]:.2f} s (load {load:.1f})")


def when(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()


if __name__ == "__main__":
    main()
