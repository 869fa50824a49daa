"""One file of the branch that is checked out, committed as a person would."""

from __future__ import annotations

from pathlib import Path

import git
import pytest

from reconciler.adapters.git import Checkout
from reconciler.errors import Invalid, Permanent


@pytest.fixture
def clone(tmp_path: Path) -> git.Repo:
    remote = git.Repo.init(tmp_path / "remote.git", bare=True, initial_branch="main")
    made = git.Repo.init(tmp_path / "clone", initial_branch="main")
    with made.config_writer() as config:
        config.set_value("user", "name", "Ada")
        config.set_value("user", "email", "ada@example.org")
    made.create_remote("origin", str(remote.git_dir))
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / "clone" / name).write_text("x: 1\n")
    made.git.add(".")
    made.git.commit("-m", "first")
    made.git.push("--quiet", "origin", "main")
    return made


def place(clone: git.Repo) -> Path:
    return Path(str(clone.working_tree_dir))


def test_only_the_file_is_committed_by_the_person(clone: git.Repo) -> None:
    (place(clone) / "b.yaml").write_text("x: staged\n")
    clone.git.add("b.yaml")
    (place(clone) / "c.yaml").write_text("untracked\n")
    commit = Checkout(place(clone)).commit("a.yaml", b"x: 2\n", "demo: suspend\n\n# no comment\n")
    assert clone.head.commit.hexsha == commit
    assert list(clone.head.commit.stats.files) == ["a.yaml"]
    assert clone.head.commit.author.name == "Ada"
    assert (place(clone) / "a.yaml").read_text() == "x: 2\n"
    assert clone.git.diff("--cached", "--name-only") == "b.yaml"


def test_pushed_to_the_branch_of_its_name(clone: git.Repo) -> None:
    clone.git.switch("--quiet", "--create", "work")
    checkout = Checkout(place(clone))
    commit = checkout.commit("a.yaml", b"x: 2\n", "why\n")
    checkout.push("origin")
    assert checkout.branch == "work"
    assert git.Repo(str(clone.remote().url)).heads["work"].commit.hexsha == commit
    assert git.Repo(str(clone.remote().url)).heads["main"].commit.hexsha != commit


@pytest.mark.parametrize("staged", [True, False])
def test_somebodys_own_change_of_the_file_is_not_committed_along(clone: git.Repo, staged: bool) -> None:
    (place(clone) / "a.yaml").write_text("x: mine\n")
    if staged:
        clone.git.add("a.yaml")
    with pytest.raises(Invalid, match=r"a\.yaml has changes that are not committed"):
        Checkout(place(clone)).commit("a.yaml", b"x: 2\n", "why\n")
    assert (place(clone) / "a.yaml").read_text() == "x: mine\n"


def test_without_a_branch_there_is_nothing_to_commit_to(clone: git.Repo) -> None:
    clone.git.checkout("--quiet", "--detach")
    with pytest.raises(Invalid, match="no branch checked out"):
        _ = Checkout(place(clone)).branch


def test_a_hook_that_says_no_leaves_the_file_as_it_was(clone: git.Repo) -> None:
    hook = Path(clone.git_dir) / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho not on a sunday >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(Permanent, match="does not commit") as caught:
        Checkout(place(clone)).commit("a.yaml", b"x: 2\n", "why\n")
    assert caught.value.evidence
    assert "not on a sunday" in caught.value.evidence.last_lines[0]
    assert (place(clone) / "a.yaml").read_text() == "x: 1\n"
    assert clone.git.status("--porcelain") == ""


def test_a_push_that_is_refused_leaves_the_commit_here(clone: git.Repo, tmp_path: Path) -> None:
    other = git.Repo.clone_from(str(clone.remote().url), tmp_path / "other")
    other.git.commit("--allow-empty", "-m", "faster", env={"GIT_AUTHOR_NAME": "B", "GIT_AUTHOR_EMAIL": "b@x.org",
                     "GIT_COMMITTER_NAME": "B", "GIT_COMMITTER_EMAIL": "b@x.org"})  # fmt: skip
    other.git.push("--quiet")
    checkout = Checkout(place(clone))
    commit = checkout.commit("a.yaml", b"x: 2\n", "why\n")
    with pytest.raises(Permanent, match="does not take it") as caught:
        checkout.push("origin")
    assert "--branch NAME" in str(caught.value.hint)
    assert clone.head.commit.hexsha == commit
