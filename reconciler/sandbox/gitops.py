"""A GitOps repository for the sandbox: a bare remote and a clone, filled with the project's own example."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from .. import process
from ..errors import Permanent

_FOLDERS = ("desired", "terraform", "manifests")
_NAME = ("-c", "user.name=Ada Admin", "-c", "user.email=ada@example.org")


def make(folder: Path, remote: Path, project: Path, public_key: str) -> None:
    """Make both from nothing, as an administrator would: copy the example, put in one's own key, commit, push."""
    if not (project / "desired").is_dir():
        raise Permanent(f"there is no example to start from in {project}", hint="run this from a clone of the project")
    git("init", "--quiet", "--bare", "--initial-branch=main", remote)
    git("clone", "--quiet", remote, folder)
    for name in _FOLDERS:
        shutil.copytree(project / name, folder / name, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    cluster = folder / "desired" / "demo" / "cluster.yaml"
    text = cluster.read_text()
    cluster.write_text(re.sub(r"(publicKey:) .*", rf"\1 {public_key}", text))
    commit(folder, "The first research cluster")


def commit(folder: Path, message: str) -> None:
    """Commit everything in the clone and push it."""
    git("-C", folder, "add", "--all")
    git("-C", folder, *_NAME, "commit", "--quiet", "-m", message)
    git("-C", folder, "push", "--quiet", "origin", "HEAD:main")


def git(*argv: str | Path) -> str:
    """Run git and return what it said."""
    return process.run(["git", *argv], timeout=60).stdout
