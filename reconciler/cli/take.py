"""`reconciler import`: what already runs in a project becomes a first cluster.yaml; the plan then changes nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import click
import typer

from ..console import complain, emit
from ..control.take import Taken, Undecided
from ..errors import Invalid
from ..spec.found import Choice, Guesses
from .context import Context, context
from .init import public_key


def take(
    ctx: typer.Context,
    cloud: Annotated[str, typer.Argument(help="The cloud's name in clouds.yaml.")],
    name: Annotated[str, typer.Argument(help="The cluster's name: the one its machines have, or a new one.")],
    servers: Annotated[
        list[str] | None,
        typer.Option("--servers", metavar="PATTERN", help="Its machines, as a shell pattern over their names."),
    ] = None,
    network: Annotated[str, typer.Option("--network", help="Its machines are those on this network.")] = "",
    ssh_user: Annotated[
        str | None, typer.Option("--ssh-user", help="Who logs in; else a guess from the image.")
    ] = None,
    ssh_key: Annotated[
        Path | None, typer.Option("--ssh-key", metavar="FILE", help="The public key; else the key pair's own.")
    ] = None,
    version: Annotated[
        str | None, typer.Option("--kubernetes-version", help="Else the newest that the pinned Kubespray installs.")
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", help="Where to: a file, or - for stdout. Else desired/NAME/cluster.yaml.")
    ] = "",
    state: Annotated[
        bool, typer.Option("--state/--no-state", help="Let Terraform's state know what is live. Writes no cloud.")
    ] = True,
    imports: Annotated[
        Path | None,
        typer.Option("--imports", metavar="FILE", help="Also write Terraform's import blocks to this file."),
    ] = None,
) -> None:
    """Write a first cluster.yaml of what already runs, and let Terraform's state know it. The cloud is only read.

    Machines belong to NAME by their marks, or because they are called NAME-cp-1 and NAME-GROUP-1. Others are named with
    --servers or --network. What was made otherwise is described, and left alone: its file begins suspended.
    """
    mine = context(ctx)
    target = None if output == "-" else Path(output) if output else mine.repo / "desired" / name / "cluster.yaml"
    for file in (target, imports):
        if file is not None and os.path.lexists(file):
            raise Invalid(f"there is {file} already", hint="nothing is overwritten: move it away, or name another file")
    guesses = Guesses(ssh_user, public_key(ssh_key), version)
    found = _found(mine, cloud, name, Choice(tuple(servers or ()), network), guesses)
    _tell(found)
    if imports is not None:
        _write(imports, _blocks(found))
    if target is None:
        emit(found.text)
        return
    _write(target, found.text)
    _say(f"wrote {target}")
    if state and found.live:
        left = mine.app.take(found)
        done = "and would change nothing" if not left else f"and would change {left} things, as told above"
        _say(f"Terraform's state knows {len(found.live)} resources {done}")
    _say(f"next: reconciler validate; git add and commit; reconciler plan {name}")


def _found(mine: Context, cloud: str, name: str, choice: Choice, guesses: Guesses) -> Taken:
    """Ask on a terminal which machines are meant, where that is not clear; a script has to say it."""
    try:
        return mine.app.found(cloud, name, choice, guesses)
    except Undecided as undecided:
        if not (undecided.choices and sys.stdin.isatty() and sys.stderr.isatty()):
            raise
        _say(f"{undecided.message}. There are:")
        for number, (line, _) in enumerate(undecided.choices, 1):
            _say(f"  {number}. {line}")
        numbers = click.IntRange(1, len(undecided.choices))
        return mine.app.found(
            cloud, name, undecided.choices[typer.prompt("Which", type=numbers, err=True) - 1][1], guesses
        )


def _tell(found: Taken) -> None:
    for note in found.notes:
        _say(f"note: {note}")
    for d in found.left:
        said = f"{d.field}: live is {d.live}" if d.field else "is missing" if d.live is None else "is there besides"
        _say(f"left as it is: {d.key} {said}")
    if found.suspended:
        _say(f"begins suspended: {found.suspended}")


def _blocks(found: Taken) -> str:
    """Import blocks, for people who run Terraform by hand. Ids and names are quoted as HCL does."""
    quoted = ((address, id.replace("\\", "\\\\").replace('"', '\\"')) for address, id in sorted(found.live.items()))
    return "\n".join(f'import {{\n  to = {address}\n  id = "{id}"\n}}\n' for address, id in quoted)


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise Invalid(f"cannot write {file}: {error.strerror}", hint="--output names another place") from None


def _say(text: str) -> None:
    """On stderr: stdout may be the file."""
    complain(text)
