"""Counts what the daemon does, in Prometheus' format: fed by the same events that are logged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from ..control.board import Board, State

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600)


class Metrics:
    """A registry of its own: nothing is counted that is not named here. There is a label `repository` where
    repositories have names."""

    def __init__(self, boards: Sequence[Board], streams: Callable[[], int]) -> None:
        self._boards = boards
        self._streams = streams
        which = ["repository"] if any(board.repository for board in boards) else []
        each = [*which, "cluster"]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        mine = self.registry
        self._cycles = Counter("reconciler_cycles", "Cycles that ended.", [*each, "outcome"], registry=mine)
        self._triggers = Counter("reconciler_triggers", "Why cycles were begun.", [*which, "trigger"], registry=mine)
        self._seconds = Histogram(
            "reconciler_cycle_seconds", "How long a cycle took.", [*which, "outcome"], buckets=_SECONDS, registry=mine
        )
        self._applies = Counter("reconciler_applies", "Cycles that changed something.", each, registry=mine)
        self._answers = Counter("reconciler_webhook_answers", "Answers to webhooks.", ["status"], registry=mine)
        self._refused = Counter("reconciler_http_refused", "Readers who were refused.", ["status"], registry=mine)
        self._cut = Counter("reconciler_http_cut", "Connections that were ended, late or too many.", registry=mine)
        self._clusters = Gauge("reconciler_clusters", "Clusters by what they do now.", [*which, "state"], registry=mine)
        self._differences = Gauge(
            "reconciler_differences", "Differences left after the last cycle.", each, registry=mine
        )
        self._failures = Gauge("reconciler_failures", "Failed cycles in a row.", each, registry=mine)
        self._backup = Gauge(
            "reconciler_backup_timestamp_seconds", "When etcd's newest snapshot was taken.", each, registry=mine
        )
        self._git = Gauge(
            "reconciler_git_failures", "Failed fetches in a row; a followed branch that is gone is one.", which,
            registry=mine,
        )  # fmt: skip
        self._usable = Gauge(
            "reconciler_repository_usable", "1; 0 for one that can't be begun with.", which, registry=mine
        )
        self._watches = Gauge("reconciler_watches", "Open watches on Kubernetes APIs.", registry=mine)

    def event(self, name: str, **fields: object) -> None:
        """Count an event of the fleet."""
        cluster, trigger = str(fields.get("cluster", "")), str(fields.get("trigger", ""))
        which = _named(str(fields.get("repository", "")))
        if name == "begin":
            self._triggers.labels(*which, trigger).inc()
        elif name == "applying":
            self._applies.labels(*which, cluster).inc()
        elif name == "cycle":
            outcome = str(fields.get("outcome"))
            self._cycles.labels(*which, cluster, outcome).inc()
            self._seconds.labels(*which, outcome).observe(float(str(fields.get("seconds") or 0)))

    def answered(self, status: int) -> None:
        """Count an answer to a webhook."""
        self._answers.labels(str(status)).inc()

    def refused(self, status: int) -> None:
        """Count a reader who was refused."""
        self._refused.labels(str(status)).inc()

    def cut(self) -> None:
        """Count a connection that was ended."""
        self._cut.inc()

    def page(self) -> bytes:
        """Everything, as Prometheus reads it."""
        self._differences.clear()
        self._failures.clear()
        self._backup.clear()
        for board in self._boards:
            self._count(board)
        self._watches.set(self._streams())
        return generate_latest(self.registry)

    def _count(self, board: Board) -> None:
        entries, which = board.entries(), _named(board.repository)
        for state in State:
            self._clusters.labels(*which, state.value).set(sum(entry.state is state for entry in entries))
        for entry in entries:
            self._differences.labels(*which, entry.cluster).set(entry.last.differences if entry.last else 0)
            self._failures.labels(*which, entry.cluster).set(entry.failures)
            if entry.last and entry.last.backup:
                self._backup.labels(*which, entry.cluster).set(entry.last.backup.timestamp())
        _of(self._git, which).set(board.git[0])
        _of(self._usable, which).set(board.usable)


def _named(repository: str) -> tuple[str, ...]:
    return (repository,) if repository else ()


def _of(gauge: Gauge, which: tuple[str, ...]) -> Gauge:
    return gauge.labels(*which) if which else gauge
