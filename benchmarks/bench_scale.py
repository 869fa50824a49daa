"""The no-op check of a cluster of 50 servers against `tofu plan`, and what 20 clusters of one project cost.

Both in one run on one live sandbox. The first figure is a ratio of wall times; the second is counted, not timed: HTTP
requests to OpenStack for a look at one cluster, and for a look at twenty.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from reconciler import settings
from reconciler.app import App
from reconciler.control.revision import Desired
from reconciler.progress import QuietProgress, RichProgress
from reconciler.sandbox.sandbox import Sandbox
from reconciler.settings import Settings
from reconciler.toolchain import Toolbox

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.bench_noop import median, must
from tests.e2e.world import PROJECT, World

SERVERS = 50
CLUSTERS = 20


def main() -> None:
    cache = Settings().cache_folder
    toolbox = Toolbox(cache, progress=RichProgress())
    folder = PROJECT / ".sandbox" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    sandbox = Sandbox(Path(tempfile.mkdtemp(dir=folder)), toolbox=toolbox, cache=cache, progress=RichProgress())
    try:
        sandbox.up()
        world = World(sandbox, sandbox.root / "world", "demo", workers=SERVERS - 1)
        world.commit("fifty servers")
        said = world.reconciler("apply", "demo", timeout=1800)
        if said.code:
            raise SystemExit(said.all)
        measure(world, toolbox)
        count(world)
    finally:
        sandbox.down()
        sandbox.wipe()


def measure(world: World, toolbox: Toolbox) -> None:
    """One cluster, in sync: our whole look at it beside OpenTofu's at its machines alone."""
    app = App(settings.load(world.config), world.repo, QuietProgress())
    state = app.at("HEAD")

    def check() -> None:
        plan, _ = app.cycle(state, state.clusters[0]).check()
        if not plan.in_sync:
            raise SystemExit(f"not in sync: {[(str(d.key), d.field, d.why) for d in plan.open][:5]}")

    check()  # log in once, as the daemon does
    ours, theirs = median(check), median(tofu_plan(world, toolbox))
    command = median(lambda: must(world.reconciler("drift", "demo").code == 0))
    print(f"\nno-op check of {SERVERS} servers, median of 5")
    print(f"  tofu plan                        {theirs:8.2f} s")
    print(f"  reconciler, one check            {ours:8.2f} s   {theirs / ours:5.1f} times faster")
    print(f"  reconciler drift, whole command  {command:8.2f} s   {theirs / command:5.1f} times faster")


def count(world: World) -> None:
    """Twenty clusters of one project: the demo and nineteen that are only in git."""
    app = App(settings.load(world.config), world.repo, QuietProgress())
    one = app.at("HEAD")
    many = fleet(one)
    figures = []
    for state in (one, many):
        survey = app.survey(state)
        app.toolkit.cloud("sandbox").observe(())  # logged in
        with requests() as made:
            began = time.monotonic()
            for cluster in state.clusters:
                app.cycle(state, cluster, survey).check()
            figures.append((len(state.clusters), sum(made.values()), time.monotonic() - began))
    print("\nrequests to OpenStack for one look at every cluster of a project")
    for clusters, asked, seconds in figures:
        print(f"  {clusters:3} clusters  {asked:4} requests  {seconds:6.2f} s")
    must(figures[0][1] == figures[1][1])


def fleet(state: Desired) -> Desired:
    """The same cluster under twenty names."""
    (demo,) = state.clusters
    others = [
        replace(demo, cluster=demo.cluster.model_copy(update={"metadata": demo.cluster.metadata.model_copy(
            update={"name": f"bench{n}"})}), environments=(), applications=())
        for n in range(1, CLUSTERS)
    ]  # fmt: skip
    return replace(state, clusters=(demo, *others))


@contextmanager
def requests() -> Iterator[Counter[str]]:
    """Count what goes over the wire to the cloud, by method and path."""
    from keystoneauth1.session import Session

    made: Counter[str] = Counter()
    original = Session._send_request

    def counting(self: Any, url: str, method: str, *rest: Any, **named: Any) -> Any:
        made[f"{method} {url.partition('?')[0]}"] += 1
        return original(self, url, method, *rest, **named)

    Session._send_request = counting
    try:
        yield made
    finally:
        Session._send_request = original


def tofu_plan(world: World, toolbox: Toolbox) -> Callable[[], None]:
    env = {
        **os.environ,
        "OS_CLIENT_CONFIG_FILE": str(world.sandbox.clouds_yaml),
        "TF_CLI_CONFIG_FILE": str(toolbox.cli_config()),
    }
    (folder,) = world.state.rglob("infrastructure")
    argv = [str(toolbox.ensure("tofu")["tofu"].path), "plan", "-detailed-exitcode", "-input=false", "-no-color"]

    def run() -> None:
        done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"tofu plan would change something: {done.stdout[-2000:]}")

    return run


if __name__ == "__main__":
    main()
