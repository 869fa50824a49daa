"""`reconciler unlock`: take away the lock that a killed run left on Terraform's state."""

from __future__ import annotations

from typing import Annotated

import typer

from ..control.unlock import unlock as take_away
from .completion import clusters_of
from .context import context
from .show import out


def unlock(
    ctx: typer.Context,
    cluster: Annotated[str, typer.Argument(help="Which cluster.", autocompletion=clusters_of)],
    lock: Annotated[str, typer.Argument(metavar="LOCK-ID", help="As the failed run told it.")],
    ref: Annotated[str, typer.Option("--ref", help="The commit that says where the state is kept.")] = "HEAD",
) -> None:
    """Take away the lock that a killed run left on Terraform's state, once that run is certainly dead.

    A state in a folder needs none of this: there the kernel lets go. What is applied or recorded stays as it is.
    """
    mine = context(ctx)
    state = mine.app.at(ref)
    (found,) = mine.select(state, [cluster])
    name = take_away(mine.app.cycle(state, found), lock)
    out().print(f"the state of {cluster}/{name} is no longer locked")
