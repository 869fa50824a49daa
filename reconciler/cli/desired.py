"""The verbs for those who write the desired state: show what it comes to, and the schemas their editors use."""

from __future__ import annotations

import datetime
import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from ..console import emit
from ..report.json import schema as report_schema
from ..spec import resolved
from ..spec.environments import record
from ..spec.schema import schemas
from .completion import clusters_of
from .context import context
from .show import out


class Shape(StrEnum):
    """How a cluster is shown."""

    YAML = "yaml"
    JSON = "json"


def show(
    ctx: typer.Context,
    cluster: Annotated[str, typer.Argument(help="Which cluster.", autocompletion=clusters_of)],
    origins: Annotated[bool, typer.Option("--resolved", help="Say of each value where it is from.")] = False,
    output: Annotated[Shape, typer.Option("--output", "-o", help="How it is written to stdout.")] = Shape.YAML,
) -> None:
    """Show a cluster as it is after all layers: built-in defaults, desired/fleet.yaml, its own file (as on disk).

    A later layer wins: mappings are merged key by key, lists are replaced whole.
    """
    (found,) = context(ctx).select(context(ctx).app.working_tree(), [cluster])
    today = datetime.datetime.now(datetime.UTC).date()
    if output is Shape.JSON:
        said: dict[str, Any] = {"value": resolved.value(found)}
        said |= {"origins": resolved.origins(found)} if origins else {}
        said |= {"environments": [record(env, today) for env in found.environments]}
        emit(json.dumps(said, indent=2) + "\n")
        return
    told = resolved.lines(found)
    for env in found.environments:
        one = record(env, today)
        until = f", {'expired' if env.expired(today) else 'until'} {env.spec.expires}" if env.spec.expires else ""
        out().print(Text(f"# environment {env.title}: {one['type']}{until}", "dim"), soft_wrap=True)
    width = min(max(len(line.text) for line in told), 60)
    for line in told:
        comment = f"  # {line.origin}" if origins and line.origin else ""
        text = line.text.ljust(width) if comment else line.text
        out().print(Text.assemble(text, (comment, "dim")), soft_wrap=True)


def schema(
    write: Annotated[Path | None, typer.Option(help="Write them into this folder, a file for each kind.")] = None,
) -> None:
    """Print the JSON Schemas of the desired kinds and of reports, which editors and scripts check against."""
    made = {**schemas(), "report": report_schema()}
    if write is None:
        emit(json.dumps(made, indent=2) + "\n")
        return
    write.mkdir(parents=True, exist_ok=True)
    for name, content in made.items():
        (write / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")
        out().print(str(write / f"{name}.json"))
