"""In somebody's clone, with real git: a followed branch that is gone from the remote is no desired state; a fetch of
ours breaks nobody's `git pull`; a clone that leaves files with its remote gets what it lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import Gone, ReconcilerError, Transient
from tests.contract.test_git import Make, clone, git, remote, repository

__all__ = ["clone", "remote"]


def push(remote: Path, text: str, branch: str = "main") -> str:
    """Somebody else's commit."""
    seed = remote.parent / "seed"
    (seed / "desired.yaml").write_text(text)
    git(seed, "commit", "-qam", text)
    git(seed, "push", "-q", str(remote), f"HEAD:refs/heads/{branch}")
    return git(seed, "rev-parse", "HEAD")


def test_a_branch_that_was_renamed_is_told_with_its_new_name(remote: Path, clone: Make) -> None:
    one = repository(clone("one"))
    one.fetch()
    before = one.resolve("origin/main")
    git(remote, "branch", "-m", "main", "trunk")
    after = push(remote, "a: 2\n", "trunk")
    assert one.resolve("origin/main") == before, "until the remote is asked, the clone's word holds"
    one.fetch()
    for ref in ("origin/main", "refs/remotes/origin/main"):
        with pytest.raises(Gone, match="has no branch 'main' any more") as caught:
            one.resolve(ref)
        assert caught.value.hint == "was it renamed? origin/trunk has its last commit: --ref origin/trunk"
    assert one.resolve("origin/trunk") == after
    assert one.resolve("main") == before, "a branch of the clone's own is its own"
    git(remote, "branch", "-m", "trunk", "main")
    one.fetch()
    assert one.resolve("origin/main") == after


def test_a_branch_that_was_deleted_is_told_also_in_a_shallow_clone(remote: Path, tmp_path: Path) -> None:
    push(remote, "a: 2\n", "site")
    git(tmp_path, "clone", "-q", "--depth=1", "--branch=site", f"file://{remote}", "shallow")
    one = repository(tmp_path / "shallow")
    one.fetch()
    assert one.resolve("origin/site")
    git(remote, "branch", "-D", "site")
    one.fetch()
    with pytest.raises(Gone, match="has no branch 'site' any more") as caught:
        one.resolve("origin/site")
    assert "--ref" in (caught.value.hint or "")


def test_a_fetch_leaves_a_pull_of_the_clones_owner_alone(remote: Path, clone: Make, tmp_path: Path) -> None:
    """`git pull` fetches, and merges what FETCH_HEAD says: the owner's fetch, then ours, then the owner's merge."""
    mine = clone("one")
    wanted = push(remote, "a: 2\n")
    git(mine, "fetch", "-q", "origin", "main")
    fetched = (mine / ".git" / "FETCH_HEAD").read_text()
    push(remote, "a: 3\n", "other")
    push(remote, "a: 4\n")
    repository(mine).fetch()
    assert (mine / ".git" / "FETCH_HEAD").read_text() == fetched
    git(mine, "merge", "-q", "--ff-only", "FETCH_HEAD")
    assert git(mine, "rev-parse", "HEAD") == wanted
    git(mine, "pull", "-q", "--ff-only")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{remote}", "shallow")
    repository(tmp_path / "shallow").fetch()
    assert not (tmp_path / "shallow" / ".git" / "FETCH_HEAD").exists()


@pytest.mark.parametrize("left_out", ["blob:none", "tree:0", "blob:limit=1"])
def test_a_partial_clone_gets_what_it_lacks(remote: Path, tmp_path: Path, left_out: str) -> None:
    git(remote, "config", "uploadpack.allowFilter", "true")
    git(remote.parent / "seed", "push", "-q", str(remote), "HEAD:refs/heads/main")
    git(tmp_path, "clone", "-q", "--no-checkout", f"--filter={left_out}", f"file://{remote}", "partial")
    one = repository(tmp_path / "partial")
    for number in range(2):
        one.fetch()
        commit = one.resolve("origin/main")
        assert one.read(commit, "")["desired.yaml"] == f"a: {number + 1}\n".encode()
        one.record("demo", {"demo/drift.yaml": f"- {number}\n"}, "demo: x\n")
        push(remote, f"a: {number + 2}\n")
    again = repository(tmp_path / "partial")
    assert [text for _, text in again.history("demo/drift.yaml")] == [b"- 1\n", b"- 0\n"]


def test_a_partial_clone_whose_remote_is_away_says_what_is_missing(remote: Path, tmp_path: Path) -> None:
    git(remote, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{remote}", "partial")
    one = repository(tmp_path / "partial")
    remote.rename(tmp_path / "away")
    with pytest.raises(ReconcilerError) as caught:
        one.read(one.resolve("HEAD"), "")
    assert isinstance(caught.value, Transient)
    assert "can't be reached" in caught.value.message
