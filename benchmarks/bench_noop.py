"""The check that finds nothing to do, against what a user would run instead, on one live cluster in one run.

Prints seconds and ratios. What is compared: one look at cloud, nodes, workloads and applications by the reconciler,
beside `tofu plan` for infrastructure and applications plus `kubectl diff` for the back end's manifests.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from reconciler import settings
from reconciler.app import App
from reconciler.progress import QuietProgress, RichProgress
from reconciler.sandbox.sandbox import Sandbox
from reconciler.settings import Settings
from reconciler.toolchain import Toolbox

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.e2e.world import PROJECT, World

RUNS = 5


def main() -> None:
    cache = Settings().cache_folder
    toolbox = Toolbox(cache, progress=RichProgress())
    folder = PROJECT / ".sandbox" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(dir=folder))
    sandbox = Sandbox(root, toolbox=toolbox, cache=cache, progress=RichProgress())
    try:
        sandbox.up()
        world = World(sandbox, root / "world", "demo")
        said = world.reconciler("apply", "demo")
        if said.code:
            raise SystemExit(said.all)
        measure(world, toolbox)
    finally:
        sandbox.down()
        sandbox.wipe()


def measure(world: World, toolbox: Toolbox) -> None:
    app = App(settings.load(world.config), world.repo, QuietProgress())

    def check() -> None:
        state = app.at("HEAD")
        plan, _ = app.cycle(state, state.clusters[0]).check()
        if not plan.in_sync:
            raise SystemExit("the cluster is not in sync: nothing to compare")

    theirs = others(world, toolbox)
    check()  # log in once: the daemon does, and so does nobody who runs tofu
    figures = {
        "reconciler, one check": median(check),
        "reconciler drift, the whole command": median(lambda: must(world.reconciler("drift", "demo").code == 0)),
        **{name: median(run) for name, run in theirs.items()},
    }
    together = sum(figures[name] for name in theirs)
    print(f"\n{'what':45} {'median of ' + str(RUNS):>12}")
    for name, seconds in figures.items():
        print(f"{name:45} {seconds:10.2f} s")
    print(f"{'the other tools together':45} {together:10.2f} s")
    for name in list(figures)[:2]:
        print(f"{name}: {together / figures[name]:.1f} times faster than the other tools together")


def others(world: World, toolbox: Toolbox) -> dict[str, Callable[[], None]]:
    tofu = str(toolbox.ensure("tofu")["tofu"].path)
    env = {
        **os.environ,
        "OS_CLIENT_CONFIG_FILE": str(world.sandbox.clouds_yaml),
        "TF_CLI_CONFIG_FILE": str(toolbox.cli_config()),
    }

    def plan(workspace: str) -> Callable[[], None]:
        (folder,) = world.state.rglob(workspace)
        argv = [tofu, "plan", "-detailed-exitcode", "-input=false", "-no-color"]

        def run() -> None:
            must(subprocess.run(argv, cwd=folder, env=env, capture_output=True, check=False).returncode == 0)

        return run

    def kubectl_diff() -> None:
        folder = str(world.repo / "manifests/sid-backend")
        # exit code 1: it sees the labels that say whose the objects are, and that stand in no manifest
        with contextlib.suppress(subprocess.CalledProcessError):
            world.kubectl("diff", "--server-side", "--field-manager=reconciler", "-f", folder)

    return {
        "tofu plan (infrastructure)": plan("infrastructure"),
        "tofu plan (applications)": plan("applications-moc"),
        "kubectl diff (back end)": kubectl_diff,
    }


def must(held: bool) -> None:
    if not held:
        raise SystemExit("a command that should have found nothing to do found something")


def median(run: Callable[[], None]) -> float:
    took = []
    for _ in range(RUNS):
        began = time.monotonic()
        run()
        took.append(time.monotonic() - began)
    return statistics.median(took)


if __name__ == "__main__":
    main()
