"""GitHub and GitLab as far as the reconciler asks them: one in memory, and two that answer HTTP on loopback.

The real ones can't be reached from a test. What these answer is written after their documentation: paths, pages by Link
header, who wrote what, the codes and headers of refusals.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from reconciler.ports import Comment, Issue, PullRequest

TOKEN = "a-token-that-nobody-may-see"
PAGE = 2  # so that three comments are two pages


@dataclass
class Memory:
    """Implements ports.Forge without anything."""

    limit: int = 65_536
    change: int | None = 7
    run: str = "https://forge.example.org/run/1"
    written: dict[int, list[Comment]] = field(default_factory=dict)
    kept: list[tuple[Issue, str]] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    pulls: list[PullRequest] = field(default_factory=list)

    def comments(self, change: int) -> Sequence[Comment]:
        return list(self.written.get(change, ()))

    def comment(self, change: int, body: str) -> None:
        self.sent.append("comment")
        self.by_other(change, body, mine=True)

    def by_other(self, change: int, body: str, *, mine: bool = False) -> None:
        there = self.written.setdefault(change, [])
        there.append(Comment(str(len(there) + 1), body, mine))

    def edit(self, change: int, id: str, body: str) -> None:
        self.sent.append("edit")
        self.written[change] = [replace(c, body=body) if c.id == id else c for c in self.written[change]]

    def issues(self, label: str) -> Sequence[Issue]:
        return [issue for issue, its in self.kept if its == label]

    def open_issue(self, title: str, body: str, label: str) -> str:
        self.sent.append("open_issue")
        return self.issue_by_other(title, body, label, mine=True)

    def issue_by_other(self, title: str, body: str, label: str, *, mine: bool = False) -> str:
        number = len(self.kept) + 1
        issue = Issue(str(number), title, body, True, f"https://forge.example.org/{number}", mine)
        self.kept.append((issue, label))
        return issue.url

    def change_issue(self, id: str, *, title: str, body: str, open: bool) -> None:
        self.sent.append("change_issue")
        self.kept = [(replace(i, title=title, body=body, open=open) if i.id == id else i, its) for i, its in self.kept]

    def pull_requests(self, base: str) -> Sequence[PullRequest]:
        return self.pulls if base == "main" else []

    def merge_ref(self, change: int) -> str:
        return f"refs/pull/{change}/merge"


@dataclass
class Asked:
    """One request as the server got it."""

    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any]
    headers: dict[str, str]


@dataclass
class Answer:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Server:
    """A forge on loopback. `next_answers` go before what it would say; an app's token can't ask who it is.
    `settings` are what an administrator may look at, by path."""

    kind: str
    url: str = ""
    app: bool = False
    memory: Memory = field(default_factory=Memory)
    asked: list[Asked] = field(default_factory=list)
    next_answers: list[Answer] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        if self.kind == "github":
            return {"GITHUB_API_URL": self.url, "GITHUB_REPOSITORY": "lab/clusters", "GITHUB_TOKEN": TOKEN}
        return {"CI_API_V4_URL": self.url, "CI_PROJECT_PATH": "lab/clusters", "GITLAB_TOKEN": TOKEN}

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        if self.next_answers:
            return self.next_answers.pop(0)
        if asked.headers.get("Authorization") != f"Bearer {TOKEN}":
            return Answer(401, {"message": "Bad credentials"})
        if asked.method == "GET" and (said := _settings(self, asked)):
            return said
        for method, pattern, handler in _ROUTES[self.kind]:
            if method == asked.method and (found := re.fullmatch(pattern, asked.path)):
                return handler(self, asked, *found.groups())
        return Answer(404, {"message": "Not Found"})

    def paged(self, asked: Asked, items: Sequence[Any]) -> Answer:
        page = int(asked.query.get("page", "1"))
        shown = items[(page - 1) * PAGE : page * PAGE]
        more = page * PAGE < len(items)
        link = {"Link": f'<{self.url}{asked.path}?page={page + 1}>; rel="next"'} if more else {}
        return Answer(200, shown, link)


def _me(server: Server, _: Asked) -> Answer:
    if server.app:
        return Answer(403, {"message": "Resource not accessible by integration"})
    return Answer(200, {"login": "me", "id": 1, "type": "User"})


def _comments(server: Server, asked: Asked, change: str) -> Answer:
    if server.kind == "github":
        kind = "Bot" if server.app else "User"
        items = [
            {
                "id": int(f"{change}{c.id}"),
                "body": c.body,
                "user": {"login": "me" if c.mine else "x", "type": kind if c.mine else "User"},
            }
            for c in server.memory.comments(int(change))
        ]
        return server.paged(asked, items)
    notes = [
        {"id": int(f"{change}{c.id}"), "body": c.body, "system": False, "author": {"id": 1 if c.mine else 2}}
        for c in server.memory.comments(int(change))
    ]
    return server.paged(asked, [{"id": 9, "body": "added 1 commit", "system": True, "author": {"id": 1}}, *notes])


def _comment(server: Server, asked: Asked, change: str) -> Answer:
    server.memory.comment(int(change), asked.body["body"])
    return Answer(201, {"id": 1})


def _edit_github(server: Server, asked: Asked, id: str) -> Answer:
    server.memory.edit(int(id[0]), id[1:], asked.body["body"])
    return Answer(200, {"id": int(id)})


def _edit_gitlab(server: Server, asked: Asked, change: str, id: str) -> Answer:
    server.memory.edit(int(change), id[1:], asked.body["body"])
    return Answer(200, {"id": int(id)})


def _issues(server: Server, asked: Asked) -> Answer:
    found = server.memory.issues(asked.query.get("labels", "drift"))  # a page's link has lost what was asked
    if server.kind == "github":
        kind = "Bot" if server.app else "User"
        items: list[dict[str, Any]] = [{"number": 99, "pull_request": {}, "title": "a pull request"}]
        items += [
            {
                "number": int(i.id),
                "title": i.title,
                "body": i.body,
                "state": "open" if i.open else "closed",
                "html_url": i.url,
                "user": {"login": "me" if i.mine else "x", "type": kind if i.mine else "User"},
            }
            for i in found
        ]
        return server.paged(asked, items)
    items = [
        {
            "iid": int(i.id),
            "title": i.title,
            "description": i.body,
            "state": "opened" if i.open else "closed",
            "web_url": i.url,
            "author": {"id": 1 if i.mine else 2},
        }
        for i in found
    ]
    return server.paged(asked, items)


def _open_issue(server: Server, asked: Asked) -> Answer:
    text, labels = (
        ("body", asked.body["labels"]) if server.kind == "github" else ("description", [asked.body["labels"]])
    )
    url = server.memory.open_issue(asked.body["title"], asked.body[text], labels[0])
    return Answer(201, {"html_url": url, "web_url": url})


def _change_issue(server: Server, asked: Asked, id: str) -> Answer:
    told = asked.body
    is_open = told["state"] == "open" if server.kind == "github" else told["state_event"] == "reopen"
    text = told["body"] if server.kind == "github" else told["description"]
    server.memory.change_issue(id, title=told["title"], body=text, open=is_open)
    return Answer(200, {})


def _pulls(server: Server, asked: Asked) -> Answer:
    if server.kind == "github":
        forked: dict[str, Any] | None = {"full_name": "somebody/clusters"}
        found = [
            {"number": p.number, "head": {"sha": p.head, "repo": {"full_name": "Lab/clusters"} if p.own else forked}}
            for p in server.memory.pull_requests(asked.query.get("base", "main"))
        ]
        return server.paged(asked, [*found, {"number": 99, "head": {"sha": "f" * 40, "repo": None}}])
    found = [
        {"iid": p.number, "sha": p.head, "source_project_id": 1 if p.own else 2, "target_project_id": 1}
        for p in server.memory.pull_requests(asked.query.get("target_branch", "main"))
    ]
    return server.paged(
        asked, [*found, {"iid": 99, "sha": "f" * 40, "source_project_id": None, "target_project_id": 1}]
    )


def _merge_ref(server: Server, asked: Asked, number: str) -> Answer:
    if number == "8":
        return Answer(400, {"message": "Merge request is not mergeable"})
    return Answer(200, {"commit_id": "a" * 40})


def _settings(server: Server, asked: Asked) -> Answer | None:
    """What an administrator is told of the forge's settings; what is not listed is not there."""
    found = server.settings.get(asked.path)
    if isinstance(found, Answer):
        return found
    if isinstance(found, list):
        return server.paged(asked, found)
    return None if found is None else Answer(200, found)


_Route = tuple[str, str, Callable[..., Answer]]
_ROUTES: dict[str, list[_Route]] = {
    "github": [
        ("GET", "/user", _me),
        ("GET", "/repos/lab/clusters/pulls", _pulls),
        ("GET", r"/repos/lab/clusters/issues/(\d+)/comments", _comments),
        ("POST", r"/repos/lab/clusters/issues/(\d+)/comments", _comment),
        ("PATCH", r"/repos/lab/clusters/issues/comments/(\d+)", _edit_github),
        ("GET", "/repos/lab/clusters/issues", _issues),
        ("POST", "/repos/lab/clusters/issues", _open_issue),
        ("PATCH", r"/repos/lab/clusters/issues/(\d+)", _change_issue),
    ],
    "gitlab": [
        ("GET", "/user", _me),
        ("GET", "/projects/lab%2Fclusters/merge_requests", _pulls),
        ("GET", r"/projects/lab%2Fclusters/merge_requests/(\d+)/merge_ref", _merge_ref),
        ("GET", r"/projects/lab%2Fclusters/merge_requests/(\d+)/notes", _comments),
        ("POST", r"/projects/lab%2Fclusters/merge_requests/(\d+)/notes", _comment),
        ("PUT", r"/projects/lab%2Fclusters/merge_requests/(\d+)/notes/(\d+)", _edit_gitlab),
        ("GET", "/projects/lab%2Fclusters/issues", _issues),
        ("POST", "/projects/lab%2Fclusters/issues", _open_issue),
        ("PUT", r"/projects/lab%2Fclusters/issues/(\d+)", _change_issue),
    ],
}


@contextmanager
def serving(kind: str) -> Iterator[Server]:
    """A forge on a free port of loopback, for as long as the block runs."""
    server = Server(kind)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet an answer

        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            said = server.answer(Asked(self.command, parts.path, query, body, dict(self.headers)))
            content = json.dumps(said.body).encode()
            self.send_response(said.status)
            for name, value in {"Content-Length": str(len(content)), **said.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

        do_GET = do_POST = do_PATCH = do_PUT = _do  # noqa: N815 - the base class's names

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
