"""Turns chosen drift into a branch that is ready for a pull request: looked at, edited, checked, committed."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ..model.change import Difference, Severity
from ..model.message import commit_message
from ..ports import Repository
from ..spec import desired_state
from ..spec.adopt import Adoption, Left, Scene, adoptions
from ..spec.edit import Edit, edited
from .cycle import Cycle


@dataclass(frozen=True)
class Proposal:
    """What can be adopted of a cluster's drift, and what can't. `files` are the commit's, as git has them."""

    cluster: str
    commit: str
    files: Mapping[str, bytes]
    adoptions: tuple[Adoption, ...]
    left: tuple[Left, ...]

    @property
    def changed(self) -> dict[str, bytes]:
        """The files with all adoptions made. Raises Permanent for a file that can't be edited faithfully."""
        edits: dict[str, list[Edit]] = {}
        for one in self.adoptions:
            edits.setdefault(one.file, []).extend(one.edits)
        return {file: edited(file, self.files[file], found) for file, found in sorted(edits.items())}

    @property
    def branch(self) -> str:
        """A name that says what it is for, the same for the same change."""
        told = "\n".join(text.decode("utf-8", "replace") for text in self.changed.values())
        return f"adopt/{self.cluster}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"

    @property
    def message(self) -> str:
        """The commit's message: what is adopted and what for."""
        lines = []
        for one in self.adoptions:
            lines.append(f"- {one.said}")
            lines += [f"  {d.key} {d.field}".rstrip() + f": {d.cls}, {d.why}" for d in one.differences]
        return commit_message(f"{self.cluster}: adopt what is live", lines)


def proposal(cycle: Cycle, files: Mapping[str, bytes], only: Sequence[str] = ()) -> Proposal:
    """Look at the cluster and say what could be adopted. `files` are those of the commit, encrypted as they are in git;
    `only` are shell patterns over "KIND NAME FIELD"."""
    plan, sight = cycle.check()
    scene = Scene(cycle.desired, cycle.files, sight.expected, sight.observed, plan.open)
    made, left = adoptions(scene)
    chosen = tuple(a for a in made if any(chosen_by(d, only) for d in a.differences))
    return Proposal(
        cycle.desired.name, cycle.commit, files, chosen, tuple(x for x in left if chosen_by(x.difference, only))
    )


def chosen_by(difference: Difference, patterns: Sequence[str]) -> bool:
    """Is it named by one of the patterns? Without any pattern, everything is."""
    name = f"{difference.key} {difference.field}".rstrip()
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def opens(one: Adoption) -> bool:
    """Would git ask for something that lets in anybody, once this is adopted?"""
    return any(d.severity is Severity.CRITICAL for d in one.differences)


def shown(change: Proposal) -> str:
    """The change as a unified diff."""
    lines: list[str] = []
    for file, text in change.changed.items():
        before, after = (t.decode("utf-8", "replace").splitlines(keepends=True) for t in (change.files[file], text))
        lines += difflib.unified_diff(before, after, f"a/{file}", f"b/{file}")
    return "".join(lines)


def propose(
    change: Proposal, repository: Repository, branch: str, *, push: bool, allowed_variables: Collection[str] = ()
) -> str:
    """Commit the change to a new branch. Raises Invalid, with every mistake, when it would make git's state invalid;
    `allowed_variables` as in `desired_state.Sources`."""
    changed = change.changed
    desired_state.refuse_plain_secrets(changed)
    files = {**change.files, **changed}
    sources = desired_state.Sources(files, files, allowed_variables=allowed_variables)
    if error := desired_state.each(sources).failed.get(change.cluster):
        raise error
    return repository.propose(branch, change.commit, changed, change.message, push=push)
