"""The autoscaler's file in git: read, and written by one commit for what was decided since, whoever else writes.

Straight to the branch, or to a bot's own branch for a pull request. That one always is one commit on top of the branch
people merge into, and goes on from its own file until that is merged. Who deletes it says no to what it held.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ...engine import autoscale
from ...errors import Invalid, ReconcilerError
from ...model.autoscale import Decision
from ...model.desired import Autoscale, effective
from ...ports import Branches, Change
from ...spec.autoscale import FILE, text
from ...spec.load import FLEET, FOLDER, load
from ...spec.tree import Raw
from .desk import Desk, Ground


@dataclass
class Book:
    """One cluster's file on `branch` of the remote; `proposal` is the bot's branch, empty to write straight away.
    `tell` hears, once for each commit, that somebody pushed there what can't be read."""

    repository: Branches
    cluster: str
    branch: str
    proposal: str = ""
    tell: Callable[[str], None] = lambda _: None
    _doubted: str = ""
    # What is read is laid under the desk before anything else is pushed, and the other way round: a desk that stands on
    # older ground than the one its decisions went to would take them for undone.
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def ground(self) -> Ground:
        """What git says now. Raises Transient, Permanent or Invalid."""
        tips = self.repository.tips([name for name in (self.branch, self.proposal) if name])
        if self.branch not in tips:
            hint = "autoscaler.branch of the settings names it"
            raise Invalid(f"the remote has no branch {self.branch!r}", hint=hint)
        return self._ground(tips[self.branch], tips.get(self.proposal))

    def read(self, desk: Desk) -> Ground:
        """Lay under the desk what git says now, and return it. Raises like `ground`."""
        with self._turn:
            found = self.ground()
            desk.stands_on(found)
            return found

    def publish(self, desk: Desk) -> str | None:
        """Push what was decided and return the commit that has it; None where nothing waits. Raises like `ground`."""
        with self._turn:
            pending = desk.pending
            if not pending:
                desk.rest()
                return None

            def make(tip: str, bot: str | None) -> Change | None:
                return self._change(self._ground(tip, bot), pending, desk)

            if self.proposal:
                commit = self.repository.advance(self.proposal, make, onto=self.branch)
                found = self.ground()
            else:
                commit = self.repository.advance(self.branch, make)
                found = self._ground(commit, None)
            desk.published(found, [decision.id for decision in pending])
            return commit

    def machines(self, commit: str) -> frozenset[str]:
        """The names of all machines that the autoscaler's groups had at a commit; none where that can't be read."""
        try:
            found = self._ground(commit, None)
        except ReconcilerError:
            return frozenset()
        groups = found.cluster.spec.node_groups
        return frozenset(f"{self.cluster}-{g.name}-{n}" for g in groups for n in g.numbers)

    def _change(self, ground: Ground, pending: Sequence[Decision], desk: Desk) -> Change | None:
        folded = autoscale.fold(ground.cluster, ground.file, pending, desk.gone)
        if not folded.fresh:
            return None
        before, after = (_targets(Ground(ground.cluster, file)) for file in (ground.file, folded.file))
        said = autoscale.message(self.cluster, before, after, folded.fresh)
        return Change({f"{FOLDER}/{self.cluster}/{FILE}": text(folded.file).encode()}, said)

    def _ground(self, tip: str, bot: str | None) -> Ground:
        found = self._loaded(tip)
        theirs = self._proposed(bot) if bot else None
        if theirs and not set(theirs.spec.decided) <= set(found.file.spec.decided if found.file else ()):
            return Ground(found.cluster, theirs)  # not merged yet
        return found

    def _proposed(self, bot: str) -> Autoscale | None:
        """What the bot's branch holds. Others may push there too: what can't be read is no decision, as if the branch
        was deleted, and the next one replaces it."""
        try:
            return self._loaded(bot).file
        except Invalid as error:
            if self._doubted != bot:
                self._doubted = bot
                self.tell(f"warning: {self.proposal!r} at {bot[:12]} counts as empty: {error.message}")
            return None

    def _loaded(self, commit: str) -> Ground:
        """Only what the autoscaler needs is read: a mistake elsewhere does not stop it."""
        folder = f"{FOLDER}/{self.cluster}"
        there = self.repository.snapshot(commit, (FOLDER,), (folder, FLEET))
        files = Raw(there.files, there.refused)
        needed = (f"{folder}/cluster.yaml", f"{folder}/{FILE}", FLEET)
        (desired,) = load({path: files[path] for path in needed if path in files}, lambda _: True)
        return Ground(desired.cluster, desired.autoscale)


def _targets(ground: Ground) -> Mapping[str, int]:
    file: Autoscale | None = ground.file
    groups = ground.cluster.spec.node_groups
    return {g.name: len(effective(g, file.group(g.name) if file else None).machines) for g in groups}
