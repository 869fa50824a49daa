"""A drain that hangs is told while it hangs, with what holds it: a playbook's own line says only that it drains."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

from ..engine.moves import hangs
from ..errors import ReconcilerError
from ..model.guest import Guest
from ..ports import Progress
from .toolkit import Toolkit


def living_on(tools: Toolkit, cluster: str, nodes: Collection[str]) -> tuple[Guest, ...]:
    """The pods that a drain of these nodes would evict. None where they can't be asked for: they explain a plan."""
    access = tools.api(cluster)
    with contextlib.suppress(ReconcilerError):
        return tools.guests(access, nodes) if nodes and access.kubeconfig.exists() else ()
    return ()


@contextmanager
def watched(tools: Toolkit, cluster: str, nodes: Collection[str]) -> Iterator[None]:
    """Tell of a drain of these nodes that hangs, while the block runs."""
    if not nodes:
        yield
        return
    with told(lambda: living_on(tools, cluster, nodes), tools.progress):
        yield


@contextmanager
def told(
    ask: Callable[[], Sequence[Guest]], progress: Progress, *, after: float = 60.0, poll: float = 10.0
) -> Iterator[None]:
    """While the block runs, ask every `poll` seconds what is left on nodes that are drained; say so once that took
    `after` seconds, and again after as long."""
    over = threading.Event()
    thread = threading.Thread(target=_watch, args=(ask, progress, over, after, poll), daemon=True, name="drains")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=poll)


def _watch(
    ask: Callable[[], Sequence[Guest]], progress: Progress, over: threading.Event, after: float, poll: float
) -> None:
    began: dict[str, float] = {}
    said: dict[str, float] = {}
    while not over.wait(poll):
        left = [guest for guest in ask() if guest.draining]
        now, nodes = time.monotonic(), {guest.node for guest in left}
        began = {node: began.get(node, now) for node in nodes}
        for node in sorted(nodes):
            if not over.is_set() and now - max(began[node], said.get(node, 0.0)) >= after:
                said[node] = now
                minutes = max(1, round((now - began[node]) / 60))
                for line in hangs([g for g in left if g.node == node], minutes):
                    progress.log(line)
