"""`reconciler ci plan`: pull requests are planned from main, read as data, and told by their comments; `ci guard`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import git
import pytest

from reconciler.ports import PullRequest
from tests.contract.test_forge_boundaries import GITHUB, REPO
from tests.forges import Answer, Server, serving
from tests.unit.cli.conftest import Run

CANARY = "canary-of-a-pull-request"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "*")
    for name in ("CI_PROJECT_ID", "CI_PROJECT_PATH"):
        monkeypatch.delenv(name, raising=False)
    with serving("github") as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def remote(run: Run, tmp_path: Path) -> git.Repo:
    """A forge's repository, and a clone of it in `clone`."""
    run("init", tmp_path / "made", "--name", "physics")
    remote = git.Repo.clone_from(str(tmp_path / "made"), str(tmp_path / "remote.git"), bare=True)
    git.Repo.clone_from(f"file://{tmp_path}/remote.git", str(tmp_path / "clone"))
    return remote


def propose(tmp_path: Path, number: int, path: str, text: str, *, merged: bool = True) -> PullRequest:
    """Push a branch with a commit on top of main, and the merge that a forge makes of it."""
    author = git.Repo.clone_from(f"file://{tmp_path}/remote.git", str(tmp_path / f"author-{number}"))
    author.git.config("user.name", "somebody")
    author.git.config("user.email", "somebody@example.org")
    author.git.checkout("-b", f"change-{number}")
    (Path(author.working_dir) / path).write_text(text)
    author.git.add("--all")
    author.git.commit("-m", "a change")
    head = author.head.commit.hexsha
    author.git.push("origin", f"change-{number}")
    if merged:
        author.git.checkout("main")
        author.git.merge("--no-ff", "-m", "merged", f"change-{number}")
        author.git.push("origin", f"HEAD:refs/pull/{number}/merge")
    return PullRequest(number, head, True)


def test_each_is_planned_as_the_forge_merged_it_and_told(
    run: Run, server: Server, remote: git.Repo, tmp_path: Path
) -> None:
    bad = propose(tmp_path, 7, "desired/physics/cluster.yaml", f"{CANARY}: 1\n")
    good = propose(tmp_path, 8, "README.md", "nothing to see\n")
    server.memory.pulls = [bad, good]
    clone = git.Repo(tmp_path / "clone")
    before = (clone.head.commit.hexsha, (tmp_path / "clone/desired/physics/cluster.yaml").read_bytes())
    said = run("-q", "-C", tmp_path / "clone", "ci", "plan", "--report", tmp_path / "report")
    assert said.code == 1, "the cloud of the second is not here, and that counts most"
    (told,) = server.memory.comments(7)
    assert "desired/physics/cluster.yaml" in told.body
    (told,) = server.memory.comments(8)
    assert "cloud" in told.body
    assert sorted(p.name for p in (tmp_path / "report").iterdir()) == ["7", "8"]
    after = (clone.head.commit.hexsha, (tmp_path / "clone/desired/physics/cluster.yaml").read_bytes())
    assert after == before, "nothing of theirs is checked out"


def test_a_fork_is_not_planned(run: Run, server: Server, remote: git.Repo, tmp_path: Path) -> None:
    server.memory.pulls = [replace(propose(tmp_path, 7, "README.md", CANARY), own=False)]
    said = run("-q", "-C", tmp_path / "clone", "ci", "plan")
    assert (said.code, server.memory.sent) == (0, [])
    assert said.out == "0 open pull requests of this repository\n"


def test_only_the_one_that_is_asked_for(run: Run, server: Server, remote: git.Repo, tmp_path: Path) -> None:
    first, second = propose(tmp_path, 7, "README.md", "a"), propose(tmp_path, 8, "README.md", "b")
    server.memory.pulls = [first, second]
    run("-q", "-C", tmp_path / "clone", "ci", "plan", "--head", second.head)
    assert (len(server.memory.comments(7)), len(server.memory.comments(8))) == (0, 1)


@pytest.mark.parametrize("head", ["main", "--", "f" * 39, "F" * 40, "f" * 40 + ";id"])
def test_what_is_no_commit_is_refused(run: Run, server: Server, head: str) -> None:
    said = run("ci", "plan", f"--head={head}")
    assert said.code == 2
    assert "is no commit" in said.err
    assert server.asked == []


@pytest.mark.parametrize("how", ["a conflict", "pushed again"])
def test_what_the_forge_has_not_merged_is_not_planned(
    run: Run, server: Server, remote: git.Repo, tmp_path: Path, how: str
) -> None:
    change = propose(tmp_path, 7, "README.md", "a", merged=how == "pushed again")
    server.memory.pulls = [change if how == "a conflict" else replace(change, head="e" * 40)]
    said = run("-q", "-C", tmp_path / "clone", "ci", "plan")
    assert (said.code, server.memory.sent) == (0, [])
    assert "pull request 7: not merged with its base" in said.out


def test_a_comment_that_is_refused_does_not_keep_the_next_waiting(
    run: Run, server: Server, remote: git.Repo, tmp_path: Path
) -> None:
    server.memory.pulls = [propose(tmp_path, 7, "README.md", "a"), propose(tmp_path, 8, "README.md", "b")]
    server.settings[f"{REPO}/issues/7/comments"] = Answer(403, {"message": "no"})
    said = run("-q", "-C", tmp_path / "clone", "ci", "plan")
    assert "pull-requests: write" in said.err
    assert len(server.memory.comments(8)) == 1


def test_a_job_goes_on_where_main_alone_has_its_credentials(run: Run, server: Server) -> None:
    server.settings = dict(GITHUB)
    said = run("ci", "guard", "plan")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == ["closed: environment plan is for main alone", "closed: branch main is protected"]


@pytest.mark.parametrize("policy", [None, {"protected_branches": True, "custom_branch_policies": False}, "x"])
def test_else_it_does_not(run: Run, server: Server, policy: object) -> None:
    server.settings = GITHUB | {f"{REPO}/environments/plan": {"name": "plan", "deployment_branch_policy": policy}}
    said = run("ci", "guard", "plan")
    assert said.code == 4
    assert "so nothing is done with the credentials" in said.err
    assert "hint: " in said.err
