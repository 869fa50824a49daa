"""A server in a process of its own, to be killed: python -m tests.unit.serve.autoscaler.serving ROOT CLONE STATE."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from reconciler import interrupt

from .harness import Cloud, Place


def main(root: str, clone: str, state: str) -> None:
    cloud = Cloud()
    cloud.boot("demo-worker-1", "demo-worker-2")
    server = Place(Path(root), Path(root) / "remote.git").server(cloud, clone, state=state)
    interrupt.listen(signal.SIGTERM)
    server.start()
    print(f"port {server.port}", flush=True)  # noqa: T201
    while not interrupt.requested():
        interrupt.wait(3600)
    server.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
