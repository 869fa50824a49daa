"""GitHub or GitLab: comments, issues, open pull requests, and what the forge keeps from whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on a pull request. `mine`: written with the identity we come with, so that we may change it."""

    id: str
    body: str
    mine: bool


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue of the repository. `url` is where people read it."""

    id: str
    title: str
    body: str
    open: bool
    url: str
    mine: bool


@dataclass(frozen=True, slots=True)
class PullRequest:
    """An open pull request. `head` is its newest commit; `own`: its branch is in this repository, not in a fork."""

    number: int
    head: str
    own: bool


class Forge(Protocol):
    """Where pull requests and issues are: one repository of GitHub, or one project of GitLab (which says merge request
    and note). Every method raises Permanent when the forge refuses, with the permission that is missing as its hint;
    Transient when it doesn't answer, or asks for more patience than we have."""

    @property
    def limit(self) -> int:
        """The most characters of a comment, and of an issue's text."""

    @property
    def change(self) -> int | None:
        """The pull request that this job is for; None outside of one."""

    @property
    def run(self) -> str:
        """Where this job's summary and artifacts are; empty where it is no job."""

    def comments(self, change: int) -> Sequence[Comment]:
        """Return every comment on a pull request, oldest first."""

    def comment(self, change: int, body: str) -> None:
        """Write a new comment."""

    def edit(self, change: int, id: str, body: str) -> None:
        """Replace the text of a comment."""

    def issues(self, label: str) -> Sequence[Issue]:
        """Return every issue with this label, the closed ones too, oldest first."""

    def open_issue(self, title: str, body: str, label: str) -> str:
        """Write a new issue and return where it is. A label that is not there is made."""

    def change_issue(self, id: str, *, title: str, body: str, open: bool) -> None:
        """Make an issue say this, and be open or closed."""

    def pull_requests(self, base: str) -> Sequence[PullRequest]:
        """Return the open pull requests into the branch `base`, the one that changed last first."""

    def merge_ref(self, change: int) -> str:
        """Return the ref of the git remote at which the forge keeps the pull request merged into its base, as far as
        they can be merged."""


class Standing(StrEnum):
    """Whether a boundary holds. What could not be seen is never taken for closed."""

    CLOSED = "closed"
    OPEN = "open"
    UNSEEN = "not seen"


@dataclass(frozen=True, slots=True)
class Boundary:
    """One thing that keeps credentials and main from whoever may push a branch; `hint` says how to close it, or what
    it takes to see it."""

    name: str
    standing: Standing
    detail: str
    hint: str = ""


class Boundaries(Protocol):
    """What a forge keeps from whoever may push a branch but not to main. What a token may not
    see is a boundary that is not seen. Raises Transient when the forge doesn't answer, Invalid without a token."""

    def every(self, main: str, observed: str) -> Sequence[Boundary]:
        """Return all that can be asked for, for somebody who administers the repository."""

    def of_job(self, main: str, environment: str) -> Sequence[Boundary]:
        """Return what a job can see of the environment its credentials come from, with no more than its own token."""
