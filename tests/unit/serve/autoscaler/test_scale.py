"""The size of a large site is answered from memory; benchmarks/bench_autoscaler.py says how fast on an idle machine."""

from __future__ import annotations

from pathlib import Path

from .scale import measured


def test_a_thousand_nodes_are_answered_from_memory(tmp_path: Path) -> None:
    """The bound is one that a machine under load keeps, too: half of the calls within it."""
    took, asked = measured(tmp_path, 60)
    assert asked == 0
    for name, seconds in took.items():
        assert seconds[len(seconds) // 2] < 0.05, (name, seconds[-5:])
