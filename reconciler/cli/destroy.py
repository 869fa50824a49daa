"""reconciler destroy: a cluster's end, said first and asked for by its name."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated

import typer

from ..control.cycle import Cycle
from ..control.revision import Purpose
from ..engine.destroy import Wish
from ..errors import Blocked, Invalid
from ..model.outcome import Status
from ..report.view import view
from ..spec.load import FOLDER, DesiredCluster
from .completion import clusters_of
from .context import Context, context
from .show import Format, out, outcome_view, report


def destroy(
    ctx: typer.Context,
    cluster: Annotated[str, typer.Argument(help="Which cluster ends.", autocompletion=clusters_of)],
    ref: Annotated[str, typer.Option("--ref", help="The commit, branch or tag whose desired state counts.")] = "HEAD",
    yes: Annotated[
        str, typer.Option("--yes", "-y", metavar="CLUSTER", help="The cluster's name again, instead of a question.")
    ] = "",
    plan_only: Annotated[bool, typer.Option("--plan-only", help="Say what is lost; change nothing.")] = False,
    delete_volumes: Annotated[
        bool,
        typer.Option(
            "--delete-volumes", help="Delete volumes with all on them, as destroyVolumes in git; else they are kept."
        ),
    ] = False,
    unreachable: Annotated[
        bool,
        typer.Option("--unreachable", help="Go on while its API does not answer: what that made in the cloud is left."),
    ] = False,
    output: Annotated[Format, typer.Option("--output", "-o", help="How the report is written to stdout.")] = (
        Format.TEXT
    ),
) -> None:
    """Destroy a cluster: its applications, its workloads with their load balancers, its machines, its networks.

    Says first what is lost, and asks for the cluster's name. Volumes are kept unless --delete-volumes is given. Killed
    in the middle, it goes on where it was when it is run again. Git stays as it is: a cluster that git still wants
    comes back with the next cycle, so say `lifecycle: destroy` there, or take its folder away afterwards.
    """
    mine = context(ctx)
    mine.mention_uncommitted(ref)
    if yes and yes != cluster:
        raise Invalid(f"--yes {yes} is not the name of the cluster: {cluster}", hint=f"--yes {cluster}")
    wish = Wish(volumes=delete_volumes, agreed=True, unreachable=unreachable)
    asks = not yes and not plan_only
    if asks and not attended():
        hint = f"give it: --yes {cluster}; --plan-only says what would be lost"
        raise Invalid(f"nobody is here to type the name of {cluster!r}", hint=hint)
    if plan_only or asks:
        cycle = _cycle(mine, cluster, ref, wish, Purpose.LOOK)
        current, sight = cycle.check()
        shown = view(current, status=cycle.judged(current), observed=sight.observed, expected=sight.expected)
        report([shown], output if plan_only else Format.TEXT)
        if plan_only:
            raise typer.Exit(shown.status.exit_code)
        typed = typer.prompt(f"Type the cluster's name to destroy it ({cluster})", default="", show_default=False)
        if typed.strip() != cluster:
            raise Invalid(f"{cluster!r} was not typed: nothing was changed")
    mine.fetch()
    cycle = _cycle(mine, cluster, ref, wish, Purpose.APPLY)
    outcome, sight = cycle.reconcile()
    report([outcome_view(outcome, sight)], output)
    if (
        outcome.status is Status.DESTROYED
        and cycle.desired.cluster.spec.lifecycle != "destroy"
        and output is Format.TEXT
    ):
        where = f"{FOLDER}/{cluster}"
        out().print(f"git still wants it: take {where}/ away, or say `lifecycle: destroy` in {where}/cluster.yaml")
    raise typer.Exit(outcome.status.exit_code)


def attended() -> bool:
    """Does somebody sit at a terminal?"""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _cycle(mine: Context, cluster: str, ref: str, wish: Wish, purpose: Purpose) -> Cycle:
    """Raises Blocked for a cluster that git says nobody may change."""
    state = mine.app.at(ref, purpose)
    (desired,) = mine.select(state, [cluster])
    check_changeable(desired)
    volumes = wish.volumes or desired.cluster.spec.destroy_volumes
    return mine.app.cycle(state, desired, wish=replace(wish, volumes=volumes))


def check_changeable(desired: DesiredCluster, *, ending: bool = True) -> None:
    """Raises Blocked for a cluster that git says nobody may change; unless `ending`, also for one that is to end."""
    spec, name = desired.cluster.spec, desired.name
    reasons = (
        ("suspend", "true", spec.suspend),
        ("mode", "report", spec.mode == "report"),
        ("lifecycle", "destroy", spec.lifecycle == "destroy" and not ending),
    )
    for field, value, stands in reasons:
        if stands:
            hint = f"take it out at {desired.place('Cluster', name, ('spec', field))}"
            raise Blocked(f"{name!r} is not changed: git says {field}: {value}", hint=hint)
