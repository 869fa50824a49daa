"""`doctor`: what is here, which versions, does the cloud let us in, and what does the forge leave open. Each line says
what to do when it is bad."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from .. import __version__
from ..errors import Invalid, ReconcilerError
from ..model.check import Check
from ..ports import Standing
from ..spec.load import DesiredCluster
from . import record_keys
from .context import Context
from .doctor_cluster import show

_STANDINGS = {Standing.CLOSED: True, Standing.OPEN: False, Standing.UNSEEN: None}


def examine(mine: Context) -> int:
    """Print every check. Returns 0 when all is well, else 1."""
    checks = [Check("reconciler", True, f"{__version__} on Python {platform.python_version()}")]
    checks += _tools(mine)
    checks.append(_file("ssh key", lambda: str(mine.app.settings.ssh_key), mine.app.settings.ssh_key.is_file()))
    checks += [Check("record keys", False, *problem) for problem in record_keys.problems(mine.app.settings.git)]
    checks += _desired(mine)
    checks += _forge(mine)
    show(checks)
    return 0 if all(check.well for check in checks) else 1


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


def _forge(mine: Context) -> list[Check]:
    """What the forge keeps from whoever may push a branch."""
    try:
        boundaries = mine.app.boundaries
    except Invalid as error:
        if "no forge" not in error.message:
            return [Check("forge", None, error.message, error.hint or "")]
        hint = "set GITHUB_REPOSITORY=owner/name and GITHUB_TOKEN, or CI_PROJECT_PATH and GITLAB_TOKEN"
        return [
            Check("forge", None, "not looked at: is main protected, who gets the credentials?", hint, optional=True)
        ]
    try:
        found = boundaries.every("main", mine.app.settings.git.observed_branch)
    except ReconcilerError as error:
        return [Check("forge", None, error.message, error.hint or "")]
    return [Check(b.name, _STANDINGS[b.standing], b.detail, b.hint) for b in found]


def _cloud(mine: Context, cloud: str) -> Check:
    try:
        snapshot, login = mine.app.toolkit.cloud(cloud).observe([]), mine.app.toolkit.login(cloud)
    except (ReconcilerError, Invalid) as error:
        return Check(f"cloud {cloud}", False, error.message, error.hint or "")
    silent = sorted(kind for kind, listing in snapshot.kinds.items() if not hasattr(listing, "resources"))
    where = f" to {login.region} at {login.auth['auth_url']}" if login else ""
    said = f"logged in{where}" + (f"; no answer for {', '.join(silent)}" if silent else "")
    return Check(f"cloud {cloud}", not silent, said)
