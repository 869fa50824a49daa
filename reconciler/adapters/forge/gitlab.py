"""One project of GitLab, as of the REST API's version 4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import quote

from ...errors import Permanent
from ...ports import Comment, Issue, PullRequest
from .http import Api

_NOTES = "the scope api and at least the role Reporter (a project access token; CI_JOB_TOKEN may not write notes)"
_ISSUES = "the scope api and at least the role Planner or Reporter"


class GitLab:
    """Implements ports.Forge. `project` is its number or its path."""

    limit = 1_000_000

    def __init__(self, api: Api, project: str, *, change: int | None, run: str) -> None:
        self._api = api
        self._path = f"/projects/{quote(project, safe='')}"
        self.change = change
        self.run = run

    def comments(self, change: int) -> Sequence[Comment]:
        path = f"{self._path}/merge_requests/{change}/notes"
        found = self._api.pages(path, _NOTES, sort="asc", order_by="created_at")
        return [Comment(str(n["id"]), n.get("body") or "", self._mine(n)) for n in found if not n.get("system")]

    def comment(self, change: int, body: str) -> None:
        self._api.send("POST", f"{self._path}/merge_requests/{change}/notes", _NOTES, {"body": body})

    def edit(self, change: int, id: str, body: str) -> None:
        self._api.send("PUT", f"{self._path}/merge_requests/{change}/notes/{id}", _NOTES, {"body": body})

    def issues(self, label: str) -> Sequence[Issue]:
        asked = {"labels": label, "scope": "all", "order_by": "created_at", "sort": "asc"}
        return [self._issue(i) for i in self._api.pages(f"{self._path}/issues", _ISSUES, **asked)]

    def open_issue(self, title: str, body: str, label: str) -> str:
        told = {"title": title, "description": body, "labels": label}
        return str(self._api.send("POST", f"{self._path}/issues", _ISSUES, told)["web_url"])

    def change_issue(self, id: str, *, title: str, body: str, open: bool) -> None:
        told = {"title": title, "description": body, "state_event": "reopen" if open else "close"}
        self._api.send("PUT", f"{self._path}/issues/{id}", _ISSUES, told)

    def pull_requests(self, base: str) -> Sequence[PullRequest]:
        asked = {"state": "opened", "target_branch": base, "order_by": "updated_at", "sort": "desc"}
        found = self._api.pages(f"{self._path}/merge_requests", _NOTES, **asked)
        return [PullRequest(int(m["iid"]), m["sha"], m["source_project_id"] == m["target_project_id"]) for m in found]

    def merge_ref(self, change: int) -> str:
        """GitLab brings the ref up to date when it is asked for; one that can't be merged has none."""
        try:
            self._api.get(f"{self._path}/merge_requests/{change}/merge_ref", _NOTES)
        except Permanent as error:
            if "(400)" not in error.message:
                raise
        return f"refs/merge-requests/{change}/merge"

    def _issue(self, found: Mapping[str, Any]) -> Issue:
        return Issue(
            id=str(found["iid"]),
            title=found["title"],
            body=found.get("description") or "",
            open=found["state"] == "opened",
            url=found["web_url"],
            mine=self._mine(found),
        )

    def _mine(self, found: Mapping[str, Any]) -> bool:
        return (found.get("author") or {}).get("id") == self._id

    @cached_property
    def _id(self) -> int:
        """Who we are."""
        return int(self._api.get("/user", "the scope read_user or api")["id"])
