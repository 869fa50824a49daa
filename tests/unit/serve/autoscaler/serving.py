"""A server in a process of its own, to be killed: python -m tests.unit.serve.autoscaler.serving ROOT CLONE STATE."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from .harness import Cloud, Place


def main(root: str, clone: str, state: str) -> None:
    cloud = Cloud()
    cloud.boot("demo-worker-1", "demo-worker-2")
    server = Place(Path(root), Path(root) / "remote.git").server(cloud, clone, state=state)
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    server.start()
    print(f"port {server.port}", flush=True)  # noqa: T201
    over.wait()
    server.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
