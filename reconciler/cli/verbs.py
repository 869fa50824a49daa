"""The verbs for everyday work: validate, plan, drift, apply, run, doctor, version."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from .. import __version__
from ..app import App
from ..control import hands_off
from ..control.orphans import told_of_orphans
from ..control.revision import Desired, Purpose
from ..control.survey import Survey
from ..errors import Invalid, ReconcilerError
from ..model.outcome import Status
from ..report import html as html_page
from ..report.view import View, view
from ..spec import autoscaler_manifest, environments, helm, namespaces, tenancy, wiring
from ..spec.load import FLEET, DesiredCluster
from ..spec.render import objects
from . import autoscaler, ci, environment, sandbox
from .adopt import adopt
from .backup import backup, restore
from .completion import cluster_options, clusters_of
from .context import Context, context
from .demo import demo
from .desired import schema, show
from .destroy import destroy
from .diff import diff
from .doctor_cluster import LinesFormat, examine_clusters
from .init import init
from .kubeconfig import kubeconfig
from .reports import Folder, Found, reported
from .run import run, status
from .show import Format, failure, out, outcome_view, report
from .ssh import ssh
from .suspend import resume, suspend
from .take import take
from .unlock import unlock
from .watch import Again, watched

app = typer.Typer(
    name="reconciler",
    help="Research clusters from git: YAML under desired/ becomes OpenStack machines, Kubernetes and workloads, "
    "and stays that way.\n\nExit codes: 0 in sync, 3 drift, 4 blocked by a guard, 1 failure, 2 invalid input.",
    epilog="Start with: reconciler validate; reconciler plan; reconciler apply. No cloud at hand: reconciler demo.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_SIDE_BY_SIDE = 8  # clusters looked at at once: each waits for the network most of the time

Clusters = Annotated[
    list[str] | None,
    typer.Argument(metavar="[CLUSTER]...", help="Which clusters; all when left out.", autocompletion=clusters_of),
]
Ref = Annotated[str, typer.Option("--ref", help="The commit, branch or tag whose desired state counts.")]
Form = Annotated[Format, typer.Option("--output", "-o", help="How the report is written to stdout.")]
Page = Annotated[Path | None, typer.Option("--html", help="Write an HTML report to this file as well.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        out().print(__version__)
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    repo: Annotated[Path, typer.Option("--repo", "-C", help="A clone of the GitOps repository.")] = Path("."),
    config: Annotated[
        Path | None,
        typer.Option("--config", help="The settings of this machine.", envvar="RECONCILER_CONFIG", show_envvar=True),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
    _version: Annotated[
        bool,
        typer.Option("--version", "-V", help="Print the version and stop.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    ctx.obj = Context(repo, config, quiet)


@app.command()
def validate(ctx: typer.Context, folder: Folder = None) -> None:
    """Check desired/ and manifests/ as they lie in the working tree, asking nobody. Every mistake has its line."""
    mine = context(ctx).app
    with reported("validate", folder):
        state = mine.working_tree()
        mine.check_versions(state)
    count = len(state.clusters)
    for line in sorted(set(_not_checked(state))):
        out().print(line)
    for remark in tenancy.remarks(state.files.get(FLEET), mine.code_owners()):
        out().print(f"note: {remark}", markup=False)
    for cluster in state.clusters:
        if cluster.cluster.spec.lifecycle == "destroy":
            place = cluster.place("Cluster", cluster.name, ("spec", "lifecycle"))
            out().print(f"note: {place}: {cluster.name} is to be destroyed; its plan says what is lost", markup=False)
        made, today = objects.environments(cluster, state.files), datetime.datetime.now(datetime.UTC).date()
        for told in (
            *autoscaler_manifest.remarks(cluster, state.files, mine.settings.autoscaler.provision_minutes),
            *namespaces.remarks(cluster, made, state.files),
            *environments.remarks(cluster, made, state.files, today),
        ):
            out().print(f"note: {told}" + (f" ({told.hint})" if told.hint else ""))
    out().print(f"valid: {count} cluster{'s' * (count != 1)} ({', '.join(c.name for c in state.clusters)})")


def _not_checked(state: Desired) -> Iterator[str]:
    """What this machine could not build, and which program would; a chart of a repository is got by a plan."""
    for cluster in state.clusters:
        for workload in (w for w in cluster.cluster.spec.workloads if w.name in cluster.unbuilt):
            if workload.helm and workload.helm.chart:
                why = "is not on this machine, or helm is not (a plan gets both)"
            else:
                program = "helm" if helm.is_chart(state.files, workload) else "kubectl"
                why = f"is built by {program}, which is not here (`reconciler tools {program}` gets it)"
            yield f"not checked: {helm.name_of(workload)} {why}"


@app.command()
def plan(
    ctx: typer.Context,
    clusters: Clusters = None,
    ref: Ref = "HEAD",
    output: Form = Format.TEXT,
    folder: Folder = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Again whenever it is another one, until Ctrl-C.")
    ] = False,
    every: Annotated[float, typer.Option("--every", min=1, help="With --watch: seconds between two looks.")] = 30,
) -> None:
    """Say what apply would do, step by step. Changes nothing.

    With --watch it looks again when a ref of the clone moves (your commit, somebody's fetch) and every 30 seconds, and
    prints the plan when it is another one.
    """
    context(ctx).mention_uncommitted(ref)
    if watch:
        watch_plan(context(ctx), clusters, ref, output, every)
        return
    with reported("plan", folder) as found:
        code = look(context(ctx), clusters, ref, output, None, found)
    raise typer.Exit(code)


@app.command()
def drift(
    ctx: typer.Context,
    clusters: Clusters = None,
    ref: Ref = "HEAD",
    output: Form = Format.TEXT,
    html: Page = None,
    folder: Folder = None,
) -> None:
    """Compare git with what is live and say what differs, why, and how soon to look. Changes nothing."""
    context(ctx).mention_uncommitted(ref)
    with reported("drift", folder) as found:
        code = look(context(ctx), clusters, ref, output, html, found)
    raise typer.Exit(code)


@app.command()
def apply(
    ctx: typer.Context,
    clusters: Clusters = None,
    ref: Ref = "HEAD",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask on a terminal.")] = False,
    output: Form = Format.TEXT,
    html: Page = None,
) -> None:
    """Bring clusters to their desired state: only the components that drifted. Then commit what was observed."""
    mine = context(ctx)
    mine.mention_uncommitted(ref)
    if sys.stdin.isatty() and sys.stdout.isatty() and not yes:
        shown = Found()
        look(mine, clusters, ref, Format.TEXT, None, shown)
        if any(changes(v) for v in shown.views):
            typer.confirm("Apply this?", abort=True)
    mine.fetch()  # what others recorded meanwhile is what ours goes on from; HEAD stays where it is
    raise typer.Exit(reconcile(mine, clusters, ref, output, html))


@app.command()
def doctor(
    ctx: typer.Context,
    cluster: Annotated[
        list[str] | None,
        typer.Option("--cluster", help="What this machine has for it; repeatable.", autocompletion=cluster_options),
    ] = None,
    output: Annotated[
        LinesFormat, typer.Option("--output", "-o", help="With --cluster: how the lines are written.")
    ] = (LinesFormat.TEXT),
) -> None:
    """Which tools there are, which versions, whether the clouds let us in, and what the forge leaves open.

    With --cluster: what this machine has for it (kubeconfig, host keys, facts, Terraform's state), what it would get by
    itself and from where, and what it may not. Only then its machines are asked. Nothing secret is shown.

    The forge is asked where GITHUB_REPOSITORY and GITHUB_TOKEN, or CI_PROJECT_PATH and GITLAB_TOKEN are set: an
    administrator's token that may read settings, of which none is changed.
    """
    if cluster:
        raise typer.Exit(examine_clusters(context(ctx), cluster, output))
    if output is not LinesFormat.TEXT:
        raise Invalid("--output is for --cluster", hint="reconciler doctor --cluster NAME --output json")
    from .doctor import examine

    raise typer.Exit(examine(context(ctx)))


@app.command()
def tools(ctx: typer.Context, names: Annotated[list[str] | None, typer.Argument(metavar="[TOOL]...")] = None) -> None:
    """Get the pinned tools: found on this machine, downloaded, or built with Go. Prints where each is."""
    toolbox = context(ctx).app.toolbox
    for tool in toolbox.ensure(*(names or toolbox.names)).values():
        out().print(f"{tool.name} {tool.version} ({tool.source}): {tool.path}")


app.command()(run)
app.command()(status)
app.command()(init)
app.command(name="import")(take)
app.command()(adopt)
app.command()(diff)
app.command()(show)
app.command()(schema)
app.command()(kubeconfig)
app.command(context_settings={"allow_interspersed_args": False})(ssh)
app.command()(suspend)
app.command()(resume)
app.command()(unlock)
app.command()(destroy)
app.command()(backup)
app.command()(restore)
app.command()(demo)
app.add_typer(autoscaler.app, name="autoscaler")
app.add_typer(ci.app, name="ci")
app.add_typer(environment.app, name="environment")
app.add_typer(sandbox.app, name="sandbox")


@app.command()
def version() -> None:
    """Print the version."""
    out().print(__version__)


def look(mine: Context, names: list[str] | None, ref: str, output: Format, page: Path | None, found: Found) -> int:
    """Look at each cluster, print what is there and note it in `found`. Returns the exit code."""
    failed = seen(mine, names, ref, found)
    report(found.views, output)
    write_page(found.views, page)
    return worst([failed, *(v.status.exit_code for v in found.views)])


def seen(mine: Context, names: list[str] | None, ref: str, found: Found) -> int:
    """Look at each cluster and note in `found` what is there. Returns the exit code of what could not be looked at."""
    state = mine.app.at(ref)
    found.commit = state.commit
    clusters, survey = mine.loaded(state, names), mine.app.survey(state)
    failed = _told(mine.failed(state, names), found)
    with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="cluster") as pool:
        looks = [pool.submit(_looked_at, mine.app, state, cluster, survey) for cluster in clusters]
        for cluster, look in zip(clusters, looks, strict=True):
            try:
                found.views.append(look.result())
            except ReconcilerError as error:
                failure(error)
                found.failed(error, cluster.name)
                failed = worst([failed, error.exit_code])
    found.views = told_of_orphans(found.views, survey, state.commit, clusters, alone=not names)
    return failed


def watch_plan(mine: Context, names: list[str] | None, ref: str, output: Format, every: float) -> None:
    """Print the plan whenever it is another one, until somebody asks us to stop. What fails is told and tried again."""
    again = Again(every)
    watcher = mine.app.parts().refs(again.moved)

    def once() -> list[View]:
        found = Found()
        try:
            seen(mine, names, ref, found)
        except ReconcilerError as error:
            failure(error)
        return found.views

    watcher.start()
    try:
        watched(once, lambda views: report(views, output), again)
    finally:
        watcher.stop()


def _looked_at(app: App, state: Desired, cluster: DesiredCluster, survey: Survey) -> View:
    cycle = app.cycle(state, cluster, survey)
    current, sight = cycle.check()
    return view(
        current,
        status=cycle.judged(current),
        observed=sight.observed,
        expected=sight.expected,
        hint=hands_off.reason(cluster),
    )


def reconcile(
    mine: Context,
    names: list[str] | None,
    ref: str,
    output: Format,
    page: Path | None,
    found: Found | None = None,
) -> int:
    """One cycle for each cluster; a cluster that fails doesn't keep the next one waiting. Returns the exit code."""
    views: list[View] = []
    found = found or Found()
    state = mine.app.at(ref, Purpose.APPLY)
    found.commit = state.commit
    clusters, survey = mine.loaded(state, names), mine.app.survey(state)
    failed = _told(mine.failed(state, names), found)
    for cluster in wiring.in_order(clusters):
        try:
            outcome, sight = mine.app.cycle(state, cluster, survey, take=True).reconcile()
        except ReconcilerError as error:
            failure(error)
            found.failed(error, cluster.name)
            failed = max(failed, error.exit_code)
            continue
        views.append(outcome_view(outcome, sight))
    views = told_of_orphans(views, survey, state.commit, clusters)
    found.views += views
    report(views, output)
    write_page(views, page)
    return worst([failed, *(v.status.exit_code for v in views)])


def changes(shown: View) -> bool:
    """Would anything be done, if this were applied?"""
    stopped = any(not refusal.partial for refusal in shown.refusals)
    return shown.status is not Status.SUSPENDED and not stopped and any(not step.held for step in shown.steps)


def _told(errors: Mapping[str, ReconcilerError], found: Found) -> int:
    """Report the clusters that could not be loaded. Returns the exit code they ask for."""
    for name, error in errors.items():
        failure(error)
        found.failed(error, name)
    return worst([error.exit_code for error in errors.values()])


def worst(codes: list[int]) -> int:
    """A failure says more than a guard's no, that more than drift, and that more than nothing."""
    rank = {1: 4, 2: 3, 4: 2, 3: 1, 0: 0}
    return max(codes, key=lambda code: rank.get(code, 4), default=0)


def write_page(views: list[View], page: Path | None) -> None:
    """Write one page for one cluster; for several, one page each, the cluster's name before the ending."""
    if page is None:
        return
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        for shown in views:
            target = page if len(views) == 1 else page.with_name(f"{page.stem}-{shown.cluster}{page.suffix}")
            target.write_text(html_page.render(shown))
    except OSError as error:
        raise Invalid(f"cannot write the page {page}: {error.strerror}", hint="--html names the file") from None
