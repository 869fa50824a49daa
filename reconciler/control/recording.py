"""What a cycle saw goes to the observed branch, unless somebody who looked later was there before."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..engine.freshness import replaces
from ..model.outcome import Outcome
from ..model.resource import Component, Known
from ..report import markdown
from ..report.view import view
from . import host_keys, images, output_memory, outputs, record
from .applied import remember
from .finished import Finished
from .lease import Tenure
from .sight import Sight
from .toolkit import Toolkit


@dataclass(frozen=True)
class Recording:
    """What is to be recorded of one cycle: how it ended, what was seen last and when (UTC), under which lease.
    `seen` is what was on the branch before the cycle looked first; None where the lease kept others from applying."""

    outcome: Outcome
    sight: Sight
    looked: datetime.datetime
    seen: Mapping[str, bytes] | None = None
    tenure: Tenure | None = None

    def commit(
        self, tools: Toolkit, clock: Callable[[], datetime.datetime], *, whatever_is_there: bool = False
    ) -> bool:
        """Commit it where something differs, and say whether it counts: not so when a newer look is recorded already.
        `clock` says what time it is (UTC). Raises Lost where somebody else has the lease by now; what
        Repository.record raises."""
        if self.tenure:
            self.tenure.check_clock()
        folder, sight, outcome = self.outcome.cluster, self.sight, self.outcome
        remember(tools.state, folder, sight.expected, outcome)
        servers = sight.observed.kinds(Component.INFRASTRUCTURE).get("server", Known())
        machines_of = images.text(servers, sight.images)
        images.remember(tools.state, folder, machines_of)
        shown = view(outcome.after, status=outcome.status, observed=sight.observed, expected=sight.expected)
        overtaken = False

        def files(there: Mapping[str, bytes]) -> Mapping[str, str] | None:
            nonlocal overtaken
            if self.tenure:  # asked after the branch was: whoever took over since then and wrote is in our push's way
                self.tenure.check(tools.repository.lease_number(folder))
            overtaken = not whatever_is_there and not self._newer(there, tools.repository.observed_at(folder), clock())
            if overtaken:
                tools.progress.log(f"{folder}: somebody who looked later recorded it meanwhile; that stays")
                return None
            before = record.applied(tools.repository, there, folder)
            finished = Finished(tools.state, folder)
            applied = finished.added(record.now_applied(sight.expected, before, outcome), sight.expected)
            known = outputs.text(sight.outputs, folder)
            return {
                **({f"{folder}/{output_memory.RECORD}": known} if known else {}),
                **host_keys.record_files(sight.cluster, sight.servers, tools, there),
                **({f"{folder}/{images.RECORD}": machines_of} if machines_of else {}),
                f"{folder}/{record.OBSERVED}": record.observed_text(
                    folder, outcome.status, sight.observed, record.Failed(outcome.commit, outcome.error)
                ),
                f"{folder}/{record.APPLIED}": record.applied_text(applied),
                f"{folder}/{record.DRIFT}": markdown.lasting(shown),
                f"{folder}/{record.DIFFERENCES}": record.drift_text((*outcome.after.open, *outcome.after.notices)),
            }

        lease = self.tenure.lease if self.tenure else None
        tools.repository.record(folder, files, record.message(outcome, lease, self.looked))
        return not overtaken

    def _newer(self, there: Mapping[str, bytes], theirs: datetime.datetime | None, now: datetime.datetime) -> bool:
        unchanged = self.seen is None or there == self.seen
        after_it = self.seen is not None and there == self.seen and not self.sight.shared
        return replaces(self.looked, theirs, now, unchanged=unchanged, after_it=after_it)
