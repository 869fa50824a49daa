"""Everything one run of a verb found, in one document: what failed beside what was seen, so that it can be told later.

A job looks once and tells it in many places: a comment, annotations, a summary, an issue. They all read this document.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from types import UnionType
from typing import Any, cast, get_args, get_origin, get_type_hints

from ..errors import Invalid, Problem, ReconcilerError
from ..model.change import Severity
from ..model.outcome import Status
from . import html, sarif
from . import json as json_report
from .quality import quality
from .values import told
from .view import View

FILE = "report.json"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is nothing to say of a cluster, or of any (`cluster` is empty then)."""

    cluster: str
    message: str
    hint: str
    exit_code: int
    problems: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, error: ReconcilerError, cluster: str = "") -> Failure:
        problems = error.problems if isinstance(error, Invalid) else ()
        return cls(cluster, told(error.message), told(error.hint or ""), error.exit_code, problems)


@dataclass(frozen=True, slots=True)
class Report:
    """One run of `verb`. `commit` is the desired state's; empty for the working tree, and where none could be read."""

    verb: str
    commit: str
    views: tuple[View, ...] = ()
    failures: tuple[Failure, ...] = ()

    @property
    def in_sync(self) -> bool:
        """Whether everything was seen and nothing differs. What could not be seen is never in sync."""
        calm = (Status.IN_SYNC, Status.SUSPENDED, Status.DESTROYED)
        return bool(self.views) and not self.failures and all(v.status in calm and not v.findings for v in self.views)


def files(report: Report) -> dict[str, str]:
    """The report as files, by name: for scripts, for code scanning, and a page for each cluster."""
    scanned = sarif.document(report.views, [p for f in report.failures for p in f.problems])
    made = {
        FILE: _text(document(report)),
        "report.sarif": _text(scanned),
        "codequality.json": _text(quality(report.views, [p for f in report.failures for p in f.problems])),
    }
    return made | {f"{_name(view.cluster)}.html": html.render(view) for view in report.views}


def _name(cluster: str) -> str:
    """What is nobody's is called by its tag, which others can write: nothing in it may lead to another folder."""
    return re.sub(r"[^a-z0-9-]", "-", cluster) or "-"


def document(report: Report) -> dict[str, Any]:
    """The report as a JSON-like document; `clusters` are as `reconciler drift -o json` prints them."""
    return {
        "version": VERSION,
        "verb": report.verb,
        "commit": report.commit,
        "clusters": [json_report.document(v) for v in report.views],
        "failures": [_plain(f) for f in report.failures],
    }


def read(text: bytes, name: str) -> Report:
    """The report that a document says. `name` is what an error calls it. Raises Invalid for one that is not ours."""
    hint = f"name a folder that `--report` made; this reconciler reads version {VERSION}"
    try:
        found = json.loads(text)
        if found["version"] != VERSION:
            raise ValueError
        views = tuple(cast("View", _value(View, one)) for one in found["clusters"])
        failures = tuple(cast("Failure", _value(Failure, one)) for one in found["failures"])
        return Report(str(found["verb"]), str(found["commit"]), views, failures)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Invalid(f"{name} is no report", hint=hint) from None


def _text(document: object) -> str:
    return json.dumps(document, indent=2) + "\n"


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {json_report.key(f.name): _plain(getattr(value, f.name)) for f in fields(value)}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _value(kind: Any, found: Any) -> Any:
    """The reverse of what made the document: a value of the type `kind`. Raises ValueError, KeyError or TypeError."""
    if isinstance(kind, UnionType):
        options = get_args(kind)
        return None if found is None and type(None) in options else _value(options[0], found)
    if get_origin(kind) is tuple:
        return tuple(_value(get_args(kind)[0], item) for item in _checked(found, list))
    if is_dataclass(kind):
        return _record(kind, _checked(found, dict))
    if kind is Severity:
        return Severity[str(found).upper()]
    if issubclass(kind, Enum):
        return kind(found)
    return float(found) if kind is float and isinstance(found, int) else _checked(found, kind)


def _record(kind: Any, found: Mapping[str, Any]) -> Any:
    """What a document leaves out has its default: an older version did not have it, or there is none."""
    types, names = get_type_hints(kind), {f.name: json_report.key(f.name) for f in fields(kind)}
    may_lack = {f.name for f in fields(kind) if f.default is not MISSING}
    there = {name for name, key in names.items() if key in found or name not in may_lack}
    return kind(**{name: _value(types[name], found[names[name]]) for name in names if name in there})


def _checked(found: Any, kind: type) -> Any:
    if not isinstance(found, kind) or (kind is not bool and isinstance(found, bool)):
        raise TypeError
    return found
