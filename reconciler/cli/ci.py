"""`reconciler ci`: what a job of GitHub Actions or GitLab CI tells people, from a report that a verb wrote before."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ..console import emit
from ..control import announce
from ..errors import Blocked, Invalid
from ..ports import Standing
from ..report import actions
from ..report import comment as text
from ..report.markdown import COMMENT_LIMIT
from .context import context
from .plans import plan
from .reports import read
from .show import out

app = typer.Typer(
    help="Tell what a run found: as a comment, an issue, annotations, or a job's summary.\n\n"
    "All of them read the folder that `reconciler plan --report DIR` (or validate, drift, run --once) wrote. They do "
    "the same on a laptop: set GITHUB_REPOSITORY and GITHUB_TOKEN, or CI_PROJECT_ID and GITLAB_TOKEN. A token is read "
    "from the environment and from nowhere else.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Report = Annotated[Path, typer.Argument(metavar="DIR", help="The folder that --report wrote.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be sent, and ask nobody.")]


app.command()(plan)


@app.command()
def guard(
    ctx: typer.Context,
    environment: Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="Where this job's credentials are from.")],
    main: Annotated[str, typer.Option("--main", help="The branch that alone may have them.")] = "main",
) -> None:
    """Refuse to go on unless the forge gives this job's credentials to main alone, as far as a job can see that.

    On GitHub: the environment is limited to main, and main is protected (actions: read, contents: read). On GitLab: the
    job runs on a protected branch. `reconciler doctor` sees more, with an administrator's token.
    """
    found = context(ctx).app.boundaries.of_job(main, environment)
    for boundary in found:
        out().print(Text(f"{boundary.standing}: {boundary.name} {boundary.detail}"))
    bad = [boundary for boundary in found if boundary.standing is not Standing.CLOSED]
    if bad:
        message = f"{bad[0].name} {bad[0].detail}; so nothing is done with the credentials"
        raise Blocked(message, hint=bad[0].hint)


@app.command()
def comment(
    ctx: typer.Context,
    report: Report,
    pull_request: Annotated[
        int | None, typer.Option("--pull-request", min=1, help="Which one; a job knows its own.")
    ] = None,
    key: Annotated[str, typer.Option("--key", help="Tells several comments on one pull request apart.")] = "plan",
    dry_run: DryRun = False,
) -> None:
    """Keep one comment on a pull request up to date. It is found by a mark that nobody sees, and edited.

    A comment has at most 65,536 characters on GitHub: what is too long loses its least severe entries, and says so.
    Needs pull-requests: write.
    """
    told = read(report)
    forge = context(ctx).app.forge
    if dry_run:
        emit(text.comment(told, limit=forge.limit, key=key, run=forge.run))
        return
    change = pull_request or forge.change
    if change is None:
        hint = "this is no job of a pull request; name one with --pull-request"
        raise Invalid("on which pull request?", hint=hint)
    done = announce.comment(forge, change, told, key)
    out().print(f"comment on pull request {change}: {done}")


@app.command()
def issue(
    ctx: typer.Context,
    report: Report,
    label: Annotated[str, typer.Option("--label", help="The issue's label, by which it is found.")] = "drift",
    key: Annotated[str, typer.Option("--key", help="Tells several such issues of one repository apart.")] = "drift",
    dry_run: DryRun = False,
) -> None:
    """Keep one issue up to date: open while something differs or can't be seen, closed when all is in sync.

    It is opened again when something differs again. Needs issues: write.
    """
    told = read(report)
    forge = context(ctx).app.forge
    if dry_run:
        state = "closed, if there is one" if told.in_sync else "open"
        limit = min(forge.limit, COMMENT_LIMIT)
        emit(f"{text.title(told)} [{state}; label {label}]\n\n")
        emit(text.comment(told, limit=limit, key=key, run=forge.run))
        return
    done = announce.issue(forge, told, key, label)
    out().print(Text(f"issue {done}"))


@app.command()
def annotate(report: Report) -> None:
    """Print GitHub's workflow commands: each becomes a note at its file and line in the pull request."""
    emit(actions.commands(read(report)))


@app.command()
def summary(report: Report) -> None:
    """Append the report as Markdown to a job's summary (GITHUB_STEP_SUMMARY), or print it where there is none."""
    told = read(report)
    file = os.environ.get("GITHUB_STEP_SUMMARY", "")
    made = text.summary(told, limit=text.SUMMARY_LIMIT)
    if not file:
        emit(made)
        return
    try:
        with Path(file).open("a", encoding="utf-8") as stream:
            stream.write(made)
    except OSError as error:
        raise Invalid(f"cannot write GITHUB_STEP_SUMMARY ({file}): {error.strerror}") from None
