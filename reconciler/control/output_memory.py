"""The outputs that count when they can't be seen: what a known key recorded, and what this machine itself saw last.

The record on the observed branch is believed only where it is verified. Else whoever may push there could have an
application talk to a host of theirs (decision 0050).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from .. import files
from ..ports import Repository
from ..spec.output_values import wrong
from ..spec.wiring import Output, Outputs
from ..spec.yaml import Unreadable
from . import shapes

RECORD = "outputs.yaml"
_FILE = "outputs.json"
Paths = Mapping[str, str]


def before(repository: Repository, state: Path, own: str, wanted: frozenset[Output]) -> dict[Output, str]:
    """The values that count for outputs which can't be seen now. `own` is the cluster whose applications want them,
    `state` this machine's folder."""
    seen = _seen(state / own / _FILE)
    said = {name: recorded(repository, name) for name in {o.cluster for o in wanted}} if repository.verified() else {}
    known = ((o, {**seen.get(o.cluster, {}), **said.get(o.cluster, {})}.get(o.path)) for o in wanted if not o.secret)
    return {o: value for o, value in known if value is not None and not wrong(o, value)}


def remember(state: Path, own: str, known: Outputs) -> None:
    """Write down what is known now, by cluster and path. Raises Transient when that can't be written."""
    found: dict[str, dict[str, str]] = {}
    for output, value in sorted(known.values.items()):
        found.setdefault(output.cluster, {})[output.path] = value
    file, text = state / own / _FILE, json.dumps(found, indent=1, sort_keys=True) + "\n"
    if (found or file.exists()) and not (file.is_file() and file.read_text(encoding="utf-8") == text):
        files.write(file, text)


def recorded(repository: Repository, cluster: str) -> dict[str, str]:
    """A cluster's outputs by path, as the observed branch has them in this clone. What can't be read says nothing."""
    path = f"{cluster}/{RECORD}"
    text = repository.observed(cluster).get(path, b"")
    try:
        return shapes.read(shapes.OUTPUTS, RECORD, text, {})
    except Unreadable as error:
        repository.disregard(path, text, str(error))
        return {}


def _seen(file: Path) -> dict[str, Paths]:
    try:
        said = json.loads(file.read_bytes())
        return {str(name): {str(p): str(v) for p, v in paths.items()} for name, paths in said.items()}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}
