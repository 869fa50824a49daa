"""A branch for a pull request: one commit on a given base, made and pushed without touching any checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.adapters.git import GitRepository
from reconciler.errors import Invalid, Permanent


def git(folder: Path, *argv: str) -> str:
    return subprocess.run(["git", "-C", folder, *argv], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with a remote, two files and a change nobody committed."""
    clone, remote = tmp_path / "clone", tmp_path / "remote.git"
    subprocess.run(["git", "init", "-q", "-b", "main", clone], check=True)
    subprocess.run(["git", "init", "-q", "--bare", remote], check=True)
    git(clone, "config", "user.email", "a@example.org")
    git(clone, "config", "user.name", "a")
    for name in ("a", "b"):
        (clone / name).write_text(f"{name}\n")
    git(clone, "add", ".")
    git(clone, "commit", "-qm", "first")
    git(clone, "remote", "add", "origin", str(remote))
    git(clone, "push", "-q", "origin", "main")
    (clone / "a").write_text("at work on it\n")
    return clone


def repository(clone: Path) -> GitRepository:
    return GitRepository(clone, author=("reconciler", "reconciler@example.org"))


def test_a_branch_with_one_commit_and_an_untouched_checkout(clone: Path) -> None:
    base = git(clone, "rev-parse", "HEAD")
    commit = repository(clone).propose("adopt/x", "HEAD", {"a": b"new\n", "sub/c": b"c\n"}, "adopt\n\nwhy\n")
    for place in (clone, clone.parent / "remote.git"):
        assert git(place, "rev-parse", "adopt/x") == commit
    assert git(clone, "rev-parse", f"{commit}^") == base
    assert git(clone, "show", f"{commit}:a") == "new"
    assert git(clone, "show", f"{commit}:b") == "b"
    assert git(clone, "show", f"{commit}:sub/c") == "c"
    assert git(clone, "log", "-1", "--format=%an %s", commit) == "reconciler adopt"
    assert (clone / "a").read_text() == "at work on it\n"
    assert git(clone, "status", "--porcelain") == "M a"
    assert git(clone, "branch", "--show-current") == "main"


def test_without_a_push_it_stays_here(clone: Path) -> None:
    repository(clone).propose("x", "main", {"a": b"new\n"}, "m", push=False)
    assert git(clone, "branch", "--list", "x") == "x"
    assert git(clone.parent / "remote.git", "branch", "--list", "x") == ""


def test_a_name_that_is_taken_or_none_is_refused(clone: Path) -> None:
    before = git(clone, "rev-parse", "main")
    with pytest.raises(Invalid, match="already"):
        repository(clone).propose("main", "HEAD", {"a": b"x"}, "m")
    for name in ("a..b", "-x", "a b", ""):
        with pytest.raises(Invalid, match="not a name"):
            repository(clone).propose(name, "HEAD", {"a": b"x"}, "m")
    assert git(clone, "rev-parse", "main") == before


def test_a_push_that_is_refused_says_that_the_branch_is_here(clone: Path) -> None:
    hook = clone.parent / "remote.git/hooks/pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(Permanent) as caught:
        repository(clone).propose("x", "HEAD", {"a": b"new\n"}, "m")
    assert "git push origin x" in str(caught.value.hint)
    assert git(clone, "branch", "--list", "x") == "x"


def test_a_files_history_tells_when_each_content_was_written(clone: Path) -> None:
    known = repository(clone)
    for day, text in ((1, "one"), (2, "one"), (3, "two")):
        # the other file makes a commit of its own where the first stays as it is
        known.record("demo", {"demo/drift.yaml": text, "demo/x": str(day)}, f"day {day}")
    told = list(known.history("demo/drift.yaml"))
    assert [text for _, text in told] == [b"two", b"one"]
    first = git(clone, "log", "--reverse", "--format=%cI", "origin/observed").splitlines()[0]
    assert told[1][0][:19] <= first[:19]
    assert list(known.history("demo/none")) == []
