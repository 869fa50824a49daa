"""What was taken out of objects from here, so that it is not done again and again to somebody who puts it back.

On this machine and not in git: it decides what is done, and the observed branch may be written by others (decision
0056). Where there is no disk that stays, each run removes it once more.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from pathlib import Path

from .. import files
from ..engine.history import Identity, identity
from ..model.outcome import StepOutcome

# For how long a removal counts: who adds something anew next quarter did not fight anybody.
KEPT = datetime.timedelta(days=30)
_MOST = 10_000


def removed(state: Path, cluster: str, now: datetime.datetime) -> dict[Identity, str]:
    """What was removed lately, and when it had been set. A file that is not there, or can't be read, says nothing."""
    return {name: set_at for name, (set_at, _) in _read(state, cluster, now).items()}


def remember(state: Path, cluster: str, steps: Iterable[StepOutcome], now: datetime.datetime) -> None:
    """Write down what these steps took out. Raises Transient when that can't be written."""
    out = (d for done in steps if done.ok for d in done.step.differences if d.added)
    if fresh := {identity(d): (d.set_at, now.isoformat()) for d in out}:
        kept = {**_read(state, cluster, now), **fresh}
        newest = sorted(kept.items(), key=lambda item: item[1][1], reverse=True)[:_MOST]
        files.write(_file(state, cluster), json.dumps([[*name, *times] for name, times in sorted(newest)]))


def _read(state: Path, cluster: str, now: datetime.datetime) -> dict[Identity, tuple[str, str]]:
    """Each with when it had been set, and when it was removed."""
    try:
        listed = json.loads(_file(state, cluster).read_bytes())
        known: dict[Identity, tuple[str, str]] = {
            (component, kind, name, target, field): (str(set_at), str(when))
            for component, kind, name, target, field, set_at, when in listed
        }
        lately = {name: times for name, times in known.items() if now - _moment(times[1]) < KEPT}
    except (OSError, ValueError, TypeError, RecursionError):
        return {}
    return lately


def _moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def _file(state: Path, cluster: str) -> Path:
    return state / cluster / "removed.json"
