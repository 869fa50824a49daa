"""The observed branch as anybody may push it: whatever is in it, the reconciler reads what it can, and goes on."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.adapters.git import GitRepository, history
from reconciler.errors import Permanent
from tests.contract.test_git import AUTHOR, Make, clone, git, remote

__all__ = ["clone", "remote"]

GOOD = {"demo/applied.yaml": "a: 1\n", "demo/drift.yaml": "- 1\n"}
Plant = Callable[[Path], str]


def written(folder: Path, kind: str, content: bytes) -> str:
    """An object as it is given: git itself would not write some of them."""
    data = b"%s %d\0%s" % (kind.encode(), len(content), content)
    id_ = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    file = folder / ".git/objects" / id_[:2] / id_[2:]
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(zlib.compress(data, 1))
    return id_


def blob(folder: Path, content: str = "x") -> str:
    return written(folder, "blob", content.encode())


def tree(folder: Path, *entries: tuple[str, str, str]) -> str:
    """A tree of (mode, id, name)."""
    parts = ((m.encode(), n.encode("utf-8", "surrogateescape"), bytes.fromhex(i)) for m, i, n in entries)
    return written(folder, "tree", b"".join(b"%s %s\0%s" % part for part in parts))


def push(folder: Path, root: str, message: str = "x", *, rewrite: bool = False) -> str:
    """A commit with this tree on top of the observed branch, or in the place of its history."""
    git(folder, "fetch", "-q", "origin")
    parent = [] if rewrite else ["-p", "origin/observed"]
    made = git(folder, "commit-tree", root, *parent, stdin=message)
    git(folder, "push", "-q", "--force", "origin", f"{made}:refs/heads/observed")
    return made


def inside(*entries: tuple[str, str]) -> Plant:
    """Those, and a good record beside them, in the cluster's folder: (mode, name)."""

    def plant(folder: Path) -> str:
        ids = {
            "120000": blob(folder, "/etc/passwd"),
            "160000": git(folder, "rev-parse", "HEAD"),
            "100644": blob(folder),
        }
        ids["40000"] = tree(folder, ("100644", ids["100644"], "x"))
        ids["100755"] = ids["100664"] = ids["100644"]
        named = [(mode, ids[mode.lstrip("0")], name) for mode, name in entries]
        return tree(folder, ("40000", tree(folder, *named, ("100644", blob(folder, "- 2\n"), "drift.yaml")), "demo"))

    return plant


def not_a_folder(folder: Path) -> str:
    return tree(folder, ("100644", blob(folder), "demo"))


def bomb(folder: Path) -> str:
    """Ten folders of ten folders of …: 10^12 paths in a few hundred bytes."""
    made = tree(folder, *(("100644", blob(folder), f"f{n}") for n in range(10)))
    for _ in range(11):
        made = tree(folder, *(("40000", made, f"d{n}") for n in range(10)))
    return tree(folder, ("40000", made, "demo"))


def hollow_bomb(folder: Path) -> str:
    """The same without any file."""
    made = tree(folder, *(("160000", git(folder, "rev-parse", "HEAD"), f"f{n}") for n in range(10)))
    for _ in range(11):
        made = tree(folder, *(("40000", made, f"d{n}") for n in range(10)))
    return tree(folder, ("40000", made, "demo"))


def deep(folder: Path) -> str:
    made = tree(folder, ("100644", blob(folder), "x"))
    for _ in range(1500):
        made = tree(folder, ("40000", made, "d"))
    return tree(folder, ("40000", made, "demo"))


def many(folder: Path) -> str:
    one = blob(folder)
    files = tree(folder, *(("100644", one, f"f{n:06}") for n in range(3000)))
    return tree(folder, ("40000", files, "demo"))


def huge(folder: Path) -> str:
    content = blob(folder, "a" * (17 * 1024 * 1024))
    good = blob(folder, "- 2\n")
    return tree(
        folder, ("40000", tree(folder, ("100644", content, "applied.yaml"), ("100644", good, "drift.yaml")), "demo")
    )


def wide_root(folder: Path) -> str:
    one = tree(folder, ("100644", blob(folder), "applied.yaml"))
    return tree(folder, *(("40000", one, f"{n:06}-{'x' * 4000}") for n in range(3000)))


def strange_names(folder: Path) -> str:
    names = ("..", ".git", "a/b", "\udcff\udcfe", "\x1b[31m", "a\nb", "\u202e")
    one = blob(folder)
    files = tree(folder, *(("100644", one, name) for name in names), ("100644", blob(folder, "- 2\n"), "drift.yaml"))
    return tree(folder, *(("40000", files, name) for name in names), ("40000", files, "demo"))


PLANTS: dict[str, Plant] = {
    "a link": inside(("120000", "applied.yaml")),
    "a submodule": inside(("160000", "applied.yaml")),
    "a folder": inside(("40000", "applied.yaml")),
    "an old mode": inside(("100664", "applied.yaml")),
    "a mode with a zero": inside(("040000", "applied.yaml")),
    "a file where the folder was": not_a_folder,
    "a bomb": bomb,
    "a bomb without a file": hollow_bomb,
    "a deep one": deep,
    "many files": many,
    "a huge file": huge,
    "a wide root": wide_root,
    "strange names": strange_names,
}


@pytest.mark.parametrize("name", PLANTS)
def test_whatever_is_pushed_keeps_nobody_from_going_on(name: str, remote: Path, clone: Make) -> None:
    told: list[str] = []
    eve, folder = clone("eve"), clone("one")
    one = GitRepository(folder, author=AUTHOR, log=told.append)
    one.record("demo", GOOD, "demo: in sync\n")
    push(eve, PLANTS[name](eve))
    one.fetch()
    there = one.observed("demo")
    assert all(path.startswith("demo/") for path in there)
    assert there.get("demo/applied.yaml") in (None, b"x")
    assert len(list(one.history("demo/drift.yaml"))) <= 2
    one.last_recorded("demo")
    for _ in range(2):
        one.observed("demo")
    said = [line for line in told if line.startswith("warning: demo")]
    assert len(said) == len(set(said)), "each is said once"
    assert len(said) <= 3
    assert all(line.isprintable() and "at " in line for line in said)
    assert one.record("demo", GOOD, "demo: in sync\n")
    assert git(remote, "ls-tree", "-r", "--name-only", "observed:demo").splitlines() == ["applied.yaml", "drift.yaml"]
    if name == "a wide root":  # beside ours, where nothing is deleted: as if nothing were ever recorded
        assert one.observed("demo") == {}
        return
    assert one.observed("demo") == {path: text.encode() for path, text in GOOD.items()}
    assert one.record("demo", GOOD, "demo: in sync\n") is None


@pytest.mark.parametrize("name", ["a wide root", "a huge message", "strange names", "a bomb"])
def test_nor_does_it_in_the_place_of_the_branch(name: str, remote: Path, clone: Make) -> None:
    eve, one = clone("eve"), GitRepository(clone("one"), author=AUTHOR)
    one.record("demo", GOOD, "demo: in sync\n")
    if name == "a huge message":
        push(eve, inside()(eve), "x" * (11 * 1024 * 1024), rewrite=True)
    else:
        push(eve, PLANTS[name](eve), rewrite=True)
    one.fetch()
    one.observed("demo")
    assert list(one.history("demo/drift.yaml")) is not None
    assert one.record("demo", GOOD, "demo: in sync\n")
    assert git(remote, "ls-tree", "-r", "--name-only", "observed:demo").splitlines() == ["applied.yaml", "drift.yaml"]


def test_a_branch_below_the_observed_one_keeps_no_fetch_from_going_on(clone: Make) -> None:
    eve, one = clone("eve"), GitRepository(clone("one"), author=AUTHOR)
    one.record("demo", GOOD, "demo: in sync\n")
    one.fetch()
    git(eve, "push", "-q", "origin", ":refs/heads/observed", "HEAD:refs/heads/observed/x")
    one.fetch()
    assert one.observed("demo") == {path: text.encode() for path, text in GOOD.items()}, "what was recorded is known"
    with pytest.raises(Permanent, match="could not be written") as caught:
        one.record("demo", {**GOOD, "demo/new": "1"}, "demo: in sync\n")
    assert "refs/heads/observed/*" in str(caught.value.hint)
    git(eve, "push", "-q", "origin", ":refs/heads/observed/x")
    assert one.record("demo", {**GOOD, "demo/new": "1"}, "demo: in sync\n")


@pytest.mark.parametrize(
    "head", ["committer a <a@b> 99999999999999999 +0000", "committer a <a@b>", "committer", "author x"]
)
def test_a_commit_that_says_no_time_is_a_commit(head: str, clone: Make) -> None:
    eve, one = clone("eve"), GitRepository(clone("one"), author=AUTHOR)
    one.record("demo", {"demo/drift.yaml": "- 1\n"}, "demo: in sync\n")
    git(eve, "fetch", "-q", "origin")
    root = tree(eve, ("40000", tree(eve, ("100644", blob(eve, "- 2\n"), "drift.yaml")), "demo"))
    text = f"tree {root}\nparent {git(eve, 'rev-parse', 'origin/observed')}\nauthor a <a@b> 1 +0000\n{head}\n\nx\n"
    made = git(eve, "hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=text)
    git(eve, "push", "-q", "origin", f"{made}:refs/heads/observed")
    one.fetch()
    assert [text for _, text in one.history("demo/drift.yaml")] == [b"- 2\n", b"- 1\n"]


def test_a_history_is_read_as_far_as_is_enough(clone: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever pushes 500 large versions makes nobody read 8 GB at each look."""
    one = GitRepository(clone("one"), author=AUTHOR)
    for n in range(6):
        one.record("demo", {"demo/drift.yaml": f"{n}" * 1000}, "demo")
    assert len(list(one.history("demo/drift.yaml"))) == 6
    monkeypatch.setattr(history, "_ALL_BYTES", 3500)
    assert len(list(one.history("demo/drift.yaml"))) == 3


def test_the_commit_that_was_recorded_last_is_that_of_this_folder(clone: Make) -> None:
    one = GitRepository(clone("one"), author=AUTHOR)
    assert one.last_recorded("demo") == ""
    ids = [f"{n}" * 40 for n in range(4)]
    one.record("demo", {"demo/x": "1"}, f"demo: in sync\n\n- a step\n\nDesired-Commit: {ids[0]}\nChanges: 1\n")
    one.record("other", {"other/x": "1"}, f"other: in sync\n\nDesired-Commit: {ids[1]}\n")
    assert (one.last_recorded("demo"), one.last_recorded("other")) == (ids[0], ids[1])
    one.record("demo", {"demo/x": "2"}, f"demo: x\n\nDesired-Commit: {ids[2]}\n\nDesired-Commit: --help\n")
    assert one.last_recorded("demo") == ids[0], "what is no commit, or no trailer, is nothing"
    one.record("demo", {"demo/x": "3"}, f"demo: in sync\n\nDesired-Commit: {ids[3]}\n")
    assert one.last_recorded("demo") == ids[3]


def test_when_the_last_record_was_looked_at(clone: Make) -> None:
    """By whichever machine; and nothing where somebody wrote what is no time."""
    one, two = GitRepository(clone("one"), author=AUTHOR), GitRepository(clone("two"), author=AUTHOR)
    assert one.observed_at("demo") is None
    for number, (said, year) in enumerate({
        "2026-11-29T16:00:00.25Z": 2026, "2026-02-30T16:00:00Z": None, "9" * 400: None, "now; --help": None,
        "2027-11-29T16:00:00Z": 2027,
    }.items()):  # fmt: skip
        one.record("demo", {"demo/x": f"{number}"}, f"demo: in sync\n\nChanges: 0\nObserved-At: {said}\n")
        two.fetch()
        looked = two.observed_at("demo")
        assert (looked.year if looked else None) == year
        assert looked is None or looked.tzinfo is not None
    assert two.observed_at("other") is None


def test_a_commit_of_a_lease_is_no_option_to_git(clone: Make, tmp_path: Path) -> None:
    """`git fetch origin --upload-pack=…` runs that program."""
    canary = tmp_path / "canary"
    one = GitRepository(clone("one"), author=AUTHOR)
    git(tmp_path / "one", "commit", "-q", "--allow-empty", "-m", "of this clone only")
    commit = one.resolve("HEAD")
    assert not one.superseded(commit, f"--upload-pack=touch {canary};")
    assert one.descends(commit, f"--upload-pack=touch {canary};") is None
    assert not canary.exists()
