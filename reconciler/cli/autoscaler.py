"""Cluster autoscaling: the server that Cluster Autoscaler asks, and the certificates it is asked with."""

from __future__ import annotations

import datetime
import signal
from pathlib import Path
from typing import Annotated

import typer

from .. import interrupt
from ..errors import Invalid
from .completion import clusters_of
from .context import Context, context
from .show import out
from .simulate import simulate

app = typer.Typer(
    help="Let Cluster Autoscaler decide how many machines a node group has, through git: the server it asks, "
    "certificates for both ends, and a simulation to choose min and max by.\n\n"
    "Node groups with `min` and `max` in cluster.yaml are offered.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.command()(simulate)
_SERVER = ("server.crt", "server.key", "ca.crt")


@app.command()
def serve(
    ctx: typer.Context,
    cluster: Annotated[
        str, typer.Argument(help="Which cluster; may be left out where there is one.", autocompletion=clusters_of)
    ] = "",
    address: Annotated[str, typer.Option(help="HOST:PORT to listen on; else the settings say.")] = "",
    certificates: Annotated[
        Path | None, typer.Option(help="The folder with server.crt, server.key and ca.crt; else the settings say.")
    ] = None,
    plaintext: Annotated[bool, typer.Option("--plaintext", help="No TLS. On loopback only, to try things.")] = False,
) -> None:
    """Serve one cluster's node groups to Cluster Autoscaler (--cloud-provider=externalgrpc), until SIGTERM.

    Each decision becomes a commit to desired/CLUSTER/autoscale.yaml; `reconciler run` carries it out.
    """
    from ..serve.autoscaler import Tls
    from ..serve.files import raised

    raised()
    mine = context(ctx)
    said = mine.app.settings.autoscaler
    folder = certificates or said.certificates
    if folder is None and not plaintext:
        hint = "make them with `reconciler autoscaler certificates DIR`, and give --certificates DIR"
        raise Invalid("there are no certificates to serve with", hint=hint)
    tls = None if plaintext or folder is None else Tls(*(folder / name for name in _SERVER))
    interrupt.listen(signal.SIGTERM, signal.SIGINT)
    server = mine.app.autoscaler(cluster or _only(mine), address or said.address, tls)
    server.start()
    try:
        groups = ", ".join(sorted(server.desk.outlook.groups)) or "none yet: give a group min and max"
        host = (address or said.address).rpartition(":")[0]
        out().print(f"serving on {host}:{server.port} ({'plain text' if tls is None else 'mutual TLS'}): {groups}")
        while not interrupt.requested():
            interrupt.wait(3600)
    finally:
        server.stop()


@app.command()
def certificates(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder for them.")],
    host: Annotated[str, typer.Option(help="The host in Cluster Autoscaler's `address`: a name or an IP address.")],
    days: Annotated[int, typer.Option(min=1, max=3650, help="For how many days they are good.")] = 365,
) -> None:
    """Make an authority, and a certificate for each end: server.* stays here, client.* and ca.crt go to the cluster."""
    from ..serve.autoscaler import certificates as maker

    now = datetime.datetime.now(datetime.UTC)
    for path in maker.make(folder, host, days=days, now=now):
        out().print(str(path))


def _only(mine: Context) -> str:
    found = mine.app.at("HEAD").clusters
    if len(found) != 1:
        raise Invalid("which cluster?", hint=f"there are: {', '.join(c.name for c in found)}")
    return found[0].name
