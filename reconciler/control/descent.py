"""Where only signed commits are applied, one that leaves out what was applied last is refused: a signature says who
made a commit, and not that it is what is wanted now.

What was applied last is what this machine remembers. A machine that remembers nothing goes by what the observed branch
names: whoever may push there can keep it waiting, and can't move a machine that remembers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .. import files
from ..errors import Blocked
from ..ports import Repository

_FILE = "reached"
_ID = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Reached:
    """The commit a cluster was last brought to, and the one that the settings let it leave the line before for."""

    commit: str = ""
    accepted: str = ""


def check(repository: Repository, state: Path, cluster: str, commit: str, accepted: str) -> None:
    """Raises Blocked when `commit` does not descend from what was applied last, nor from the commit that the settings
    name as `accepted` ("": none), which counts once: what comes after it descends from what it led to."""
    if not repository.signed:
        return
    reached = _reached(state, cluster)
    last = reached.commit or repository.last_recorded(cluster)
    if not last or repository.descends(commit, last):
        return
    if accepted and accepted != reached.accepted and repository.descends(commit, accepted):
        return
    raise _refusal(cluster, commit, last, repository.descends(commit, last), remembered=bool(reached.commit))


def note(repository: Repository, state: Path, cluster: str, commit: str, accepted: str) -> None:
    """Remember that the cluster is being brought to a commit that `check` let through. Raises Transient when that can't
    be written."""
    if not repository.signed:
        return
    reached = _reached(state, cluster)
    used = accepted if accepted and repository.descends(commit, accepted) else reached.accepted
    if Reached(commit, used) != reached:
        files.write(state / cluster / _FILE, f"{commit} {used}".strip() + "\n")


def _refusal(cluster: str, commit: str, last: str, descends: bool | None, *, remembered: bool) -> Blocked:
    why = "leaves it out" if descends is False else "was not compared with it: this clone and the remote do not have it"
    who = "was applied from" if remembered else "was last recorded as applied from"
    return Blocked(
        f"{cluster!r} {who} {last[:12]}, and {commit[:12]} {why}",
        hint="nothing was applied. An older clone: pull. A rewritten branch: push a signed commit that descends from "
        f"both, or, when it is meant so, name it in this machine's settings (git: {{acceptRewrite: {commit}}})",
    )


def _reached(state: Path, cluster: str) -> Reached:
    file = state / cluster / _FILE
    try:
        text = file.read_text()
    except FileNotFoundError:
        return Reached()
    except (OSError, ValueError):
        text = ""
    ids = text.split()
    if not 1 <= len(ids) <= 2 or not all(map(_ID.fullmatch, ids)):
        hint = "look what happened to it; once it is deleted, what the observed branch names counts"
        raise Blocked(f"{file} does not say from which commit {cluster!r} was applied last", hint=hint)
    return Reached(*ids)
