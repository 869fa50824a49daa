"""`reconciler adopt`: drift that is wanted becomes a change of the desired state, for a pull request."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated

import typer
from rich.syntax import Syntax
from rich.text import Text

from ..control.adopt import Proposal, opens, proposal, propose, shown
from ..errors import Invalid
from ..spec.adopt import Adoption
from . import complete
from .context import context
from .show import out

_OPENS = "lets in anybody on the internet: adopting it makes that what git asks for"
_NOTHING = 3  # as for drift: there is some, and it is still there


def adopt(
    ctx: typer.Context,
    cluster: Annotated[str, typer.Argument(help="Which cluster.", autocompletion=complete.clusters)],
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="PATTERN", help='Just these, such as "security_group_rule *" or "* flavor".'),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that can be adopted, without asking.")] = False,
    branch: Annotated[str, typer.Option("--branch", help="The new branch; adopt/CLUSTER-… when left out.")] = "",
    ref: Annotated[str, typer.Option("--ref", help="The commit the branch starts from.")] = "HEAD",
    push: Annotated[bool, typer.Option("--push/--no-push", help="Push the branch to the remote.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the change and stop.")] = False,
) -> None:
    """Turn drift into a change of the desired YAML, on a branch that is ready for a pull request.

    Comments and layout stay; nothing is applied, and no checkout is touched. The opposite, setting drift back to what
    git says, is what `reconciler apply` does.
    """
    mine = context(ctx)
    state = mine.app.at(ref)
    (found,) = mine.select(state, [cluster])
    change = proposal(mine.app.cycle(state, found), mine.app.raw(state.commit), only or ())
    _tell(change)
    if not change.adoptions:
        raise typer.Exit(_NOTHING if change.left else 0)
    change = change if everything or only or dry_run else _asked(change)
    difference = shown(change)
    out().print(Syntax(difference, "diff", background_color="default") if sys.stdout.isatty() else Text(difference))
    if dry_run or not change.adoptions:
        raise typer.Exit(0)
    name = branch or change.branch
    allowed = mine.app.settings.ansible.allow_variables
    commit = propose(change, mine.app.repository, name, push=push, allowed_variables=allowed)
    out().print(f"branch {name}, commit {commit[:12]}" + (", pushed: open a pull request for it" if push else ""))


def _tell(change: Proposal) -> None:
    if not change.adoptions and not change.left:
        out().print(f"{change.cluster} is in sync: there is nothing to adopt")
    for one in change.adoptions:
        out().print(Text.assemble(("can be adopted: ", "green"), one.said))
        if opens(one):
            out().print(Text.assemble(("warning: ", "bold red"), _OPENS))
    for left in change.left:
        what = f"{left.difference.key} {left.difference.field}".rstrip()
        out().print(Text.assemble(("left to apply:  ", "yellow"), f"{what}: {left.why}"))


def _question(one: Adoption) -> str:
    return f"adopt: {one.said}?" if not opens(one) else f"adopt: {one.said}? It {_OPENS.partition(':')[0]}"


def _asked(change: Proposal) -> Proposal:
    """On a terminal a person chooses one by one; a script has to say what it wants."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Invalid("which ones?", hint='give --all, or --only "KIND NAME FIELD" with * for what you like')
    kept = tuple(one for one in change.adoptions if typer.confirm(_question(one)))
    return replace(change, adoptions=kept)
