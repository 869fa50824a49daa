"""`reconciler suspend` and `resume`: one line in git, which keeps every reconciler from changing a cluster."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from ..model.message import commit_message
from ..spec import suspension
from .completion import clusters_of
from .context import context
from .show import out

Name = Annotated[str, typer.Argument(help="Which cluster.", autocompletion=clusters_of)]
Reason = Annotated[str, typer.Option("--reason", "-m", help="Why; it is in the commit's message.")]
Branch = Annotated[str, typer.Option("--branch", help="Commit to a new branch, for a pull request; else to this one.")]
Push = Annotated[bool, typer.Option("--push/--no-push", help="Push the commit to the remote.")]


def suspend(ctx: typer.Context, cluster: Name, reason: Reason = "", branch: Branch = "", push: Push = True) -> None:
    """Stop all changes to a cluster: write `suspend: true` into its file, commit it and push.

    It is still looked at and its drift reported. A reconciler that is in the middle of a cycle ends that cycle first.
    Example: reconciler suspend demo -m "storage is being moved"
    """
    _written(ctx, cluster, True, reason, branch, push)


def resume(ctx: typer.Context, cluster: Name, reason: Reason = "", branch: Branch = "", push: Push = True) -> None:
    """Let a suspended cluster be changed again: take the line out of its file, commit it and push.

    What differs by then is repaired by the next cycle: look at `reconciler plan CLUSTER` first.
    """
    _written(ctx, cluster, False, reason, branch, push)


def _written(ctx: typer.Context, cluster: str, suspended: bool, reason: str, branch: str, push: bool) -> None:
    mine = context(ctx)
    state = mine.app.at("HEAD")
    (desired,) = mine.select(state, [cluster])
    file, verb = suspension.file_of(desired), "suspend" if suspended else "resume"
    text = suspension.changed(desired, mine.app.raw(state.commit)[file], suspend=suspended)
    remote, checkout = mine.app.settings.git.remote if push else "", mine.app.checkout
    if text is None:
        already = f"{cluster} is {'suspended already' if suspended else 'not suspended'}: nothing to commit"
        # The push of last time may have failed, and nobody but this clone knows of the line.
        late = bool(remote) and checkout.unpushed(file, remote)
        pushed = late and checkout.push(remote, branch)
        out().print(Text(already + (f"; pushed now to {branch or checkout.branch}" if pushed else "")))
        return
    message = commit_message(f"{cluster}: {verb}", [reason] if reason else [])
    if branch:
        commit = mine.app.repository.propose(branch, state.commit, {file: text}, message, push=bool(remote))
        pushed = bool(remote)
    else:
        branch = checkout.branch
        commit = checkout.commit(file, text, message)
        pushed = bool(remote) and checkout.push(remote)
    out().print(
        Text(f"branch {branch}, commit {commit[:12]}" + (", pushed" if pushed else ", not pushed yet: git push"))
    )
