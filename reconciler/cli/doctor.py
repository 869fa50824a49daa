"""`doctor`: what is here, which versions, and does the cloud let us in. Each line says what to do when it is bad."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from .. import __version__
from ..errors import Invalid, ReconcilerError
from ..spec.load import DesiredCluster
from . import record_keys
from .context import Context
from .show import out


@dataclass(frozen=True)
class Check:
    what: str
    ok: bool
    said: str
    hint: str = ""


def examine(mine: Context) -> int:
    """Print every check. Returns 0 when all is well, else 1."""
    checks = [Check("reconciler", True, f"{__version__} on Python {platform.python_version()}")]
    checks += _tools(mine)
    checks.append(_file("ssh key", lambda: str(mine.app.settings.ssh_key), mine.app.settings.ssh_key.is_file()))
    checks += [Check("record keys", False, *problem) for problem in record_keys.problems(mine.app.settings.git)]
    checks += _desired(mine)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for check in checks:
        mark = "[green]ok[/]" if check.ok else "[red]bad[/]"
        table.add_row(mark, check.what, check.said + (f"\n  hint: {check.hint}" if check.hint else ""))
    out().print(table)
    return 0 if all(check.ok for check in checks) else 1


def _tools(mine: Context) -> list[Check]:
    found = mine.app.toolbox.find("tofu")
    if found:
        checks = [Check("tofu", True, f"{found.version} from {found.source}: {found.path}")]
    else:
        said = mine.app.toolbox.passed_over("tofu") or "not here yet"
        checks = [Check("tofu", False, said, "`reconciler tools` gets it, or name it in the settings (tools:)")]
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    for name in ("git", "ssh", "ansible-playbook"):
        place = shutil.which(name, path=search)
        checks.append(Check(name, place is not None, place or "not found", "" if place else "install it"))
    path = mine.app.settings.kubespray
    there = path is None or (path / "cluster.yml").is_file()
    hint = "" if there else "there is no cluster.yml: name Kubespray's folder in the settings (kubespray:), or none"
    checks.append(Check("kubespray", there, str(path or "fetched when a playbook first runs"), hint))
    return checks


def _file(what: str, said: Callable[[], str], there: bool) -> Check:
    return Check(what, there, said(), "" if there else "make one with ssh-keygen, or name another in the settings")


def _desired(mine: Context) -> list[Check]:
    try:
        state = mine.app.at("HEAD")
    except ReconcilerError as error:
        return [Check("desired state", False, error.message, error.hint or "")]
    checks = [Check("desired state", True, f"{len(state.clusters)} cluster(s) at {state.commit[:10]}")]
    by_cloud: dict[str, list[DesiredCluster]] = {}
    for cluster in state.clusters:
        by_cloud.setdefault(cluster.cluster.spec.cloud, []).append(cluster)
    return checks + [_cloud(mine, cloud) for cloud in sorted(by_cloud)]


def _cloud(mine: Context, cloud: str) -> Check:
    try:
        snapshot = mine.app.toolkit.cloud(cloud).observe([])
    except (ReconcilerError, Invalid) as error:
        return Check(f"cloud {cloud}", False, error.message, error.hint or "")
    silent = sorted(kind for kind, listing in snapshot.kinds.items() if not hasattr(listing, "resources"))
    return Check(f"cloud {cloud}", not silent, "logged in" + (f"; no answer for {', '.join(silent)}" if silent else ""))
