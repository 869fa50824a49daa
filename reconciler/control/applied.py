"""What was last applied, as far as it is believed: the record on the observed branch, and what this machine remembers.

Mostly the record decides a word only: pending or drift. In two things it would decide what is done: an entry of a
mapping (a node's label) that git no longer names and was applied is taken off, and a kubeconfig that is refused is
fetched by a playbook only for the version that was applied. Where records are not verified, whoever may push to the
observed branch would decide that, so then only what this machine itself applied counts.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from .. import files
from ..model.outcome import Outcome
from ..model.resource import Expected, Key, Resource
from ..ports import Repository
from . import record


def recorded(repository: Repository, cluster: str) -> Expected:
    """What the observed branch says was last applied."""
    return record.applied(repository, repository.observed(cluster), cluster)


def believed(repository: Repository, state: Path, cluster: str, expected: Expected) -> Expected:
    """The same without what may not be acted on. `state` is this machine's folder, `expected` what git asks for now."""
    said = recorded(repository, cluster)
    if repository.verified():
        return said
    ours = remembered(state, cluster)
    return Expected({c: _known(said.resources(c), expected.resources(c), ours.resources(c)) for c in said.components})


def remember(state: Path, cluster: str, expected: Expected, outcome: Outcome) -> None:
    """Write down what was applied from here; of a component with something left to do, what stands there already, and
    never what the branch says. Raises Transient when that can't be written."""
    now = record.now_applied(expected, remembered(state, cluster), outcome)
    file, text = _file(state, cluster), record.applied_text(now)
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        files.write(file, text)


def _known(*layers: tuple[Resource, ...]) -> tuple[Resource, ...]:
    """The first layer, each resource without the entries of mappings that neither of the others has."""
    said, *others = layers
    named: dict[Key, set[str]] = {}
    for resource in (r for layer in others for r in layer):
        named.setdefault(resource.key, set()).update(resource.fields)
    return tuple(
        replace(r, fields={n: v for n, v in r.fields.items() if "." not in n or n in named.get(r.key, ())})
        for r in said
    )


def remembered(state: Path, cluster: str) -> Expected:
    """What was applied from here; nothing where that was never so."""
    try:
        return record.read_applied(_file(state, cluster).read_bytes())
    except OSError:
        return Expected({})


def _file(state: Path, cluster: str) -> Path:
    return state / cluster / "applied.yaml"
