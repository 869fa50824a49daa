"""Counts what the daemon does, in Prometheus' format: fed by the same events that are logged."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from ..control.board import Board, State

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600)


class Metrics:
    """A registry of its own: nothing is counted that is not named here."""

    def __init__(self, board: Board, streams: Callable[[], int]) -> None:
        self._board = board
        self._streams = streams
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        mine = self.registry
        self._cycles = Counter("reconciler_cycles", "Cycles that ended.", ["cluster", "outcome"], registry=mine)
        self._triggers = Counter("reconciler_triggers", "Why cycles were begun.", ["trigger"], registry=mine)
        self._seconds = Histogram(
            "reconciler_cycle_seconds", "How long a cycle took.", ["outcome"], buckets=_SECONDS, registry=mine
        )
        self._applies = Counter("reconciler_applies", "Cycles that changed something.", ["cluster"], registry=mine)
        self._answers = Counter("reconciler_webhook_answers", "Answers to webhooks.", ["status"], registry=mine)
        self._refused = Counter("reconciler_http_refused", "Readers who were refused.", ["status"], registry=mine)
        self._cut = Counter("reconciler_http_cut", "Connections that were ended, late or too many.", registry=mine)
        self._clusters = Gauge("reconciler_clusters", "Clusters by what they do now.", ["state"], registry=mine)
        self._differences = Gauge(
            "reconciler_differences", "Differences left after the last cycle.", ["cluster"], registry=mine
        )
        self._failures = Gauge("reconciler_failures", "Failed cycles in a row.", ["cluster"], registry=mine)
        self._backup = Gauge(
            "reconciler_backup_timestamp_seconds", "When etcd's newest snapshot was taken.", ["cluster"], registry=mine
        )
        self._git = Gauge(
            "reconciler_git_failures", "Failed fetches in a row; a followed branch that is gone is one.", registry=mine
        )
        self._watches = Gauge("reconciler_watches", "Open watches on Kubernetes APIs.", registry=mine)

    def event(self, name: str, **fields: object) -> None:
        """Count an event of the fleet."""
        cluster, trigger = str(fields.get("cluster", "")), str(fields.get("trigger", ""))
        if name == "begin":
            self._triggers.labels(trigger).inc()
        elif name == "applying":
            self._applies.labels(cluster).inc()
        elif name == "cycle":
            outcome = str(fields.get("outcome"))
            self._cycles.labels(cluster, outcome).inc()
            self._seconds.labels(outcome).observe(float(str(fields.get("seconds") or 0)))

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
        entries = self._board.entries()
        for state in State:
            self._clusters.labels(state.value).set(sum(entry.state is state for entry in entries))
        self._differences.clear()
        self._failures.clear()
        self._backup.clear()
        for entry in entries:
            self._differences.labels(entry.cluster).set(entry.last.differences if entry.last else 0)
            self._failures.labels(entry.cluster).set(entry.failures)
            if entry.last and entry.last.backup:
                self._backup.labels(entry.cluster).set(entry.last.backup.timestamp())
        self._git.set(self._board.git[0])
        self._watches.set(self._streams())
        return generate_latest(self.registry)
