"""What each cloud has, asked once for all clusters in it: twenty clusters of one project cost the lists of one."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ..errors import ReconcilerError
from ..model.resource import Known, Resource
from ..ports import Cloud, CloudSnapshot


@dataclass
class _Answer:
    lock: threading.Lock = field(default_factory=threading.Lock)
    found: CloudSnapshot | ReconcilerError | None = None
    at: float = -math.inf


@dataclass
class Survey:
    """Answers that every cluster of one round shares. `fleet` names all clusters of the repository, so that what
    carries no tag can be told apart. An answer older than `max_age` seconds is asked for again. May be used from
    several threads."""

    cloud: Callable[[str], Cloud]
    fleet: Sequence[str]
    max_age: float = math.inf
    clock: Callable[[], float] = time.monotonic
    _answers: dict[str, _Answer] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def of(self, cloud: str) -> tuple[CloudSnapshot, bool]:
        """The snapshot of a cloud, and whether somebody had asked for it before: then it may be older than now.

        Raises what Cloud.observe raises, to everybody who asks: a cloud that lets nobody in is not asked again.
        """
        snapshot, age = self.aged(cloud)
        return snapshot, age is not None

    def aged(self, cloud: str) -> tuple[CloudSnapshot, float | None]:
        """The snapshot of a cloud, and how many seconds ago somebody else had it asked for; None where it was asked
        now. Raises like `of`."""
        answer = self._answer(cloud)
        with answer.lock:
            shared = answer.found is not None and self.clock() - answer.at <= self.max_age
            if not shared or answer.found is None:
                answer.at = self.clock()
                answer.found = self._ask(cloud)
            age = self.clock() - answer.at if shared else None
        if isinstance(answer.found, ReconcilerError):
            raise answer.found
        return answer.found, age

    def within(self, seconds: float) -> Survey:
        """The same answers, as long as they are no older than this."""
        return replace(self, max_age=seconds)

    def forget(self, cloud: str) -> None:
        """Somebody changed something there: who asks next asks the cloud."""
        with self._guard:
            self._answers.pop(cloud, None)

    def nobodys(self, cloud: str) -> tuple[Resource, ...]:
        """What carries a tag of ours and names a cluster no folder describes. Raises like `of`."""
        snapshot, _ = self.of(cloud)
        known = {"", *self.fleet}
        listed = (listing for listing in snapshot.kinds.values() if isinstance(listing, Known))
        return tuple(sorted((r for one in listed for r in one.resources if r.owner not in known), key=_order))

    def _answer(self, cloud: str) -> _Answer:
        with self._guard:
            return self._answers.setdefault(cloud, _Answer())

    def _ask(self, cloud: str) -> CloudSnapshot | ReconcilerError:
        try:
            return self.cloud(cloud).observe(self.fleet)
        except ReconcilerError as error:
            return error


def _order(resource: Resource) -> tuple[str, str, str, str]:
    return resource.owner, resource.kind, resource.name, resource.id
