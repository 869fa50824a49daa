"""`reconciler environment`: the ten lines of a new one, and which there are, for who knows no YAML by heart."""

from __future__ import annotations

import datetime
import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ..console import emit
from ..errors import Invalid
from ..model.desired import Environment
from ..spec.environments import record
from ..spec.load import FOLDER
from ..spec.validate import validate
from ..spec.yaml import Unreadable, parse
from .completion import clusters_of
from .context import context
from .desired import Shape
from .show import out

app = typer.Typer(help="Researchers' environments: write a new one, list them.", no_args_is_help=True)

_TEMPLATE = """\
# yaml-language-server: $schema=../../../schema/environment.json
apiVersion: research.moc/v1alpha1
kind: Environment
metadata:
  name: {name}
spec:
  type: {type} # jupyter, rstudio or desktop
  owner: {owner}
  cpu: "1"
  memory: 2Gi
  volume: 10Gi # outlives the environment; may grow, never shrinks
  # gpu: 1
  # packages: {packages}
"""
_PACKAGES = {"rstudio": "{r: [dplyr]}"}


class Type(StrEnum):
    """What there is."""

    JUPYTER = "jupyter"
    RSTUDIO = "rstudio"
    DESKTOP = "desktop"


@app.command()
def new(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is called; unique for its owner.")],
    type_: Annotated[Type, typer.Option("--type", help="What it is.")],
    owner: Annotated[str, typer.Option(help="Whose it is: lower-case letters, digits, hyphens.")],
    cluster: Annotated[
        str | None, typer.Option(help="On which cluster, where there are several.", autocompletion=clusters_of)
    ] = None,
    expires: Annotated[str | None, typer.Option(help="Its last day, YYYY-MM-DD (UTC); left out: none.")] = None,
) -> None:
    """Write a new environment's file, to be committed. Example: reconciler environment new stats --type rstudio --owner
    ada"""
    state = context(ctx).app.working_tree()
    found = context(ctx).select(state, [cluster] if cluster else None)
    if len(found) != 1:
        names = ", ".join(c.name for c in found)
        raise Invalid(f"there are several clusters: {names}", hint="say which one with --cluster")
    text = drafted(name, type_, owner, expires)
    path = Path(FOLDER, found[0].name, "environments", f"{owner}-{name}.yaml")
    _written(context(ctx).app.path, path, text, [env.title for env in found[0].environments])
    out().print(f"wrote {path}. Commit it, by pull request or at once:", soft_wrap=True)
    out().print(f"  git add {path} && git commit -m '{owner} asks for {type_.value}'", soft_wrap=True)


def drafted(name: str, type_: Type, owner: str, expires: str | None = None) -> str:
    """The text of a new environment's file."""
    text = _TEMPLATE.format(name=name, type=type_.value, owner=owner, packages=_PACKAGES.get(type_, "{pip: [numpy]}"))
    return text + (f"  expires: {expires}\n" if expires else "  # expires: 2027-06-30 # its last day, in UTC\n")


def _written(root: Path, path: Path, text: str, taken: list[str]) -> None:
    """Write it where nothing is. Raises Invalid for what the model would refuse."""
    try:
        documents = parse(str(path), text.encode())
    except Unreadable as error:
        raise Invalid("this makes no environment", problems=[error.problem]) from None
    made, problems = validate(Environment, documents[0])
    if made is None:
        raise Invalid("this makes no environment", problems=problems)
    if made.title in taken or (root / path).exists():
        raise Invalid(f"there is already an environment {made.title!r}", hint=f"change it in {path.parent}")
    try:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    except OSError as error:
        raise Invalid(f"cannot write {path}: {error.strerror}", hint="-C names the clone") from None


@app.command("list")
def list_(
    ctx: typer.Context,
    clusters: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CLUSTER]...", help="Which; all if left out.", autocompletion=clusters_of),
    ] = None,
    output: Annotated[Shape | None, typer.Option("--output", "-o", help="json, for programs.")] = None,
) -> None:
    """Say which environments git asks for, until when, and where each is opened. Asks no cluster."""
    today = datetime.datetime.now(datetime.UTC).date()
    chosen = context(ctx).select(context(ctx).app.working_tree(), clusters)
    rows = [{"cluster": c.name, **record(env, today)} for c in chosen for env in c.environments]
    if output is Shape.JSON:
        emit(json.dumps(rows, indent=2) + "\n")
        return
    table = Table("cluster", "owner", "name", "type", "state", "expires", "opened at", box=None, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*(str(row[k] or "") for k in ("cluster", "owner", "name", "type", "state", "expires", "open")))
    out().print(table)
