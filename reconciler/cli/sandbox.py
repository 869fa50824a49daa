"""`reconciler sandbox`: a real OpenStack on this machine, without root, to try things on."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ..sandbox.sandbox import Sandbox
from .context import context
from .show import out

app = typer.Typer(
    help="A real cloud on one machine: Keystone, Glance, Placement, Neutron and Nova on loopback, and an SSH host for "
    "every server.",
    no_args_is_help=True,
)
Folder = Annotated[Path, typer.Option("--dir", help="Where the sandbox keeps everything.")]
DEFAULT = Path(".sandbox")


class Extra(StrEnum):
    """OpenStack's optional services."""

    CINDER = "cinder"
    OCTAVIA = "octavia"


With = Annotated[
    list[Extra] | None,
    typer.Option("--with", help="Also volumes or load balancers. Stays until the sandbox is wiped."),
]


@app.command()
def up(ctx: typer.Context, folder: Folder = DEFAULT, extras: With = None) -> None:
    """Start it (the first time also makes it) and say how to use it."""
    mine = context(ctx)
    cache = mine.app.settings.cache_folder
    sandbox = Sandbox(folder, toolbox=mine.app.toolbox, cache=cache, progress=mine.progress, extras=extras or [])
    sandbox.up()
    out().print(f"the sandbox is up. Use it with:\n  export RECONCILER_CONFIG={sandbox.config}")
    out().print(f"  export OS_CLIENT_CONFIG_FILE={sandbox.clouds_yaml} OS_CLOUD=sandbox   # for the openstack client")


@app.command()
def status(ctx: typer.Context, folder: Folder = DEFAULT) -> None:
    """Say what of it runs. Exit code 0: all of it, 3: not all."""
    mine = context(ctx)
    sandbox = Sandbox(folder, toolbox=mine.app.toolbox, cache=mine.app.settings.cache_folder, progress=mine.progress)
    table = Table("what", "where", "state", box=None, padding=(0, 2, 0, 0))
    rows = sandbox.status()
    for row in rows:
        table.add_row(row.name, row.where, "up" if row.up else "down")
    out().print(table)
    raise typer.Exit(0 if rows and all(row.up for row in rows) else 3)


@app.command()
def down(
    ctx: typer.Context,
    folder: Folder = DEFAULT,
    wipe: Annotated[bool, typer.Option("--wipe", help="Also delete everything it made.")] = False,
) -> None:
    """End everything it started. What was made stays, and `up` goes on from there."""
    mine = context(ctx)
    sandbox = Sandbox(folder, toolbox=mine.app.toolbox, cache=mine.app.settings.cache_folder, progress=mine.progress)
    sandbox.down()
    if wipe:
        sandbox.wipe()
