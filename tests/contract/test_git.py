"""The Repository port against real git remotes: every record arrives, nobody's is lost, and no checkout is touched."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.git import GitRepository
from reconciler.errors import Invalid, Permanent, Transient

AUTHOR = ("Reconciler", "reconciler@example.org")
Make = Callable[[str], Path]


def git(folder: Path, *arguments: str, stdin: str | None = None) -> str:
    settings = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *settings, *arguments], cwd=folder, capture_output=True, text=True, check=True, input=stdin
    )
    return done.stdout.strip()


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    seed = tmp_path / "seed"
    seed.mkdir()
    git(seed, "init", "-q")
    (seed / "desired.yaml").write_text("a: 1\n")
    git(seed, "add", ".")
    git(seed, "commit", "-qm", "first")
    git(tmp_path, "clone", "-q", "--bare", "seed", "remote.git")
    return tmp_path / "remote.git"


@pytest.fixture
def clone(remote: Path, tmp_path: Path) -> Make:
    def make(name: str) -> Path:
        git(tmp_path, "clone", "-q", f"file://{remote}", name)
        return tmp_path / name

    return make


def repository(folder: Path, **options: Any) -> GitRepository:
    return GitRepository(folder, author=AUTHOR, **options)


def test_the_first_record_is_a_root_and_the_message_is_kept(remote: Path, clone: Make) -> None:
    one = repository(clone("one"))
    message = "demo: 2 repaired\n\nserver demo-worker-1\n\nDesired-Commit: abc\nTool: tofu 1.12\n"
    made = one.record("demo", {"demo/observed.yaml": "a: ü\n", 'demo/odd "name".md': ""}, message)
    assert git(remote, "rev-parse", "observed") == made
    assert git(remote, "rev-list", "--parents", "observed") == made
    assert git(remote, "log", "-1", "--format=%B", "observed").strip() == message.strip()
    assert git(remote, "log", "-1", "--format=%(trailers:key=Tool,valueonly)", "observed").strip() == "tofu 1.12"
    assert (
        git(remote, "log", "-1", "--format=%an <%ae> %cn", "observed")
        == "Reconciler <reconciler@example.org> Reconciler"
    )
    assert one.observed("demo") == {"demo/observed.yaml": "a: ü\n".encode(), 'demo/odd "name".md': b""}


def test_a_folder_is_replaced_whole_and_the_others_are_kept(clone: Make) -> None:
    one = repository(clone("one"))
    one.record("a", {"a/x": "1", "a/deep/y": "2"}, "a")
    one.record("b", {"b/x": "1"}, "b")
    one.record("a", {"a/z": "3"}, "a again")
    assert one.observed("") == {"a/z": b"3", "b/x": b"1"}


def test_nothing_changed_means_no_commit(remote: Path, clone: Make) -> None:
    one, two = repository(clone("one")), repository(clone("two"))
    made = one.record("demo", {"demo/x": "1"}, "one")
    assert one.record("demo", {"demo/x": "1"}, "again") is None
    assert two.record("demo", {"demo/x": "1"}, "from a clone that never fetched it") is None
    assert git(remote, "rev-parse", "observed") == made
    assert two.observed("demo") == {"demo/x": b"1"}


def test_the_checkout_index_and_local_refs_stay_as_they_were(clone: Make) -> None:
    folder = clone("one")
    (folder / "desired.yaml").write_text("edited\n")
    (folder / "staged").write_text("s\n")
    git(folder, "add", "staged")
    marker = folder / "hook-ran"
    (folder / ".git/hooks/pre-push").write_text(f"#!/bin/sh\ntouch {marker}\nexit 1\n")
    (folder / ".git/hooks/pre-push").chmod(0o755)
    before = [
        git(folder, "status", "--porcelain"),
        (folder / ".git/index").read_bytes(),
        git(folder, "branch", "--list"),
    ]
    assert repository(folder).record("demo", {"demo/x": "1"}, "one")
    assert before == [
        git(folder, "status", "--porcelain"),
        (folder / ".git/index").read_bytes(),
        git(folder, "branch", "--list"),
    ]
    assert not marker.exists()
    assert "unpublished" not in git(folder, "for-each-ref")


def test_called_from_a_hook_of_another_repository(clone: Make, remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = clone("one")
    monkeypatch.setenv("GIT_DIR", str(clone("other") / ".git"))
    made = repository(one).record("demo", {"demo/x": "1"}, "one")
    monkeypatch.delenv("GIT_DIR")
    assert git(remote, "rev-parse", "observed") == made == git(one, "rev-parse", "origin/observed")


def _five_records(folder: Path, writer: int) -> list[str | None]:
    one = repository(folder)
    return [one.record(f"c{writer}-{n}", {f"c{writer}-{n}/x": str(n)}, f"{writer} {n}") for n in range(5)]


def test_what_the_remote_just_said_is_enough_to_find_nothing_to_write(remote: Path, clone: Make) -> None:
    one = repository(clone("one"), trust=60.0)
    first = one.record("a", {"a/x": "1"}, "a")
    away = remote.rename(remote.with_name("away.git"))
    assert one.record("a", {"a/x": "1"}, "the same") is None
    assert one.record("a", lambda there: {"a/x": there["a/x"].decode()}, "the same, as it is there") is None
    with pytest.raises(Transient):
        one.record("a", {"a/x": "2"}, "another")
    with pytest.raises(Invalid):
        one.record("a", {"b/x": "1"}, "elsewhere")
    away.rename(remote)
    other = repository(clone("other")).record("b", {"b/x": "1"}, "b")
    assert one.record("a", {"a/x": "2"}, "another") is not None
    assert one.observed("") == {"a/x": b"2", "b/x": b"1"}
    assert git(remote, "rev-list", "observed").splitlines()[1:] == [other, first]


def test_what_the_remote_said_long_ago_is_not(remote: Path, clone: Make) -> None:
    one = repository(clone("one"), trust=0.05)
    first = one.record("a", {"a/x": "1"}, "a")
    git(remote, "update-ref", "-d", "refs/heads/observed")
    time.sleep(0.06)
    assert one.record("a", {"a/x": "1"}, "the same") == first
    assert git(remote, "rev-parse", "observed") == first


@pytest.mark.parametrize("clones", [4, 1])
def test_racing_writers_lose_nothing(remote: Path, clone: Make, clones: int) -> None:
    folders = [clone(f"writer{n}") for n in range(clones)] * (4 // clones)
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        made = [c for done in pool.map(_five_records, folders, range(4)) for c in done]
    assert None not in made
    assert sorted(git(remote, "rev-list", "observed").splitlines()) == sorted(str(c) for c in made)
    assert git(remote, "rev-list", "--merges", "observed") == ""
    reader = repository(folders[0])
    reader.fetch()
    assert reader.observed("") == {f"c{w}-{n}/x": str(n).encode() for w in range(4) for n in range(5)}


def test_a_branch_deleted_on_the_remote_comes_back_with_its_history(remote: Path, clone: Make) -> None:
    one = repository(clone("one"))
    first = one.record("a", {"a/x": "1"}, "a")
    git(remote, "update-ref", "-d", "refs/heads/observed")
    assert one.record("a", {"a/x": "1"}, "a") == first
    assert git(remote, "rev-parse", "observed") == first
    git(remote, "update-ref", "-d", "refs/heads/observed")
    second = one.record("b", {"b/x": "1"}, "b")
    assert git(remote, "rev-list", "observed").splitlines() == [second, first]


def test_a_branch_rewritten_on_the_remote_is_taken_as_it_is_there(remote: Path, clone: Make) -> None:
    one, two = repository(clone("one")), repository(clone("two"))
    one.record("a", {"a/x": "1"}, "a")
    git(remote, "update-ref", "-d", "refs/heads/observed")
    fresh = two.record("b", {"b/x": "1"}, "b")
    last = one.record("a", {"a/x": "1"}, "a")
    assert git(remote, "rev-list", "observed").splitlines() == [last, fresh]


def test_fetch_brings_desired_and_observed(clone: Make, remote: Path) -> None:
    single, other = clone("single"), clone("other")
    git(single, "config", "remote.origin.fetch", "+refs/heads/main:refs/remotes/origin/main")
    repository(other).record("demo", {"demo/x": "1"}, "one")
    (other / "desired.yaml").write_text("a: 2\n")
    git(other, "commit", "-qam", "second")
    git(other, "push", "-q", "origin", "main")
    one = repository(single)
    assert one.observed("demo") == {}
    one.fetch()
    assert one.observed("demo") == {"demo/x": b"1"}
    assert one.resolve("origin/main") == git(other, "rev-parse", "main")


def test_without_a_remote_the_branch_is_local(remote: Path, tmp_path: Path) -> None:
    seed = tmp_path / "seed"
    for one in (repository(seed), repository(seed, remote=None)):
        made = one.record("demo", {"demo/x": str(id(one))}, "one")
        assert git(seed, "rev-parse", "observed") == made
        assert one.record("demo", {"demo/x": str(id(one))}, "one") is None
        one.fetch()
    assert git(seed, "rev-list", "--count", "observed") == "2"
    assert git(seed, "status", "--porcelain") == ""


def test_from_a_worktree_and_a_shallow_clone(remote: Path, clone: Make, tmp_path: Path) -> None:
    git(clone("one"), "worktree", "add", "-q", "--detach", str(tmp_path / "tree"))
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{remote}", "shallow")
    made = [repository(tmp_path / n).record(n, {f"{n}/x": "1"}, n) for n in ("tree", "shallow")]
    assert git(remote, "rev-list", "observed").splitlines() == made[::-1]


def test_an_unreachable_remote_is_transient_and_says_no_password(clone: Make, remote: Path) -> None:
    folder = clone("one")
    shutil.rmtree(remote)
    one = repository(folder)
    with pytest.raises(Transient, match="can't be reached"):
        one.fetch()
    with pytest.raises(Transient, match="can't be reached"):
        one.record("demo", {"demo/x": "1"}, "one")
    git(folder, "remote", "set-url", "origin", "http://bot:s3cret@127.0.0.1:9/x.git")
    with pytest.raises(Transient) as caught:
        one.record("demo", {"demo/x": "1"}, "one")
    assert "127.0.0.1:9" in str(caught.value.evidence)
    assert "s3cret" not in str(caught.value.evidence)
    assert one.observed("demo") == {}


def test_a_refused_push_is_permanent(clone: Make, remote: Path) -> None:
    hook = remote / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho protected branch >&2\nexit 1\n")
    hook.chmod(0o755)
    one = repository(clone("one"))
    with pytest.raises(Permanent, match="no other writer") as caught:
        one.record("demo", {"demo/x": "1"}, "one")
    assert "protected branch" in str(caught.value.evidence)
    assert one.observed("demo") == {}, "what was never pushed is not observed"


def test_bad_arguments_and_no_git(clone: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    one = repository(clone("one"))
    for stray in ("other/x", "demo/../x", "/demo/x", "demo", "demo/.git/config"):
        with pytest.raises(Invalid):
            one.record("demo", {stray: "1"}, "one")
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(Permanent, match="git was not found"):
        one.record("demo", {"demo/x": "1"}, "one")


def test_branches_and_tags_that_end_like_the_observed_one_are_in_nobodys_way(remote: Path, clone: Make) -> None:
    """git would take them for it: in what it lists, and in where it pushes."""
    eve, one = clone("eve"), repository(clone("one"))
    git(eve, "push", "-q", "origin", *(f"HEAD:{kind}/refs/heads/observed" for kind in ("refs/heads", "refs/tags")))
    for number in range(2):
        made = one.record("demo", {"demo/x": str(number)}, "demo")
        assert git(remote, "rev-parse", "refs/heads/observed") == made
    one.fetch()
    assert one.observed("demo") == {"demo/x": b"1"}
    assert git(remote, "rev-parse", "refs/heads/refs/heads/observed") == git(eve, "rev-parse", "HEAD")
    assert not git(clone("two"), "for-each-ref", "refs/reconciler"), "nothing is left of what was pushed"
