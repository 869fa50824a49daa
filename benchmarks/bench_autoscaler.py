"""What Cluster Autoscaler waits for: 100 node groups with 1,000 nodes, over gRPC with mutual TLS on loopback."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.unit.serve.autoscaler.scale import GROUPS, NODES, measured

ROUNDS = 2000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        took, asked = measured(Path(folder), ROUNDS)
    print(f"{GROUPS} node groups, {NODES} nodes, {ROUNDS} calls each; the cloud was asked {asked} times")
    for name, seconds in took.items():
        middle, late = (seconds[int(len(seconds) * part)] * 1000 for part in (0.5, 0.99))
        print(f"{name:18} median {middle:6.2f} ms, 99th percentile {late:6.2f} ms")


if __name__ == "__main__":
    main()
