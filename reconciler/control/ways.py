"""What the fleet reaches the world by, what it follows, and how often it looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..ports import Api, Feed, Followed, Progress, Watcher
from ..spec.load import DesiredCluster
from .cycle import Cycle, Moment
from .revision import Desired, Reader
from .sight import Sight
from .survey import Survey


class Told(Protocol):
    """Who hears of every event: the log and the metrics."""

    def __call__(self, event: str, **fields: object) -> None: ...


class MakesCycles(Protocol):
    """Makes one cycle of one cluster."""

    def __call__(
        self, state: Desired, cluster: DesiredCluster, survey: Survey, *, progress: Progress, expected: bool,
        told: Callable[[Moment], None], doing: Callable[[str], None],
    ) -> Cycle: ...  # fmt: skip


@dataclass(frozen=True)
class Ways:
    """What the fleet reaches the world by. `apis` says what to watch of a cluster that was looked at."""

    repository: Followed
    reader: Reader
    cycle: MakesCycles
    survey: Callable[[Sequence[str]], Survey]
    feed: Callable[[str], Feed]
    apis: Callable[[str, Sight], Sequence[Api]]
    watcher: Watcher
    progress: Callable[[str], Progress]


@dataclass(frozen=True, slots=True)
class Terms:
    """What is followed (`observed` is the branch we write ourselves) and how often, in seconds: `interval` between two
    full checks of a cluster, `poll` between two fetches, `cloud_poll` between two looks at what changed in a cloud.
    `names` are the clusters; all when empty."""

    ref: str = "HEAD"
    observed: str = "observed"
    names: tuple[str, ...] = ()
    interval: float = 600.0
    poll: float = 60.0
    cloud_poll: float = 15.0
    jitter: float = 0.1
    workers: int = 8

    def follows(self, ref: str) -> bool:
        """Whether a push to this ref (by its full name) may change what we follow."""
        kind, _, name = ref.removeprefix("refs/").partition("/")
        if self.ref == "HEAD":
            return kind in ("heads", "tags") and name != self.observed
        return bool(name) and (self.ref == name or self.ref.endswith(f"/{name}"))
