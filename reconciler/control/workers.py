"""The workers of one process, shared by its repositories: each asks for one when a cluster is due, and is called when
its turn has come."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from ..engine import fairness
from ..engine.fairness import Turns


@dataclass
class Workers:
    """So many cycles at once, whoever's. For several threads."""

    count: int
    _turns: Turns = field(init=False)
    _wake: dict[str, Callable[[], None]] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self._turns = Turns(self.count, frozenset())

    def share(self, name: str) -> Share:
        """What the repository `name` asks for workers by."""
        with self._guard:
            self._turns = fairness.joined(self._turns, name)
        return Share(self, name)

    def leave(self, name: str) -> None:
        """Nothing is kept free for this one any more."""
        with self._guard:
            self._turns = fairness.left(self._turns, name)
            self._call_next()

    def take(self, name: str, wake: Callable[[], None]) -> bool:
        """One worker for `name`, where there is one and it is its turn; else `wake` is called when it may be."""
        with self._guard:
            self._wake[name] = wake
            self._turns = fairness.wants(self._turns, name)
            if fairness.next_of(self._turns) != name:
                return False
            self._turns = fairness.given(self._turns, name)
            self._call_next()
            return True

    def give_back(self, name: str) -> None:
        with self._guard:
            self._turns = fairness.returned(self._turns, name)
            self._call_next()

    def rest(self, name: str) -> None:
        with self._guard:
            self._turns = fairness.rests(self._turns, name)
            self._call_next()

    def _call_next(self) -> None:
        name = fairness.next_of(self._turns)
        if name is not None:
            self._wake[name]()


@dataclass(frozen=True)
class Share:
    """One repository's part of the workers."""

    workers: Workers
    name: str

    def take(self, wake: Callable[[], None]) -> bool:
        """Whether a cycle may begin now; it gives the worker back. If not, `wake` is called from any thread once it
        may be. Nobody waits in here."""
        return self.workers.take(self.name, wake)

    def give_back(self) -> None:
        """A cycle that had a worker is over."""
        self.workers.give_back(self.name)

    def rest(self) -> None:
        """No cycle of ours waits for a worker any more: others need not wait for us to take ours."""
        self.workers.rest(self.name)
