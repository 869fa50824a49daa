"""Which clusters a cloud's own news concern: one cheap request per project, whoever is in it."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from ..clock import utc_now
from ..ports import Feed, Touched

# The cloud's clock and ours may differ: each look asks for so much more, and what it told before is not news.
_OVERLAP = datetime.timedelta(seconds=60)


@dataclass
class CloudWatch:
    """One project of one cloud. Not for several threads at once."""

    feed: Feed
    clock: Callable[[], datetime.datetime] = utc_now
    _since: datetime.datetime | None = None
    _told: dict[str, str] = field(default_factory=dict)

    def look(self) -> frozenset[Touched]:
        """What is new since the last look; nothing the first time. Raises as Feed does."""
        started = self.clock()
        found = self.feed.touched((self._since or started) - _OVERLAP)
        news = frozenset(t for t in found if self._told.get(t.id) != t.stamp)
        first, self._since = self._since is None, started
        self._told = {t.id: t.stamp for t in found}
        return frozenset() if first else news

    @staticmethod
    def owners(found: Iterable[Touched], clusters: Collection[str]) -> Iterator[tuple[str, str]]:
        """The clusters that they belong to, each with what happened. Nova forgets the metadata of what was deleted:
        then the name tells."""
        for touched in found:
            named = [c for c in clusters if touched.name.startswith(f"{c}-")]
            owner = touched.owner or max(named, key=len, default="")
            if owner in clusters:
                yield owner, f"server {touched.name} {touched.stamp.partition(' ')[2].lower().strip()}"
