"""`reconciler diff`: what is live beside what git says, line by line, of one thing or of all that differs."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated

import typer
from rich.text import Text

from ..console import complain
from ..control.sight import Sight
from ..errors import Invalid
from ..model.change import Difference
from ..model.resource import Component, Key
from ..report import sides
from ..report.values import number
from .completion import clusters_of
from .context import context
from .show import out

_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def diff(
    ctx: typer.Context,
    cluster: Annotated[str, typer.Argument(help="Which cluster.", autocompletion=clusters_of)],
    thing: Annotated[
        list[str] | None,
        typer.Argument(metavar="[OBJECT]", help="Such as Deployment sid/backend, or sid/backend; all when left out."),
    ] = None,
    ref: Annotated[str, typer.Option("--ref", help="The commit, branch or tag whose desired state counts.")] = "HEAD",
) -> None:
    """Show both sides of what differs in full: - live, + git. Changes nothing.

    Exit code 0 where nothing differs, 3 where something does. Values of Secrets stay hidden. Examples: reconciler diff
    demo Deployment sid/backend; reconciler diff demo demo-worker-1
    """
    mine = context(ctx)
    mine.mention_uncommitted(ref)
    state = mine.app.at(ref)
    (desired,) = mine.select(state, [cluster])
    plan, sight = mine.app.cycle(state, desired).check()
    name = " ".join(thing or ())
    differences = [d for d in plan.open if not name or _is_called(d.key, name)]
    if not differences:
        _tell_same(name, sight, plan.open)
        return
    wanted = {(c, r.key): r for c in Component for r in sight.expected.resources(c)}
    for text in sides.unified(differences, wanted, state.commit):
        out().print(Text(text, _STYLES.get(text[:1], "") if not text.startswith(("---", "+++")) else "bold"))
    raise typer.Exit(3)


def _is_called(key: Key, name: str) -> bool:
    return name.casefold() in (str(key).casefold(), key.name.casefold(), f"{key.kind}/{key.name}".casefold())


def _tell_same(name: str, sight: Sight, others: Sequence[Difference]) -> None:
    """Nothing differs; or there is nothing of that name, or nobody could see it: which is not the same."""
    keys = {r.key for c in Component for r in sight.expected.resources(c)}
    if name and not any(_is_called(key, name) for key in keys):
        near = get_close_matches(name, [str(key) for key in keys], n=3, cutoff=0.4)
        raise Invalid(f"git has no {name!r} in this cluster", hint=f"such as {', '.join(near)}" if near else None)
    unknown = [f"{component} {kind}: {why.reason}" for component, kind, why in sight.observed.unknowns()]
    for text in unknown:
        complain(f"could not be observed: {text}")
    if unknown:
        raise typer.Exit(1)
    out().print(Text("no differences" + (f" in it ({number(len(others), 'other difference')})" if others else "")))
