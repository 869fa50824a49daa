"""Views as GitLab's Code Quality report, which a merge request shows beside its lines (a subset of Code Climate's)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from ..errors import Problem
from ..model.change import Severity
from ..text import visible_line
from .values import told
from .view import View

_SEVERITIES = {
    Severity.CRITICAL: "blocker",
    Severity.HIGH: "critical",
    Severity.MEDIUM: "major",
    Severity.LOW: "minor",
    Severity.INFO: "info",
}

_ANY = "backslashreplace"  # a lone surrogate has no bytes


def quality(views: Sequence[View], problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """Mistakes in the desired state, then findings. A fingerprint stays the same over many runs."""
    found = [
        _entry("mistake", "blocker", p.file, p.line, told(f"{p.path}: {p.message}".removeprefix(": ")), p.path)
        for p in problems
    ]
    for view in views:
        file = f"desired/{view.cluster}/cluster.yaml"
        for f in view.findings:
            name = f"{f.resource} {f.field}".rstrip()
            said = f"{view.cluster}: {name}: {f.why}"
            found.append(_entry(f.cls.value, _SEVERITIES[f.severity], file, 1, said, f"{f.component} {name}"))
    return found


def _entry(check: str, severity: str, file: str, line: int, said: str, name: str) -> dict[str, Any]:
    return {
        "description": visible_line(said),
        "check_name": f"reconciler/{check}",
        "fingerprint": hashlib.sha256("\0".join((check, file, name, said)).encode("utf-8", _ANY)).hexdigest()[:32],
        "severity": severity,
        "location": {"path": visible_line(file), "lines": {"begin": max(line, 1)}},
    }
