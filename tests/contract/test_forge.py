"""What every forge promises: the same on one in memory, and over HTTP on servers that answer as GitHub and GitLab do.

GitHub and GitLab themselves can't be reached from here; the servers are written after their documentation.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.adapters.forge import forge as connect
from reconciler.adapters.forge.http import Api
from reconciler.errors import Invalid, Permanent, Transient
from reconciler.ports import Forge, PullRequest
from tests.forges import TOKEN, Answer, Memory, Server, serving

KINDS = ("github", "gitlab")


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "*")
    with serving(request.param) as made:
        yield made


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited; nobody does."""
    waits: list[float] = []
    monkeypatch.setitem(Api.__init__.__kwdefaults__ or {}, "sleep", waits.append)
    return waits


@pytest.fixture(params=["memory", *KINDS, "github app"])
def both(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Forge, Memory]]:
    """A forge, and what is behind it."""
    monkeypatch.setenv("NO_PROXY", "*")
    if request.param == "memory":
        memory = Memory()
        yield memory, memory
        return
    with serving(request.param.split()[0]) as made:
        made.app = request.param.endswith("app")
        yield connect(made.environment), made.memory


class TestEvery:
    def test_comments_are_listed_whole_oldest_first_and_say_whose_they_are(self, both: tuple[Forge, Memory]) -> None:
        forge, behind = both
        forge.comment(7, "first, with ünïcode and a\nsecond line")
        for text in ("somebody's", "another's"):
            behind.by_other(7, text)
        forge.comment(7, "last")
        forge.comment(8, "elsewhere")
        found = forge.comments(7)
        assert [(c.body, c.mine) for c in found] == [
            ("first, with ünïcode and a\nsecond line", True),
            ("somebody's", False),
            ("another's", False),
            ("last", True),
        ]

    def test_a_comment_is_edited_and_the_others_stay(self, both: tuple[Forge, Memory]) -> None:
        forge, behind = both
        behind.by_other(7, "somebody's")
        forge.comment(7, "ours")
        forge.edit(7, forge.comments(7)[1].id, "ours, newer")
        assert [c.body for c in forge.comments(7)] == ["somebody's", "ours, newer"]

    def test_there_are_none_before_the_first(self, both: tuple[Forge, Memory]) -> None:
        assert list(both[0].comments(7)) == []
        assert list(both[0].issues("drift")) == []

    def test_an_issue_is_opened_changed_closed_and_opened_again(self, both: tuple[Forge, Memory]) -> None:
        forge, behind = both
        behind.issue_by_other("somebody's", "text", "drift")
        behind.issue_by_other("of another label", "text", "other")
        url = forge.open_issue("ours", "text", "drift")
        first, issue = forge.issues("drift")
        assert (first.title, first.mine) == ("somebody's", False)
        assert (issue.title, issue.body, issue.open, issue.url, issue.mine) == ("ours", "text", True, url, True)
        forge.change_issue(issue.id, title="ours", body="in sync", open=False)
        assert [(i.body, i.open) for i in forge.issues("drift")] == [("text", True), ("in sync", False)]
        forge.change_issue(issue.id, title="ours again", body="text", open=True)
        assert [(i.title, i.open) for i in forge.issues("drift")] == [("somebody's", True), ("ours again", True)]

    def test_a_comment_may_be_as_long_as_it_says(self, both: tuple[Forge, Memory]) -> None:
        forge, _ = both
        text = "é" * min(forge.limit, 65_536)
        forge.comment(7, text)
        assert forge.comments(7)[0].body == text


class TestOverHttp:
    def test_the_token_goes_into_one_header_and_nowhere_else(
        self, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("NETRC", f"{tmp_path}/netrc")
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
        connect(server.environment).comments(7)
        assert {a.headers["Authorization"] for a in server.asked} == {f"Bearer {TOKEN}"}
        assert not [a for a in server.asked if TOKEN in a.path or TOKEN in str(a.query)]
        assert all(a.headers["User-Agent"].startswith("research-cluster-reconciler/") for a in server.asked)

    @pytest.mark.parametrize("status", [500, 502, 503])
    def test_a_forge_that_stumbles_is_asked_again(self, server: Server, slept: list[float], status: int) -> None:
        forge = connect(server.environment)
        server.next_answers = [Answer(status, {"message": "oops"})] * 2
        assert list(forge.comments(7)) == []
        assert slept == [1.0, 2.0]

    @pytest.mark.parametrize(
        ("answer", "waits"),
        [
            (Answer(429, {"message": "slow down"}, {"Retry-After": "7"}), 7.0),
            (Answer(403, {"message": "You have exceeded a secondary rate limit"}), 60.0),
            (Answer(403, {"message": "abuse detection mechanism"}, {"Retry-After": "30"}), 30.0),
            (Answer(429, {"message": "no time is named"}), 1.0),
        ],
    )
    def test_a_limit_is_waited_for_as_long_as_it_says(
        self, server: Server, slept: list[float], answer: Answer, waits: float
    ) -> None:
        server.next_answers = [answer]
        connect(server.environment).comment(7, "text")
        assert slept == [waits]
        assert [c.body for c in server.memory.comments(7)] == ["text"], "nothing had been written when it refused"

    def test_a_limit_that_ends_soon_is_waited_for(self, server: Server, slept: list[float]) -> None:
        reset = str(int(time.time()) + 20)
        headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
        server.next_answers = [Answer(403, {"message": "API rate limit exceeded"}, headers)]
        assert list(connect(server.environment).comments(7)) == []
        assert 15 < slept[0] <= 22

    @pytest.mark.parametrize(
        "headers", [{"Retry-After": "3600"}, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": ""}]
    )
    def test_one_that_lasts_an_hour_is_told_instead(
        self, server: Server, slept: list[float], headers: dict[str, str]
    ) -> None:
        if "x-ratelimit-reset" in headers:
            headers = {**headers, "x-ratelimit-reset": str(int(time.time()) + 3600)}
        server.next_answers = [Answer(403, {"message": "API rate limit exceeded"}, headers)] * 9
        with pytest.raises(Transient, match="asks to wait for 36") as told:
            connect(server.environment).comments(7)
        assert (slept, "later" in (told.value.hint or "")) == ([], True)

    def test_what_may_have_arrived_is_not_written_twice(self, server: Server, slept: list[float]) -> None:
        server.next_answers = [Answer(502, {"message": "bad gateway"})]
        with pytest.raises(Transient, match="busy"):
            connect(server.environment).comment(7, "text")
        assert (slept, len(server.asked)) == ([], 1)

    def test_asking_ends(self, server: Server, slept: list[float]) -> None:
        server.next_answers = [Answer(503, {"message": "down for maintenance"})] * 50
        with pytest.raises(Transient, match="down for maintenance"):
            connect(server.environment).comments(7)
        assert len(server.asked) == 6
        assert sum(slept) <= 180

    @pytest.mark.parametrize(
        ("status", "message", "hint"),
        [(401, "refused the token", "expired"), (403, "does not allow this", "needs"), (404, "did not find", "needs")],
    )
    def test_a_refusal_says_what_is_missing(
        self, server: Server, slept: list[float], status: int, message: str, hint: str
    ) -> None:
        headers = {"X-Accepted-GitHub-Permissions": "issues=write"}
        server.next_answers = [Answer(status, {"message": f"no: {TOKEN}\x1b[2J\nnot"}, headers)] * 9
        with pytest.raises(Permanent, match=message) as told:
            connect(server.environment).open_issue("title", "text", "drift")
        said = f"{told.value.message} {told.value.hint}"
        assert hint in said
        assert (TOKEN in said, "\x1b" in said, slept) == (False, False, [])
        if status in (403, 404):
            assert "issues: write" in said if server.kind == "github" else "scope api" in said
            assert "it says it takes issues=write" in said

    def test_missing_rights_to_comment_are_named_too(self, server: Server) -> None:
        server.next_answers = [Answer(403, {"message": "Resource not accessible by integration"})]
        with pytest.raises(Permanent) as told:
            connect(server.environment).comment(7, "text")
        assert ("pull-requests: write" if server.kind == "github" else "CI_JOB_TOKEN") in (told.value.hint or "")

    def test_issues_that_are_switched_off(self, server: Server) -> None:
        server.next_answers = [Answer(410, {"message": "Issues are disabled for this repo"})]
        with pytest.raises(Permanent, match="Issues are disabled") as told:
            connect(server.environment).open_issue("title", "text", "drift")
        assert "settings" in (told.value.hint or "")

    def test_a_redirect_takes_nothing_elsewhere(self, server: Server) -> None:
        with serving(server.kind) as other:
            server.next_answers = [Answer(307, {}, {"Location": f"{other.url}/elsewhere"})]
            with pytest.raises(Permanent, match="sends elsewhere"):
                connect(server.environment).comment(7, "text")
            assert other.asked == []

    def test_nor_does_a_next_page(self, server: Server) -> None:
        with serving(server.kind) as other:
            server.next_answers = [Answer(200, [], {"Link": f'<{other.url}/x?page=2>; rel="next"'})]
            with pytest.raises(Permanent, match="another host"):
                connect(server.environment).comments(7)
            assert other.asked == []

    def test_pages_without_an_end_end(self, server: Server) -> None:
        path = f"{server.url}/round?page=1"
        server.next_answers = [Answer(200, [], {"Link": f'<{path}>; rel="next"'})] * 200
        assert list(connect(server.environment).issues("drift")) == []
        assert len(server.asked) == 100

    def test_nobody_there(self, slept: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_PROXY", "*")
        with serving("github") as gone:
            environment = gone.environment
        with pytest.raises(Transient, match=r"127\.0\.0\.1:\d+ does not answer") as told:
            connect(environment).comments(7)
        assert "proxy" in (told.value.hint or "")
        assert len(slept) == 5


class TestConnect:
    def test_without_a_token_nobody_is_asked(self, server: Server) -> None:
        environment = {key: value for key, value in server.environment.items() if not key.endswith("TOKEN")}
        with pytest.raises(Invalid, match="there is no token") as told:
            connect(environment).comments(7)
        assert ("GITHUB_TOKEN" if server.kind == "github" else "GITLAB_TOKEN") in (told.value.hint or "")
        assert server.asked == []

    def test_a_gitlab_job_token_is_no_token_for_notes(self) -> None:
        environment = {"CI_PROJECT_ID": "1", "CI_JOB_TOKEN": TOKEN}
        with pytest.raises(Invalid, match="there is no token"):
            connect(environment).comments(7)

    def test_no_forge_at_all(self) -> None:
        with pytest.raises(Invalid, match="no forge") as told:
            connect({})
        assert "GITHUB_REPOSITORY" in (told.value.hint or "")

    @pytest.mark.parametrize("repository", ["lab", "lab/clusters/x", "lab/clu sters", "lab/c?x=1"])
    def test_what_is_no_repository(self, repository: str) -> None:
        with pytest.raises(Invalid, match="GITHUB_REPOSITORY"):
            connect({"GITHUB_REPOSITORY": repository})

    @pytest.mark.parametrize("url", ["http://github.example.org/api/v3", "github.example.org", "ftp://x", "https://"])
    def test_the_token_is_never_sent_in_the_clear(self, url: str) -> None:
        with pytest.raises(Invalid, match="no address of a forge"):
            connect({"GITHUB_REPOSITORY": "lab/clusters", "GITHUB_API_URL": url})
        with pytest.raises(Invalid, match="no address of a forge"):
            connect({"CI_PROJECT_ID": "1", "CI_API_V4_URL": url})

    def test_a_job_knows_its_pull_request_and_its_page(self, tmp_path: Path) -> None:
        event = f"{tmp_path}/event.json"
        job = {
            "GITHUB_REPOSITORY": "lab/clusters",
            "GITHUB_RUN_ID": "12",
            "GITHUB_SERVER_URL": "https://git.example.org",
        }
        Path(event).write_text('{"pull_request": {"number": 31}}')
        found = connect({**job, "GITHUB_EVENT_PATH": event, "GITHUB_REF": "refs/pull/4/merge"})
        assert (found.change, found.run) == (31, "https://git.example.org/lab/clusters/actions/runs/12")
        assert connect({**job, "GITHUB_REF": "refs/pull/4/merge"}).change == 4
        assert connect({**job, "GITHUB_REF": "refs/heads/main"}).change is None
        gitlab = {"CI_PROJECT_ID": "1", "CI_MERGE_REQUEST_IID": "5", "CI_JOB_URL": "https://gitlab.example.org/j/1"}
        assert (connect(gitlab).change, connect(gitlab).run) == (5, "https://gitlab.example.org/j/1")

    @pytest.mark.parametrize("content", ["", "[]", "{", '{"pull_request": []}', '{"pull_request": {"number": "x"}}'])
    def test_an_event_that_is_none_is_no_pull_request(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "event.json").write_text(content)
        assert connect({"GITHUB_REPOSITORY": "a/b", "GITHUB_EVENT_PATH": f"{tmp_path}/event.json"}).change is None


class TestPullRequests:
    def test_those_of_forks_are_told_apart(self, server: Server) -> None:
        first, second = PullRequest(7, "a" * 40, True), PullRequest(8, "b" * 40, False)
        server.memory.pulls = [first, second]
        found = connect(server.environment).pull_requests("main")
        assert list(found) == [first, second, PullRequest(99, "f" * 40, False)], "that of a fork which is gone too"

    def test_the_forge_says_where_it_keeps_the_merge(self, server: Server) -> None:
        kind = "pull" if server.kind == "github" else "merge-requests"
        refs = [connect(server.environment).merge_ref(number) for number in (7, 8)]
        assert refs == [f"refs/{kind}/7/merge", f"refs/{kind}/8/merge"], "8 has a conflict: then nothing is there"

    def test_a_list_that_is_none_is_refused(self, server: Server) -> None:
        server.next_answers = [Answer(200, {})]
        with pytest.raises(Permanent, match="with a list"):
            connect(server.environment).pull_requests("main")
