"""A few long jobs at once, that end with the program when it is interrupted."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
_SECONDS = 0.5  # Python sees a signal that comes as a wait begins when the wait is over: no wait may be without an end


def side_by_side(jobs: Sequence[Callable[[], T]], *, at_once: int) -> list[T]:
    """Run all jobs and return their results in order. A job that raises lets the others finish (what they make is
    kept for the next run); then the first error is raised.

    The threads are daemons: a pool's would hold up Ctrl-C until the last compiler is done, while the programs a daemon
    thread started are told to stop when it goes.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    results: dict[int, T] = {}
    errors: list[Exception] = []
    for number in range(len(jobs)):
        waiting.put(number)

    def work() -> None:
        while True:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                results[number] = jobs[number]()
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(_SECONDS)
    if errors:
        raise errors[0]
    return [results[number] for number in range(len(jobs))]
