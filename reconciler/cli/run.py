"""The verbs of the daemon: run it, and ask a running one how it is."""

from __future__ import annotations

import ipaddress
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from .. import repositories
from ..console import complain, emit
from ..errors import Invalid, Permanent, ReconcilerError, Transient
from ..serve.logs import Log, LogFormat
from ..settings import Settings
from ..text import visible_line
from . import daemon
from .completion import clusters_of
from .context import Context, context
from .reports import Folder, reported
from .show import Format, failure, out

_STATUS_SECONDS = 5.0
_TABLE_COLUMNS = 80  # below that a table of seven columns is cut to pieces
_COLUMNS = ("cluster", "state", "last", "trigger", "commit", "next", "why")
_LARGEST = 64 * 1024 * 1024  # bytes of a status: some kilobytes for each cluster


class StatusFormat(StrEnum):
    """How a daemon's status is written."""

    TEXT = "text"
    JSON = "json"


LogForm = Annotated[LogFormat, typer.Option("--log-format", help="One line an event, on stderr.")]
StatusForm = Annotated[StatusFormat, typer.Option("--output", "-o", help="How it is written to stdout.")]


def run(
    ctx: typer.Context,
    clusters: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CLUSTER]...",
            help="Which; all when left out. REPOSITORY/CLUSTER is of that one only.",
            autocompletion=clusters_of,
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="One cycle, then exit with its code.")] = False,
    interval: Annotated[
        float | None, typer.Option(min=1, help="Seconds between two full checks of a cluster.", show_default="600")
    ] = None,
    ref: Annotated[str, typer.Option("--ref", help="The commit, branch or tag whose desired state counts.")] = "HEAD",
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="One line an event, on stderr.")
    ] = LogFormat.TEXT,
    folder: Folder = None,
) -> None:
    """Reconcile until told to stop: on a push, when something live changes, and every now and then (or once).

    A webhook (POST /webhook), a ref of the clone, a fetch every minute, watches on Kubernetes and a poll of each cloud
    start a cycle of the clusters concerned. `reconciler status` says how they are. SIGTERM ends running cycles
    politely, a second one at once. Intervals, the port and the webhook's secret are in the settings, and so are
    `repositories`, where there are several.
    """
    mine = context(ctx)
    if once:
        raise typer.Exit(_once(mine, clusters, ref, folder))
    if folder is not None:
        raise Invalid("--report is of one cycle", hint="say --once too; a daemon is asked by `reconciler status`")
    from ..app import listening
    from ..serve.daemon import Daemon

    log = Log(log_format)
    served = daemon.served(mine, clusters or (), ref, interval, log)
    Daemon(served, mine.settings.daemon.workers, listening(mine.settings), log).run()


def _once(mine: Context, clusters: list[str] | None, ref: str, folder: Path | None) -> int:
    """One cycle each, of every repository. Returns the worst exit code."""
    from .verbs import worst

    if not mine.settings.repositories:
        return _cycles(mine, clusters, ref, folder)
    repositories.forget_the_environment(os.environ)
    codes, places = [], repositories.Places()
    for repository, names in daemon.chosen(mine, clusters or (), ref).items():
        place = folder / repository.name if folder else None
        complain(f"{repository.name}:")
        out().print(f"{repository.name}:")
        try:
            its = mine.at(repository)
            places.take(repository.name, repositories.places(its.app.settings, its.app.path, its.app.state))
            codes.append(_cycles(its, list(names), repository.ref or ref, place))
        except ReconcilerError as error:  # the others go on
            failure(error)
            codes.append(error.exit_code)
    return worst(codes)


def _cycles(mine: Context, clusters: list[str] | None, ref: str, folder: Path | None) -> int:
    from .verbs import reconcile

    with reported("run", folder) as found:
        mine.fetch()
        return reconcile(mine, clusters, ref, Format.TEXT, None, found)


def status(
    ctx: typer.Context,
    output: Annotated[
        StatusFormat, typer.Option("--output", "-o", help="How it is written to stdout.")
    ] = StatusFormat.TEXT,
) -> None:
    """Ask a running daemon how each cluster is: last outcome, next attempt, and why it waits. Asks no cloud.

    Exit code 1 when no daemon answers at the address of the settings.
    """
    document = _asked(context(ctx).settings)
    if output is StatusFormat.JSON:
        emit(json.dumps(document, indent=2) + "\n")
        return
    console = out()
    console.print(_table(document) if console.width >= _TABLE_COLUMNS else _stacked(document))
    for line in _more(document):
        console.print(Text(line), soft_wrap=True)
    if document["git"]["failures"]:
        out().print(f"git: {document['git']['reason']}")


def _asked(settings: Settings) -> dict[str, Any]:
    if not settings.http.port:
        raise Permanent("the settings name no port of the daemon", hint="set http.port")
    where = f"http://{_host(settings.http.address)}:{settings.http.port}/status"
    token = settings.http.token.read()
    headers = {"Authorization": f"Bearer {token.decode('ascii')}"} if token else {}
    try:
        # no proxy of the environment's, and no other address that the answer may name: the token is for this one
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stays())
        with opener.open(urllib.request.Request(where, headers=headers), timeout=_STATUS_SECONDS) as answer:
            return _checked(json.loads(answer.read(_LARGEST)))
    except urllib.error.HTTPError as error:
        hint = "http.tokenFile (or http.tokenVariable) in the settings names what it asks for; http.names its names"
        raise Permanent(f"the daemon at {where} does not let us read: {error.code} {error.reason}", hint=hint) from None
    except (urllib.error.URLError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        reason = getattr(error, "reason", error)
        hint = "is `reconciler run` running here, with the same settings (http.address, http.port)?"
        raise Transient(f"no daemon answers at {where}: {reason}", hint=hint) from None


class _Stays(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _host(address: str) -> str:
    """Where to ask a daemon that listens on the address: on this machine, when that is any of its addresses."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address or "127.0.0.1"
    if found.is_unspecified:
        return "127.0.0.1" if found.version == 4 else "[::1]"
    return address if found.version == 4 else f"[{address}]"


def _checked(document: Any) -> dict[str, Any]:
    """The document, where a daemon of ours wrote it. Raises what a wrong shape does: others may have the port."""
    if (
        not isinstance(document, dict)
        or not isinstance(document["git"]["failures"], int)
        or not isinstance(document["git"]["reason"], str)
    ):
        raise TypeError("it is no reconciler")
    for entry in document["clusters"]:
        _row(entry)
    tuple(_more(document))
    return document


def _more(document: dict[str, Any]) -> Iterator[str]:
    """What is under way, and what waits for somebody, with the line that lets it through."""
    for repository in document.get("repositories", ()):
        if repository["state"] != "running":
            yield visible_line(f"{repository['repository']}: {repository['state']}: {repository['reason']}")
    for entry in document["clusters"]:
        for line in _about(entry):
            yield visible_line(f"{_whole_name(entry)}: {line}" if not line.startswith(" ") else line)


def _whole_name(entry: dict[str, Any]) -> str:
    repository = entry.get("repository")
    return f"{repository}/{entry['cluster']}" if repository else str(entry["cluster"])


def _about(entry: dict[str, Any]) -> Iterator[str]:
    if under_way := entry.get("applying"):
        far = f" ({under_way['progress']})" if under_way["progress"] else ""
        yield f"applying {under_way['step']}{far}"
    if backup := (entry["last"] or {}).get("backup"):
        yield f"newest snapshot of etcd: {str(backup)[:16].replace('T', ' ')} UTC"
    for held in entry.get("blocked") or ():
        yield f"held by the guard {held['guard']}: {held['message']}"
        yield f"  {held['way']}"
        if held["approval"]:
            yield f"  {held['approval']}"


def _stacked(document: dict[str, Any]) -> Group:
    """For a narrow terminal: each cluster's cells below each other."""
    blocks = []
    for entry in document["clusters"]:
        _, *cells = _row(entry)
        name = visible_line(_whole_name(entry))
        lines = [f"  {title}: {cell}" for title, cell in zip(_COLUMNS[1:], cells, strict=True) if cell not in ("-", "")]
        blocks.append(Text("\n".join([name, *lines])))
    return Group(*blocks)


def _table(document: dict[str, Any]) -> Table:
    several = len(document.get("repositories", ())) > 1
    table = Table(box=None, pad_edge=False)
    for title in ("repository", *_COLUMNS) if several else _COLUMNS:
        table.add_column(title)
    for entry in document["clusters"]:
        whose = [visible_line(str(entry.get("repository") or "-"))] if several else []
        table.add_row(*whose, *_row(entry))
    return table


def _row(entry: dict[str, Any]) -> list[str]:
    last = entry["last"] or {}
    cells = [
        entry["cluster"],
        entry["state"],
        last.get("outcome", "-"),
        last.get("trigger", "-"),
        last.get("commit", "-")[:12],
        (entry["next"]["at"] or "-").partition(".")[0].rpartition("T")[2],
        (entry["backOff"] or {}).get("reason") or entry["next"]["why"],
    ]
    return [visible_line(str(cell)) for cell in cells]
