"""Keeps what we say on a forge up to date: one comment on a pull request, one issue of a repository, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from ..ports import Comment, Forge, Issue
from ..report import comment as text
from ..report.bundle import Report
from ..report.markdown import COMMENT_LIMIT

T = TypeVar("T", Comment, Issue)


def comment(forge: Forge, change: int, report: Report, key: str) -> str:
    """Make the comment with this `key` say what the report says, and return what was done in a word. It is written
    once and edited from then on; nothing is sent when it says so already."""
    body = text.comment(report, limit=forge.limit, key=key, run=forge.run)
    before = _ours(forge.comments(change), key)
    if before is None:
        forge.comment(change, body)
        return "written"
    if before.body.strip() == body.strip():
        return "left as it is"
    forge.edit(change, before.id, body)
    return "edited"


def issue(forge: Forge, report: Report, key: str, label: str) -> str:
    """Make the issue with this `key` say what the report says: open while something differs or could not be seen,
    closed when all is in sync, reopened when it differs again. Return what was done and where.

    While all is in sync an issue that is not there is not made, and a closed one is left as it is.
    """
    before = _ours(forge.issues(label), key)
    title = text.title(report)
    body = text.comment(report, limit=min(forge.limit, COMMENT_LIMIT), key=key, run=forge.run)
    if before is None:
        return "not needed" if report.in_sync else f"opened: {forge.open_issue(title, body, label)}"
    if report.in_sync and not before.open:
        return f"left closed: {before.url}"
    if not report.in_sync and before.open and (before.title, before.body.strip()) == (title, body.strip()):
        return f"left as it is: {before.url}"
    forge.change_issue(before.id, title=title, body=body, open=not report.in_sync)
    done = "closed" if report.in_sync else "edited" if before.open else "reopened"
    return f"{done}: {before.url}"


def _ours(found: Sequence[T], key: str) -> T | None:
    """The first that is ours and has our mark: others can write the mark too, and theirs is left alone."""
    first = text.mark(key)
    return next((one for one in found if one.mine and one.body.lstrip().startswith(first)), None)
