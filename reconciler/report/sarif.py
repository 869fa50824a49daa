"""Views as SARIF 2.1.0 (OASIS), for code scanning: each finding an alert that is closed when it is gone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias
from urllib.parse import quote

from .. import __version__
from ..errors import Problem
from ..model.change import Severity
from ..text import visible_line
from .values import told, when
from .view import Finding, View

Json: TypeAlias = "dict[str, Any]"

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
# GitHub sorts alerts by this number, 0 to 10 as in CVSS: over 9 is critical, over 7 high, over 4 medium.
_SCORES = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.0",
    Severity.LOW: "2.0",
    Severity.INFO: "0.0",
}


def document(views: Sequence[View], problems: Sequence[Problem] = ()) -> Json:
    """One log with one run for all clusters, in the order of the views; mistakes in the desired state go first."""
    results = [*map(_mistake, problems), *(result for view in views for result in _results(view))]
    rules = {result["ruleId"]: _rule(result["ruleId"]) for result in results}
    driver = {"name": "reconciler", "version": __version__, "rules": [rules[name] for name in sorted(rules)]}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _results(view: View) -> Iterator[Json]:
    yield from (_result(view, f) for f in view.findings)
    for f in view.ignored:
        yield _result(view, f) | {"suppressions": [{"kind": "external", "justification": visible_line(f.why)}]}


def _result(view: View, f: Finding) -> Json:
    name = f"{f.resource} {f.field}".rstrip()
    told = [f"{view.cluster}: {name}: {f.why}", f.change, f.chain, f"repair: {f.repair}", when(f.since, f.set_at)]
    return {
        "ruleId": _plain(f"{f.cls.value}/{f.component.value}/{f.resource.partition(' ')[0]}"),
        "level": _LEVELS[f.severity],
        "message": {"text": _plain(". ".join(part for part in told if part) + ".")},
        "locations": [{"physicalLocation": _place(view)}],
        "partialFingerprints": {"difference/v1": _fingerprint(view, f)},
        "properties": {"severity": str(f.severity), "security-severity": _SCORES[f.severity]},
    }


def _mistake(problem: Problem) -> Json:
    said = told(f"{problem.path}: {problem.message}" if problem.path else problem.message)
    region = {"startLine": max(problem.line, 1), "startColumn": max(problem.column, 1)}
    place = {"artifactLocation": {"uri": quote(visible_line(problem.file)), "uriBaseId": "%SRCROOT%"}, "region": region}
    name = _digest(problem.file, problem.path, problem.message)
    return {
        "ruleId": "invalid/desired/mistake",
        "level": "error",
        "message": {"text": _plain(f"{said}. {told(problem.hint)}" if problem.hint else said)},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"mistake/v1": name},
    }


def _plain(text: str) -> str:
    """A message's text: `[words](address)` would be a link in it (SARIF 3.11.6)."""
    return visible_line(text).replace("](", "] (")


def _place(view: View) -> Json:
    """An alert needs a line of a file: what is live has none, so it is where the cluster is described."""
    file = f"desired/{view.cluster}/cluster.yaml"
    return {
        "artifactLocation": {"uri": quote(visible_line(file)), "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 1},
    }


def _fingerprint(view: View, f: Finding) -> str:
    """The same for the same difference, whatever its values are by now: so that an alert is one over many runs."""
    return _digest(view.cluster, f.component.value, f.resource, f.field)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:32]


def _rule(name: str) -> Json:
    cls, component, kind = name.split("/", 2)
    text = f"{kind} in {component}: {cls}"
    return {"id": name, "shortDescription": {"text": text}, "help": {"text": "docs/knowledge.md says what to do."}}
