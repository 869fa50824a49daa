"""Ansible's events, turned into progress while they come and into failures at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...ports import Task

_RESULTS = {"runner_on_ok", "runner_on_failed", "runner_on_skipped", "runner_on_unreachable"}
_DEEPEST = 5  # results within results that are looked into
_WIDTH = 2000
_SAYS_NOTHING = ("non-zero return code", "MODULE FAILURE", "All items completed", "One or more items failed")


@dataclass(frozen=True, slots=True)
class Failure:
    """What one host's last failure was. `message` is a line; a task with `no_log` has none worth reading."""

    host: str
    task: str
    message: str
    unreachable: bool = False

    def __str__(self) -> str:
        return f"{self.host}, {self.task}: {self.message}"


@dataclass(slots=True)
class Events:
    """Collects one run's events, and shows them on `task`: which play and task, and how many of `hosts` are through."""

    task: Task
    hosts: int = 0
    results: int = 0
    _play: str = ""
    _now: str = ""
    _through: set[str] = field(default_factory=set)
    _last: dict[str, Failure] = field(default_factory=dict)
    _stats: Mapping[str, Mapping[str, int]] | None = None

    def __call__(self, event: Mapping[str, Any]) -> bool:
        """Take an event. Returns False: ansible-runner need not keep a file of each, the log has them."""
        kind, data = str(event.get("event")), _mapping(event.get("event_data"))
        if kind == "playbook_on_play_start":
            self._play = _line(data.get("play") or "")
        elif kind == "playbook_on_task_start":
            self._now = f"{self._play}: {_line(data.get('task') or '')}"
            self._through.clear()
            self._show()
        elif kind == "playbook_on_stats":
            self._stats = {str(name): _counts(counts) for name, counts in data.items()}
        elif kind in _RESULTS:
            self._result(kind, data)
        return False

    def failures(self) -> tuple[Failure, ...]:
        """The last failure of each host that Ansible gave up on, by host."""
        lost = set(self._last)
        if self._stats is not None:
            lost &= {host for count in ("failures", "dark") for host in self._stats.get(count) or {}}
        return tuple(self._last[host] for host in sorted(lost))

    def recap(self) -> str:
        """The run in one line, as Ansible counts it."""
        stats = self._stats or {}
        hosts = {h for count in ("ok", "failures", "dark", "skipped") for h in stats.get(count) or {}}
        names = {"ok": "ok", "changed": "changed", "skipped": "skipped", "failures": "failed", "dark": "unreachable"}
        counts = [f"{n} {name}" for key, name in names.items() if (n := sum((stats.get(key) or {}).values()))]
        return ", ".join([f"{len(hosts)} host{'' if len(hosts) == 1 else 's'}", *counts])

    def _result(self, kind: str, data: Mapping[str, Any]) -> None:
        self.results += 1
        self._through.add(str(data.get("host")))
        self._show()
        unreachable = kind == "runner_on_unreachable"
        if unreachable or (kind == "runner_on_failed" and not data.get("ignore_errors")):
            host, result = str(data.get("host")), _mapping(data.get("res"))
            self._last[host] = Failure(host, _line(data.get("task")), message(result), unreachable)
        with contextlib.suppress(Exception):  # a bar that can't be drawn must not stop a playbook
            self.task.advance()

    def _show(self) -> None:
        of = f" ({len(self._through)} of {self.hosts} hosts)" if self._through and self.hosts > 1 else ""
        with contextlib.suppress(Exception):
            self.task.status(self._now + of)


def message(result: Mapping[str, Any]) -> str:
    """The line of a task's result that says what went wrong. A machine wrote it: it may be of any shape and length."""
    for _ in range(_DEEPEST):
        if "censored" in result:
            return "its output is hidden (no_log)"
        results = result.get("results")
        items = [_mapping(r) for r in results] if isinstance(results, (list, tuple)) else []
        failed = next((item for item in items if item.get("failed")), None)
        if failed is None:
            break
        result = failed
    said = _line(result.get("msg") or "")
    if said and not said.startswith(_SAYS_NOTHING):
        return said
    streams = ("stderr", "module_stderr", "stdout", "module_stdout")
    output = next((str(result[key]).strip() for key in streams if result.get(key)), "")
    return (_line(output.splitlines()[-1]) if output else "") or said or "failed without a message"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _counts(value: object) -> dict[str, int]:
    """Of each host, how often."""
    return {str(host): count for host, count in _mapping(value).items() if isinstance(count, int)}


def _line(value: object) -> str:
    """One line that no terminal obeys."""
    text = str(value)[: 2 * _WIDTH]
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_WIDTH]
