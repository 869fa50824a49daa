"""`reconciler ci plan`: the plans of open pull requests, made where the credentials are and told by their comments.

A pull request's own workflow can't be given a credential: whoever pushes a branch writes it. So the plan is made by who
has the credentials anyway, as main has it installed; the pull request is read from git as data, and none of it runs.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ..control import announce
from ..errors import Invalid, ReconcilerError
from ..ports import Forge, PullRequest
from .context import Context, context
from .reports import Folder, Found, write
from .show import Format, failure, out

_MOST = 20  # in one run: those that changed last; somebody may open thousands


def plan(
    ctx: typer.Context,
    head: Annotated[
        str, typer.Option("--head", metavar="COMMIT", help="Only the one with this newest commit; all when left out.")
    ] = "",
    base: Annotated[str, typer.Option("--base", help="The branch that they are to be merged into.")] = "main",
    folder: Folder = None,
) -> None:
    """Plan the open pull requests of this repository and keep a comment on each up to date. Changes nothing else.

    Each is planned as the forge merged it with its base. Those of forks are left out. For a job at main, or a timer on
    the machine of `reconciler run`; a pull request's own job must not have what this takes: credentials of the clouds,
    and a token with pull-requests: write.
    """
    if head and not re.fullmatch(r"[0-9a-f]{40}", head):
        raise Invalid(f"--head {head!r} is no commit", hint="give its whole id, 40 hexadecimal digits")
    mine = context(ctx)
    forge = mine.app.forge
    wanted = [p for p in forge.pull_requests(base) if p.own and head in ("", p.head)]
    _say(f"{len(wanted)} open pull requests of this repository" + (f" with {head[:12]}" if head else ""))
    for left in wanted[_MOST:]:
        _say(f"pull request {left.number}: left for now, {_MOST} others changed after it")
    mine.fetch()
    from .verbs import worst

    raise typer.Exit(worst([_planned(mine, forge, change, folder) for change in wanted[:_MOST]]))


def _planned(mine: Context, forge: Forge, change: PullRequest, folder: Path | None) -> int:
    """Plan one and tell it; what is wrong with it doesn't keep the next one waiting. Returns the exit code."""
    from .verbs import look

    found, code = Found(), 0
    try:
        commit = mine.app.repository.merged(forge.merge_ref(change.number), change.head)
        if commit is None:
            _say(f"pull request {change.number}: not merged with its base by the forge (a conflict?), so not planned")
            return 0
        code = look(mine, None, commit, Format.TEXT, None, found)
    except ReconcilerError as error:
        failure(error)
        found.failed(error)
        code = error.exit_code
    try:
        write(folder / str(change.number) if folder else None, found.report("plan"))
        done = announce.comment(forge, change.number, found.report("plan"), "plan")
    except ReconcilerError as error:
        failure(error)
        return error.exit_code
    _say(f"comment on pull request {change.number}: {done}")
    return code


def _say(text: str) -> None:
    out().print(Text(text))
