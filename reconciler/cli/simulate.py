"""reconciler autoscaler simulate: what a day of pods would have done to node groups."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..console import emit
from ..engine.simulation import simulate as replay
from ..errors import Invalid
from ..model.simulation import PodRun, Pool, Rules, Setting, Size, Told
from ..report import simulation as report
from ..spec import day
from ..spec.load import DesiredCluster
from .completion import clusters_of
from .context import context
from .show import out

_MOST_SETTINGS = 24


class Form(StrEnum):
    """How results are written."""

    TEXT = "text"
    JSON = "json"


def simulate(
    ctx: typer.Context,
    cluster: Annotated[str, typer.Argument(help="Whose node groups.", autocompletion=clusters_of)],
    pods: Annotated[Path, typer.Option("--pods", help="The day, as CSV: arrival,duration,cpu,memory[,gpu,…].")],
    flavor: Annotated[
        list[str] | None,
        typer.Option("--flavor", metavar="NAME=CPU:MEMORY[:GPU]", help="What a flavor has, such as m1.large=8:32Gi."),
    ] = None,
    reserved: Annotated[
        str, typer.Option(help="What kubelet, system and daemons keep of each node: CPU:MEMORY.")
    ] = "500m:1Gi",
    minimum: Annotated[str, typer.Option("--min", help="Try these minima in each group that is scaled: 0,2.")] = "",
    maximum: Annotated[str, typer.Option("--max", help="Try these maxima in each group that is scaled: 4,8.")] = "",
    placeholders: Annotated[str, typer.Option(help="Try these numbers of placeholders: 0,1,2.")] = "0",
    placeholder: Annotated[
        str, typer.Option(help="What one placeholder asks for: CPU:MEMORY[:GPU]. Left out: the largest pod that fits.")
    ] = "",
    start: Annotated[
        str, typer.Option(help="From asking for a node until it is Ready: server, playbook, kubelet.")
    ] = "10m",
    unneeded: Annotated[str, typer.Option(help="As --scale-down-unneeded-time of Cluster Autoscaler.")] = "10m",
    delay: Annotated[str, typer.Option(help="As --scale-down-delay-after-add of Cluster Autoscaler.")] = "10m",
    utilisation: Annotated[
        float, typer.Option(min=0, max=1, help="As --scale-down-utilization-threshold of Cluster Autoscaler.")
    ] = 0.5,
    plot: Annotated[Path | None, typer.Option(help="Write the curves to this file: .svg, or .html.")] = None,
    output: Annotated[Form, typer.Option("--output", "-o", help="How it is written to stdout.")] = Form.TEXT,
) -> None:
    """Replay a day of pods against a cluster's node groups, as Cluster Autoscaler would scale them. Asks no cloud.

    Says how long pods waited, how many node-hours it took and how many nodes at most, for each combination of --min,
    --max and --placeholders: so that you choose them before you spend a quota. Groups without min and max stay as they
    are. A sample day: docs/examples/day.csv.
    """
    (found,) = context(ctx).select(context(ctx).app.working_tree(), [cluster])
    try:
        text = pods.read_bytes()
    except OSError as error:
        raise Invalid(f"cannot read {pods}: {error.strerror}", hint="--pods names a CSV file") from None
    runs = day.pods(str(pods), text)
    rules = Rules(
        start=int(_seconds("--start", start)),
        unneeded=int(_seconds("--unneeded", unneeded)),
        delay_after_add=int(_seconds("--delay", delay)),
        utilisation=utilisation,
    )
    pools = _pools(found, flavor or [], _size("--reserved", reserved))
    size = _size("--placeholder", placeholder) if placeholder else _largest(runs, pools)
    settings = _settings(found, pools, minimum, maximum, _numbers("--placeholders", placeholders), size)
    told = [_told(ctx, runs, setting, rules) for setting in settings]
    if plot:
        _write(plot, report.curves(told, f"{cluster}: {len(runs)} pods"))
    if output is Form.JSON:
        emit(json.dumps(report.data(told), indent=2) + "\n")
        return
    out().print(f"{len(runs)} pods; how long they waited, and what it took:")
    out().print(report.table(told))
    for one in told:
        if one.never:
            shown = ", ".join(one.never[:5]) + (" …" if len(one.never) > 5 else "")
            out().print(f"{one.title}: {len(one.never)} pods fit no node group: {shown}", soft_wrap=True)


def _told(ctx: typer.Context, runs: Sequence[PodRun], setting: Setting, rules: Rules) -> Told:
    with context(ctx).progress.task(f"simulate {setting.title}"):
        return replay(runs, setting, rules)


def _pools(cluster: DesiredCluster, flavors: Sequence[str], reserved: Size) -> list[Pool]:
    sizes = {}
    for text in flavors:
        name, equal, said = text.rpartition("=")
        if not equal:
            raise Invalid(f"--flavor {text!r} names no size", hint="such as --flavor m1.large=8:32Gi")
        sizes[name] = _size("--flavor", said)
    groups = cluster.cluster.spec.node_groups
    missing = sorted({group.flavor for group in groups} - sizes.keys())
    if missing:
        hint = " ".join(f"--flavor {name}=CPU:MEMORY" for name in missing) + " (openstack flavor show says it)"
        raise Invalid(f"the size of {', '.join(missing)} is not known", hint=hint)
    if not groups:
        raise Invalid(f"cluster {cluster.name!r} has no node groups", hint="a simulation needs one, with min and max")
    return [day.pool(group, sizes[group.flavor], reserved) for group in groups]


def _settings(
    cluster: DesiredCluster, pools: Sequence[Pool], low: str, high: str, placeholders: Sequence[int], size: Size
) -> list[Setting]:
    """Every combination of what is to be tried; what is as it is stays out of the titles."""
    scaled = {group.name for group in cluster.cluster.spec.node_groups if group.max is not None}
    if (low or high) and not scaled:
        hint = "give a node group min and max"
        raise Invalid(f"no node group of {cluster.name!r} is scaled, so --min and --max change nothing", hint=hint)
    lows: list[int | None] = [*_numbers("--min", low)] if low else [None]
    highs: list[int | None] = [*_numbers("--max", high)] if high else [None]
    made = []
    for least, most, count in itertools.product(lows, highs, placeholders):
        named = [f"min {least}"] * (least is not None) + [f"max {most}"] * (most is not None)
        changed = [_between(pool, least, most) if pool.name in scaled else pool for pool in pools]
        title = ", ".join([*named, f"placeholders {count}"])
        made.append(Setting(title, changed, count, size))
    if len(made) > _MOST_SETTINGS:
        raise Invalid(f"these are {len(made)} settings; {_MOST_SETTINGS} are the most", hint="try fewer at once")
    return made


def _between(pool: Pool, least: int | None, most: int | None) -> Pool:
    low, high = pool.minimum if least is None else least, pool.maximum if most is None else most
    if low > high:
        raise Invalid(
            f"{pool.name}: min {low} is more than max {high}", hint="--min and --max are tried with each other"
        )
    return Pool(pool.name, low, high, pool.size, pool.labels, pool.taints)


def _largest(runs: Sequence[PodRun], pools: Sequence[Pool]) -> Size:
    """The largest pod without a GPU that an untainted node takes: what a placeholder should keep room for."""
    fit = (p.size for p in runs if not p.size.gpu and any(not q.taints and p.size.within(q.size) for q in pools))
    return max(fit, default=Size(1000, 1024))


def _numbers(option: str, text: str) -> list[int]:
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or not all(0 <= number <= 1000 for number in found):
        raise Invalid(f"{option} {text!r} is no list of numbers", hint=f"such as {option} 0,1,2")
    return found


def _seconds(option: str, text: str) -> float:
    try:
        return day.seconds(text)
    except ValueError:
        raise Invalid(f"{option} {text!r} is no time", hint="such as 90s, 10m or 1h30m") from None


def _size(option: str, text: str) -> Size:
    try:
        return day.size(text)
    except (ValueError, ArithmeticError):
        raise Invalid(f"{option} {text!r} is no size", hint="CPU:MEMORY or CPU:MEMORY:GPU, such as 8:32Gi:1") from None


def _write(file: Path, svg: str) -> None:
    page = f'<!doctype html>\n<meta charset="utf-8">\n<title>simulation</title>\n{svg}'
    try:
        file.write_text(page if file.suffix in (".html", ".htm") else svg)
    except OSError as error:
        raise Invalid(f"cannot write {file}: {error.strerror}", hint="--plot names a file") from None
