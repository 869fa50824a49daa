"""`reconciler backup` and `restore`: snapshots of etcd, taken off the machines and put back."""

from __future__ import annotations

import datetime
import json
from enum import StrEnum
from typing import Annotated

import typer
from rich.text import Text

from ..control.cycle import Cycle
from ..control.login import servers_of
from ..control.restore import Lost, Restore, chosen
from ..control.revision import Purpose
from ..errors import Invalid, Permanent
from ..model.backup import Backup
from .completion import clusters_of
from .context import Context, context
from .destroy import attended, check_changeable
from .show import out

_SHOWN = 40


class ListFormat(StrEnum):
    """How a list is written."""

    TEXT = "text"
    JSON = "json"


Name = Annotated[str, typer.Argument(help="Which cluster.", autocompletion=clusters_of)]
Ref = Annotated[str, typer.Option("--ref", help="The commit, branch or tag whose desired state counts.")]


def backup(
    ctx: typer.Context,
    cluster: Name,
    listed: Annotated[bool, typer.Option("--list", help="Say which there are; take none.")] = False,
    ref: Ref = "HEAD",
    output: Annotated[
        ListFormat, typer.Option("--output", "-o", help="How the list is written to stdout.")
    ] = ListFormat.TEXT,
) -> None:
    """Take a snapshot of a cluster's etcd now, encrypted, to where `kubernetes.backup` says.

    The reconciler does so by itself as often as `schedule` says, and before an upgrade. Only `keep` of them stay.
    """
    mine = context(ctx)
    cycle = _cycle(mine, cluster, ref, Purpose.LOOK)
    if listed:
        _list(_kept(cycle), output)
        return
    with cycle.exclusive():
        taken = cycle.backups.take(servers_of(cycle.desired.cluster, cycle.tools))
    out().print(Text(f"{cluster}: {taken.name}"))


def restore(
    ctx: typer.Context,
    cluster: Name,
    snapshot: Annotated[str, typer.Argument(help="Its name, as `backup --list` has it, or `latest`.")],
    ref: Ref = "HEAD",
    yes: Annotated[
        str, typer.Option("--yes", "-y", metavar="CLUSTER", help="The cluster's name again, instead of a question.")
    ] = "",
    plan_only: Annotated[bool, typer.Option("--plan-only", help="Say what is lost; change nothing.")] = False,
) -> None:
    """Put a cluster's etcd back to a snapshot: all its objects are as they were then.

    Says first what is lost, and asks for the cluster's name. The API is down for about a minute. Killed in the middle,
    it is run again. What etcd had before stays on the machines until the next restore.
    """
    mine = context(ctx)
    mine.mention_uncommitted(ref)
    if yes and yes != cluster:
        raise Invalid(f"--yes {yes} is not the name of the cluster: {cluster}", hint=f"--yes {cluster}")
    asks = not yes and not plan_only
    if asks and not attended():
        hint = f"give it: --yes {cluster}; --plan-only says what would be lost"
        raise Invalid(f"nobody is here to type the name of {cluster!r}", hint=hint)
    if not plan_only:
        mine.fetch()
    cycle = _cycle(mine, cluster, ref, Purpose.APPLY)
    check_changeable(cycle.desired, ending=False)
    wanted = chosen(_kept(cycle), snapshot, cycle.clock())
    if plan_only or asks:
        work = _restore(cycle)
        _say(cluster, wanted, work.lost(wanted), vouched=work.vouched(wanted))
    if plan_only:
        return
    if asks:
        typed = typer.prompt(f"Type the cluster's name to restore it ({cluster})", default="", show_default=False)
        if typed.strip() != cluster:
            raise Invalid(f"{cluster!r} was not typed: nothing was changed")
    with cycle.exclusive():  # which machines there are, others may have changed until now
        _restore(cycle).run(wanted)
    out().print(Text(f"{cluster}: etcd is as it was at {wanted.name}; reconciler plan {cluster} says what differs now"))


def _cycle(mine: Context, cluster: str, ref: str, purpose: Purpose) -> Cycle:
    state = mine.app.at(ref, purpose)
    (desired,) = mine.select(state, [cluster])
    return mine.app.cycle(state, desired)


def _restore(cycle: Cycle) -> Restore:
    return Restore(cycle.desired, cycle.tools, servers_of(cycle.desired.cluster, cycle.tools))


def _kept(cycle: Cycle) -> list[Backup]:
    """Oldest first. Raises Permanent where that can't be told, or git wants none."""
    cycle.backups.store()
    kept = cycle.backups.kept()
    if kept.unknown:
        raise Permanent(kept.unknown, hint=kept.hint or None)
    return sorted(kept.backups)


def _list(kept: list[Backup], output: ListFormat) -> None:
    if output is ListFormat.JSON:
        rows = [{"name": b.name, "taken": b.taken.isoformat(), "revision": b.revision} for b in kept]
        out().print(Text(json.dumps(rows, indent=2)))
        return
    now = datetime.datetime.now(datetime.UTC)
    for each in kept:
        out().print(Text(f"{each.name}  {_age(now - each.taken)} old"))
    if not kept:
        out().print("none yet")


def _age(age: datetime.timedelta) -> str:
    hours = max(0, int(age.total_seconds())) // 3600
    return f"{hours // 24} d" if hours >= 48 else f"{hours} h" if hours else f"{int(age.total_seconds()) // 60} min"


def _say(cluster: str, wanted: Backup, lost: Lost, *, vouched: bool) -> None:
    """What a restore takes back. Changes of what was there already can't be listed: only git may know of them."""
    out().print(Text(f"{cluster}: etcd goes back to {wanted.taken:%Y-%m-%d %H:%M:%S} UTC (revision {wanted.revision})"))
    if not vouched:
        out().print("It was not taken from this machine: be sure who may write to where backups are kept.")
    out().print("Whatever was changed or deleted since then is as it was; the API is down meanwhile.")
    if lost.unseen and not lost.objects:
        out().print(Text(f"What was made since then, and is lost, can't be listed: {lost.unseen}"))
        return
    out().print(Text(f"Made since then, and lost: {len(lost.objects) or 'nothing'}"))
    for line in lost.objects[:_SHOWN]:
        out().print(Text(f"  {line}"))
    if len(lost.objects) > _SHOWN:
        out().print(Text(f"  and {len(lost.objects) - _SHOWN} more"))
    if lost.unseen:
        out().print(Text(f"These are not all: {lost.unseen}"))
