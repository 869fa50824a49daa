"""`reconciler kubeconfig`: the way into a cluster, printed or put into one's own kubeconfig."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ..console import emit
from ..control import user_kubeconfig
from ..yaml_text import dump
from .completion import clusters_of
from .context import context
from .show import out


def kubeconfig(
    ctx: typer.Context,
    cluster: Annotated[str, typer.Argument(help="Which cluster.", autocompletion=clusters_of)],
    merge: Annotated[bool, typer.Option("--merge", help="Put it into your own kubeconfig.")] = False,
    file: Annotated[
        Path | None, typer.Option("--file", help="With --merge, into this file; else KUBECONFIG's, or ~/.kube/config.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="What the context is called; as the cluster when left out.")] = "",
    use: Annotated[bool, typer.Option("--use", help="With --merge, make it the current context.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="With --merge, replace what is of this name and leads elsewhere.")
    ] = False,
) -> None:
    """Print the kubeconfig of a cluster, or merge it into your own.

    It is the reconciler's own way in, an administrator's unless the settings name another: treat it as a password.
    Example: reconciler kubeconfig demo --merge --use; kubectl get nodes
    """
    mine = context(ctx)
    (desired,) = mine.select(mine.app.at("HEAD"), [cluster])
    tools = mine.app.toolkit
    added = user_kubeconfig.login(name or desired.name, tools.api(desired.name), tools.gate)
    if not merge:
        emit(dump(added.document(), sort_keys=False))
        return
    place = file or user_kubeconfig.users_file(os.environ, Path.home())
    user_kubeconfig.merge(added, place, use=use, overwrite=overwrite)
    out().print(Text(f"{place} has the context {added.name!r} ({added.server})"))
    if not use:
        out().print(Text(f"use it: kubectl --context {added.name} get nodes"))
