"""What a push may hold that git itself would not make: it costs the folder it is in, and no other."""

from __future__ import annotations

import hashlib
import os
import subprocess
import zlib
from pathlib import Path

import pytest

from reconciler.adapters.git import GitRepository, working_tree
from reconciler.adapters.git.snapshot import MOST_FILES
from reconciler.ports import Snapshot

ROOTS = ("desired", "manifests")
GOOD = {
    "desired/good/cluster.yaml": "kind: Cluster\n",
    "manifests/app/a.yaml": "a: 1\n",
    "desired/fleet.yaml": "x: 1\n",
}


def git(folder: Path, *arguments: str, stdin: bytes | None = None) -> str:
    settings = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *settings, *arguments], cwd=folder, input=stdin, capture_output=True, check=True)
    return done.stdout.decode().strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    folder.mkdir()
    git(folder, "init", "-q")
    for path, text in GOOD.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    commit(folder)
    return folder


def commit(folder: Path) -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "change")
    return git(folder, "rev-parse", "HEAD")


def at(folder: Path, id_: str, only: set[str] | None = None) -> Snapshot:
    return GitRepository(folder, author=("t", "t@example.org")).snapshot(id_, ROOTS, only)


def link(folder: Path) -> None:
    (folder / "cluster.yaml").symlink_to("../good/cluster.yaml")


def link_to_a_folder(folder: Path) -> None:
    (folder / "environments").symlink_to("../good", target_is_directory=True)


def large(folder: Path) -> None:
    (folder / "cluster.yaml").write_bytes(b"#" * (11 << 20))


def no_utf8(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.yaml")).write_text("a: 1\n")


def control_characters(folder: Path) -> None:
    (folder / "a\x1b[2J.yaml").write_text("a: 1\n")


@pytest.mark.parametrize("spoil", [link, link_to_a_folder, large, no_utf8, control_characters])
def test_what_git_would_refuse_costs_its_folder_on_disk_as_in_a_commit(clone: Path, spoil: object) -> None:
    tenant = clone / "desired" / "tenant"
    tenant.mkdir()
    spoil(tenant)  # type: ignore[operator]
    on_disk, committed = working_tree(clone, ROOTS), at(clone, commit(clone))
    for snapshot in (on_disk, committed):
        assert {path: text.decode() for path, text in snapshot.files.items()} == GOOD
        assert [path.startswith("desired/tenant/") for path in snapshot.refused] == [True]
        assert all(problem.message and problem.hint for problem in snapshot.refused.values())


def test_a_link_or_a_submodule_in_the_place_of_a_folder_is_no_folder_that_somebody_deleted(clone: Path) -> None:
    (clone / "desired/linked").symlink_to("good", target_is_directory=True)
    head = git(clone, "rev-parse", "HEAD")
    git(clone, "update-index", "--add", "--cacheinfo", f"160000,{head},desired/module")
    git(clone, "add", "desired/linked")
    git(clone, "commit", "-qm", "odd")
    snapshot = at(clone, git(clone, "rev-parse", "HEAD"))
    assert set(snapshot.refused) == {"desired/linked/", "desired/module/"}
    assert {path: text.decode() for path, text in snapshot.files.items()} == GOOD
    assert "desired/linked/" in working_tree(clone, ROOTS).refused


@pytest.mark.parametrize("name", [b"..", b".", b".git", b".GIT", b"a/b", b"a\nb"])
def test_a_name_that_leads_elsewhere(clone: Path, name: bytes) -> None:
    """git makes no such tree, and takes it from a push unless it is told to check."""
    assert_only_the_tenant_is_refused(clone, tree(clone, [(b"100644", name, blob(clone, b"x: 1\n"))]))


def test_a_tree_of_ten_thousand_million_files(clone: Path) -> None:
    level = tree(clone, [(b"100644", b"%d.yaml" % n, blob(clone, b"x: 1\n")) for n in range(10)])
    for _ in range(9):
        level = tree(clone, [(b"40000", b"%d" % n, level) for n in range(10)])
    assert_only_the_tenant_is_refused(clone, level, f"{MOST_FILES} files")


def test_a_tree_of_thousands_of_folders_within_each_other(clone: Path) -> None:
    level = tree(clone, [(b"100644", b"a.yaml", blob(clone, b"x: 1\n"))])
    for _ in range(3000):
        level = tree(clone, [(b"40000", b"a", level)])
    assert_only_the_tenant_is_refused(clone, level, "nested")


def test_only_what_is_named_is_read_and_comes_out_the_same(clone: Path) -> None:
    (clone / "desired/tenant").mkdir()
    link(clone / "desired/tenant")
    head = commit(clone)
    whole, part = at(clone, head), at(clone, head, {"desired/tenant", "desired/fleet.yaml"})
    assert part.refused == whole.refused
    assert set(part.files) == {"desired/fleet.yaml"}


def test_on_disk_counts_what_a_commit_of_everything_would_have(clone: Path) -> None:
    (clone / ".gitignore").write_text("*.swp\n")
    (clone / "desired/good/.cluster.yaml.swp").write_text("x")
    (clone / "desired/good/new.yaml").write_text("n: 1\n")
    (clone / "manifests/app/a.yaml").unlink()
    os.mkfifo(clone / "desired/good/pipe.yaml")
    there = working_tree(clone, ROOTS)
    assert set(there.files) == {"desired/good/cluster.yaml", "desired/good/new.yaml", "desired/fleet.yaml"}


def test_a_folder_that_is_no_clone_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "desired/demo").mkdir(parents=True)
    (tmp_path / "desired/demo/cluster.yaml").write_text("a: 1\n")
    (tmp_path / "desired/demo/x.yaml").symlink_to("cluster.yaml")
    there = working_tree(tmp_path, ROOTS)
    assert set(there.files) == {"desired/demo/cluster.yaml"}
    assert set(there.refused) == {"desired/demo/x.yaml"}


def blob(clone: Path, content: bytes) -> str:
    return stored(clone, b"blob", content)


def tree(clone: Path, entries: list[tuple[bytes, bytes, str]]) -> str:
    """A tree as git stores it, unchecked."""
    return stored(clone, b"tree", b"".join(b"%s %s\0%s" % (m, name, bytes.fromhex(id_)) for m, name, id_ in entries))


def stored(clone: Path, kind: bytes, content: bytes) -> str:
    """Put an object where git keeps it, as a push does that nobody checks."""
    whole = b"%s %d\0%s" % (kind, len(content), content)
    id_ = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
    place = clone / ".git/objects" / id_[:2] / id_[2:]
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(zlib.compress(whole))
    return id_


def assert_only_the_tenant_is_refused(clone: Path, tenant: str, message: str = "") -> None:
    """Put a tree in the place of a tenant's folder, and read all."""
    good = git(clone, "rev-parse", "HEAD:desired/good")
    fleet = git(clone, "rev-parse", "HEAD:desired/fleet.yaml")
    desired = tree(clone, [(b"100644", b"fleet.yaml", fleet), (b"40000", b"good", good), (b"40000", b"tenant", tenant)])
    root = tree(
        clone, [(b"40000", b"desired", desired), (b"40000", b"manifests", git(clone, "rev-parse", "HEAD:manifests"))]
    )
    snapshot = at(clone, git(clone, "commit-tree", root, "-m", "odd"))
    assert {path: text.decode() for path, text in snapshot.files.items()} == GOOD
    (problem,) = snapshot.refused.values()
    assert problem.file.startswith("desired/tenant")
    assert message in problem.message
