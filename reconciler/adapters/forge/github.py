"""One repository of GitHub, as of the REST API's version 2022-11-28."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from ...errors import Permanent
from ...ports import Comment, Issue, PullRequest
from .http import Api

_COMMENTS = "pull-requests: write (in a workflow: permissions; never given to a pull request of a fork)"
_PULLS = "pull-requests: read (in a workflow: permissions)"
_ISSUES = "issues: write (in a workflow: permissions)"


class GitHub:
    """Implements ports.Forge."""

    limit = 65_536

    def __init__(self, api: Api, repository: str, *, change: int | None, run: str) -> None:
        self._api = api
        self._path = f"/repos/{repository}"
        self.change = change
        self.run = run

    def comments(self, change: int) -> Sequence[Comment]:
        found = self._api.pages(f"{self._path}/issues/{change}/comments", _COMMENTS)
        return [Comment(str(c["id"]), c.get("body") or "", self._mine(c)) for c in found]

    def comment(self, change: int, body: str) -> None:
        self._api.send("POST", f"{self._path}/issues/{change}/comments", _COMMENTS, {"body": body})

    def edit(self, change: int, id: str, body: str) -> None:  # noqa: ARG002 - a comment's number says which it is of
        self._api.send("PATCH", f"{self._path}/issues/comments/{id}", _COMMENTS, {"body": body})

    def issues(self, label: str) -> Sequence[Issue]:
        asked = {"labels": label, "state": "all", "sort": "created", "direction": "asc"}
        found = self._api.pages(f"{self._path}/issues", _ISSUES, **asked)
        return [self._issue(i) for i in found if "pull_request" not in i]  # to GitHub, each of those is an issue too

    def open_issue(self, title: str, body: str, label: str) -> str:
        made = self._api.send(
            "POST", f"{self._path}/issues", _ISSUES, {"title": title, "body": body, "labels": [label]}
        )
        return str(made["html_url"])

    def change_issue(self, id: str, *, title: str, body: str, open: bool) -> None:
        told = {"title": title, "body": body, "state": "open" if open else "closed"}
        told |= {"state_reason": "reopened" if open else "completed"}
        self._api.send("PATCH", f"{self._path}/issues/{id}", _ISSUES, told)

    def pull_requests(self, base: str) -> Sequence[PullRequest]:
        asked = {"state": "open", "base": base, "sort": "updated", "direction": "desc"}
        found = self._api.pages(f"{self._path}/pulls", _PULLS, **asked)
        return [PullRequest(int(p["number"]), p["head"]["sha"], self._own(p["head"])) for p in found]

    def merge_ref(self, change: int) -> str:
        return f"refs/pull/{change}/merge"

    def _own(self, head: Mapping[str, Any]) -> bool:
        """A fork that was deleted is no repository any more."""
        repository = str((head.get("repo") or {}).get("full_name", ""))
        return repository.lower() == self._path.removeprefix("/repos/").lower()

    def _issue(self, found: Mapping[str, Any]) -> Issue:
        return Issue(
            id=str(found["number"]),
            title=found["title"],
            body=found.get("body") or "",
            open=found["state"] == "open",
            url=found["html_url"],
            mine=self._mine(found),
        )

    def _mine(self, found: Mapping[str, Any]) -> bool:
        author = found.get("user") or {}
        return author.get("login") == self._login if self._login else author.get("type") == "Bot"

    @cached_property
    def _login(self) -> str:
        """Who we are; empty for an app's token (a workflow's is one), which GitHub does not tell who it is."""
        try:
            return str(self._api.get("/user", "nothing")["login"])
        except Permanent as error:
            if "(403)" in error.message:
                return ""
            raise
