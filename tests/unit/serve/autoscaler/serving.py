"""A server in a process of its own: python -m tests.unit.serve.autoscaler.serving ROOT CLONE STATE, and the folder of
its certificates where it is to have some."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import reconciler.serve.autoscaler  # noqa: F401 - before grpc, as the program does
from reconciler import interrupt

from .harness import Cloud, Place, make_certificates


def main(root: str, clone: str, state: str, certificates: str = "") -> None:
    cloud = Cloud()
    cloud.boot("demo-worker-1", "demo-worker-2")
    tls = make_certificates(Path(certificates)) if certificates else None
    server = Place(Path(root), Path(root) / "remote.git").server(cloud, clone, state=state, tls=tls)
    interrupt.listen(signal.SIGTERM)
    server.start()
    print(f"port {server.port}", flush=True)  # noqa: T201
    while not interrupt.requested():
        interrupt.wait(3600)
    server.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
