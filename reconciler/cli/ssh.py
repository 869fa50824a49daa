"""`reconciler ssh`: a shell on one of a cluster's machines, with the key, the user, the bastion and the pinned key."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer
from rich.text import Text

from .. import process
from ..control import login
from .completion import clusters_of
from .context import context
from .show import out


def ssh(
    ctx: typer.Context,
    cluster: Annotated[str, typer.Argument(help="Which cluster.", autocompletion=clusters_of)],
    machine: Annotated[str, typer.Argument(help="Which machine: demo-worker-1, or worker-1.")],
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[-- COMMAND...]", help="Run this there in the place of a shell.")
    ] = None,
    show: Annotated[bool, typer.Option("--print", help="Print the command line and stop.")] = False,
) -> None:
    """Log in to a machine as the playbooks do: same key and user, through the bastion, its host key insisted on.

    The exit code is ssh's. Example: reconciler ssh demo worker-1 -- journalctl -u kubelet -n 50
    """
    mine = context(ctx)
    (desired,) = mine.select(mine.app.at("HEAD"), [cluster])
    words = command or []
    there = words[1:] if words[:1] == ["--"] else words
    argv = login.command_line(desired, machine, there, mine.app.toolkit, mine.app.logins)
    if show:
        out().print(Text(shlex.join(argv)))
        return
    process.become(argv)
