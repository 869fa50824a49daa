"""Which commit descends from which, also where the clone has not seen one of them, and where nobody has."""

from __future__ import annotations

from pathlib import Path

from reconciler.adapters.git import GitRepository
from tests.contract.test_git import AUTHOR, Make, clone, git, remote

__all__ = ["clone", "remote"]


def grown(folder: Path, *messages: str) -> list[str]:
    """A commit for each message, pushed to main."""
    made = []
    for message in messages:
        git(folder, "commit", "-q", "--allow-empty", "-m", message)
        made.append(git(folder, "rev-parse", "HEAD"))
    git(folder, "push", "-q", "--force", "origin", "HEAD:main")
    return made


def test_what_lies_behind_a_commit(clone: Make) -> None:
    folder = clone("one")
    one = GitRepository(folder, author=AUTHOR)
    first, second, third = grown(folder, "1", "2", "3")
    assert one.descends(third, first)
    assert one.descends(third, third)
    assert one.descends(first, third) is False
    git(folder, "reset", "-q", "--hard", first)
    (other,) = grown(folder, "other")
    assert one.descends(other, third) is False
    git(folder, "merge", "-q", "-s", "ours", "-m", "both", third)
    both = git(folder, "rev-parse", "HEAD")
    assert one.descends(both, second)
    assert one.descends(both, other)


def test_what_the_clone_lacks_is_asked_for_and_what_nobody_has_is_unknown(clone: Make, remote: Path) -> None:
    folder = clone("people")
    first, second = grown(folder, "1", "2")
    git(folder, "reset", "-q", "--hard", first)
    (other,) = grown(folder, "other")
    git(remote, "config", "uploadpack.allowAnySHA1InWant", "true")
    one = GitRepository(clone("one"), author=AUTHOR)
    assert one.descends(other, second) is False, "it was rewritten away, and fetched by its id"
    assert one.descends(other, "f" * 40) is None
    for nonsense in ("main", "", "--help", "HEAD"):
        assert one.descends(other, nonsense) is None


def test_a_shallow_clone_is_deepened_and_what_it_can_not_tell_is_unknown(
    clone: Make, remote: Path, tmp_path: Path
) -> None:
    folder = clone("people")
    first, *_, last = grown(folder, *"123456")
    git(folder, "reset", "-q", "--hard", first)
    (other,) = grown(folder, "other")
    git(folder, "push", "-q", "origin", f"{last}:refs/heads/old")
    git(tmp_path, "clone", "-q", "--depth=1", "--branch", "old", f"file://{remote}", "shallow")
    one = GitRepository(tmp_path / "shallow", author=AUTHOR)
    assert one.descends(last, first)
    assert not one.descends(other, last)
