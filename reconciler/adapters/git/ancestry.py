"""Which commit lies behind which, asked of git and, where this clone does not have them, of the remote."""

from __future__ import annotations

import re

from .branch import Branch
from .history import COMMITS

_ID = re.compile(r"[0-9a-f]{40}")  # anything else would be an option to git, such as a program to run


def descends(branch: Branch, commit: str, ancestor: str) -> bool | None:
    """Is `ancestor` in the past of `commit`, or the same? None when nobody can tell: the clone lacks it, and the remote
    does not give it."""
    if commit == ancestor:
        return True
    if not (_ID.fullmatch(commit) and _ID.fullmatch(ancestor)):
        return None
    older = branch.older(ancestor, commit)
    if older is None or (branch.shallow and not older):
        _bring(branch, ancestor, commit)
        older = branch.older(ancestor, commit)
    return None if branch.shallow and not older else older


def behind(branch: Branch, commit: str, by: str) -> bool:
    """Is `commit` in the past of `by`, as far as can be told? Of a shallow clone's history 500 commits are asked for.
    `by` may have been named by anybody."""
    if not _ID.fullmatch(by):
        return False
    older = branch.older(commit, by)
    if older is None or (branch.shallow and not older):
        _bring(branch, by)
        older = branch.older(commit, by)
    return bool(older)


def _bring(branch: Branch, *commits: str) -> None:
    """Ask the remote for these commits, and in a shallow clone for what lies behind them. It need not have them."""
    if branch.remote is None:
        return
    depth = (f"--depth={COMMITS}",) if branch.shallow else ()
    with branch.locked():
        for commit in commits:
            branch.git("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", *depth, branch.remote, commit)
