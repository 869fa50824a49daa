"""`doctor --cluster`: what this machine has for a cluster, what it would get by itself, and what it may not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from enum import StrEnum

from rich.table import Table
from rich.text import Text

from ..app import App
from ..console import emit
from ..control.revision import Desired
from ..control.standing import checks
from ..errors import ReconcilerError
from ..model.check import Check
from ..serve.autoscaler.journal import waiting
from ..spec.desired_state import opens
from ..spec.load import DesiredCluster
from ..text import escape_json
from .context import Context
from .show import out

MARKS = {True: ("ok", "green"), False: ("bad", "red"), None: ("?", "yellow")}


class LinesFormat(StrEnum):
    """How doctor's lines are written."""

    TEXT = "text"
    JSON = "json"


def examine_clusters(run: Context, names: Sequence[str], form: LinesFormat) -> int:
    """Print every line about these clusters. Returns 0 when all is well, else 1. Raises Invalid for an unknown name."""
    state = run.app.at("HEAD")
    loaded = run.loaded(state, names)
    failed = run.failed(state, names)
    by_cluster = {name: [_not_loaded(error)] for name, error in failed.items()}
    by_cluster |= {c.name: list(_checks(run.app, state, c)) for c in loaded}
    if form is LinesFormat.JSON:
        emit(escape_json(json.dumps([document(*one) for one in sorted(by_cluster.items())], indent=2)) + "\n")
    else:
        for name, lines in sorted(by_cluster.items()):
            show(lines, name)
    return 0 if all(check.well for lines in by_cluster.values() for check in lines) else 1


def show(lines: Sequence[Check], title: str = "") -> None:
    """A table of lines, with the mark of each."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), title=title or None, title_justify="left")
    for check in lines:
        words = check.said + (f"\n  hint: {check.hint}" if check.hint and not check.ok else "")
        table.add_row(Text(*MARKS[check.ok]), Text(check.what), Text(words))
    out().print(table)


def _checks(app: App, state: Desired, cluster: DesiredCluster) -> Iterator[Check]:
    tools = app.cycle(state, cluster).tools
    yield from checks(cluster, tools, app.settings.ssh_key)
    yield _journal(app, cluster)
    yield _encrypted(app, state)


def _journal(app: App, cluster: DesiredCluster) -> Check:
    """What the autoscaler decided here and git does not have."""
    pending = waiting(app.state / cluster.name / "autoscaler")
    words = f"{pending} decisions wait to be pushed" if pending else "empty: what git says was decided"
    return Check("autoscaler's journal", True, words)


def _encrypted(app: App, state: Desired) -> Check:
    """The state was loaded, so that what SOPS keeps was opened; unless nobody may open it for this commit."""
    count = sum(opens(path, text) for path, text in app.raw(state.commit).items())
    try:
        app.repository.verify(state.commit)
    except ReconcilerError as error:
        return Check("encrypted files", False, f"{count} in git, kept closed: {error.message}", error.hint or "")
    return Check("encrypted files", True, f"{count} in git, opened by the keys of this machine" if count else "none")


def _not_loaded(error: ReconcilerError) -> Check:
    return Check("desired state", False, error.message, error.hint or "")


def document(cluster: str, lines: Sequence[Check]) -> dict[str, object]:
    """The lines about one cluster for programs: `well` says what the exit code says."""
    marks = {True: "ok", False: "bad", None: "unknown"}
    entries = [
        {"what": c.what, "state": marks[c.ok], "said": c.said, "hint": "" if c.ok else c.hint, "optional": c.optional}
        for c in lines
    ]
    return {"cluster": cluster, "well": all(c.well for c in lines), "checks": entries}
