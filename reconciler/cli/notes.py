"""What somebody should know beside a report, on stderr: what does not count, and what is not applied."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from rich.text import Text

from ..console import Console
from ..report.view import View
from ..spec.load import DesiredCluster
from .context import Context

_SHOWN = 5  # names of files
_AS_COMMITTED = "HEAD"


def tell(mine: Context, clusters: Sequence[DesiredCluster], ref: str) -> None:
    """Print a line for each thing that keeps what somebody wrote from counting."""
    console = Console(sys.stderr, soft_wrap=True)
    for note in (*_uncommitted(mine, ref), *_suspended(clusters)):
        console.print(Text.assemble(("note: ", "bold"), note))


def applies(views: Sequence[View]) -> bool:
    """Would an apply do anything of what these say?"""
    return any(view.steps and not all(step.held for step in view.steps) and _may_act(view) for view in views)


def _may_act(view: View) -> bool:
    return not view.refusals or all(refusal.partial for refusal in view.refusals)


def _uncommitted(mine: Context, ref: str) -> Iterator[str]:
    if ref == _AS_COMMITTED and (changed := mine.app.uncommitted()):
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        yield f"not committed, so it does not count: {', '.join(changed[:_SHOWN])}{more}"


def _suspended(clusters: Sequence[DesiredCluster]) -> Iterator[str]:
    for cluster in clusters:
        place = cluster.place("Cluster", cluster.name, ("spec", "suspend"))
        if cluster.cluster.spec.suspend:
            yield f"{cluster.name} is suspended ({place}): it is looked at, and nothing of it is applied"
        elif cluster.cluster.spec.mode == "report":
            place = cluster.place("Cluster", cluster.name, ("spec", "mode"))
            yield f"{cluster.name} has mode: report ({place}): it is looked at, and nothing of it is applied"
