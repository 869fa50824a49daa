"""How long runs took before, on this machine: what a plan's estimates are made from."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..engine.decision import run_name
from ..model.outcome import StepOutcome

_FILE = "durations.json"
_KEPT = 5  # the newest runs: a cluster that grew takes longer than it used to


def read(state: Path, cluster: str) -> dict[str, float]:
    """The median of the newest runs, in seconds, by "tool operation component". A file that can't be read has none."""
    return {name: statistics.median(took) for name, took in _runs(state / cluster / _FILE).items() if took}


def remember(state: Path, cluster: str, steps: Sequence[StepOutcome]) -> None:
    """Add the runs that ended well."""
    done = [s for s in steps if s.ok]
    if not done:
        return
    path = state / cluster / _FILE
    runs = {name: list(took) for name, took in _runs(path).items()}
    for outcome in done:
        runs.setdefault(run_name(outcome.step), []).append(round(outcome.seconds, 2))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps({name: took[-_KEPT:] for name, took in sorted(runs.items())}, indent=1) + "\n")
    draft.replace(path)


def _runs(path: Path) -> Mapping[str, Sequence[float]]:
    try:
        found = json.loads(path.read_text())
        return {str(name): [float(t) for t in took] for name, took in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
