"""A build may be killed at any moment, and two may want the same at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from reconciler.toolchain import Found

from .conftest import World

ENSURE = """
import sys
from pathlib import Path
from reconciler.progress import QuietProgress
from reconciler.toolchain import Toolbox
from reconciler.toolchain.pins import Module, Pins, Tool
root = Path(sys.argv[1])
tool = Tool("spade", "1.2.3", "minor", Module("garden", root / "module", packages=2), "example.org/garden/spade")
Toolbox(root / "cache", progress=QuietProgress(), pins=Pins({"spade": tool})).ensure("spade")
"""


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def building(world: World) -> list[int]:
    """The processes that run the pretended go of this world."""
    mark = str(world.root / "path" / "go").encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue  # ended meanwhile
    return found


def ensuring(world: World) -> subprocess.Popen[bytes]:
    """A process that somebody can interrupt, also when these tests run in the background of a script."""
    return subprocess.Popen(
        [sys.executable, "-c", ENSURE, str(world.root)],
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,  # noqa: PLW1509 - one call, no lock
    )


def test_killed_while_it_builds_it_leaves_nothing_and_starts_over(world: World) -> None:
    world.go()
    os.mkfifo(world.gate)
    child = ensuring(world)
    try:
        until(lambda: world.builds)
    finally:
        child.kill()
        child.communicate()
    until(lambda: not building(world))
    world.gate.unlink()
    box = world.toolbox(world.tool())
    assert box.find("spade") is None
    assert box.ensure("spade")["spade"].source == "build"
    assert sorted(path.name for path in (world.cache / "tools").glob(".*")) == [".garden.lock"]


def test_interrupted_it_ends_at_once_and_ends_the_build(world: World) -> None:
    world.go()
    os.mkfifo(world.gate)
    child = ensuring(world)
    try:
        until(lambda: world.builds)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=20)
    finally:
        child.kill()
    assert b"KeyboardInterrupt" in said
    until(lambda: not building(world))


def test_two_at_once_build_once(world: World) -> None:
    world.go()
    os.mkfifo(world.gate)
    got: list[Found] = []

    def ensure() -> None:
        got.append(world.toolbox().ensure("spade")["spade"])

    threads = [threading.Thread(target=ensure, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    until(lambda: any("waiting for another process" in line for line in world.heard.lines))
    world.gate.write_text("go on\n")
    for thread in threads:
        thread.join(20)
    assert sorted(found.source for found in got) == ["build", "cache"]
    assert len(world.builds) == 1
