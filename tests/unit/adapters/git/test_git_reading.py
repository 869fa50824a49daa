"""Reading without git, held against what git itself says about the same repository."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.adapters.git import GitRepository
from reconciler.adapters.git.commands import hide_credentials
from reconciler.adapters.git.refs import valid
from reconciler.errors import Invalid, Permanent, ReconcilerError

AUTHOR = ("Reconciler", "reconciler@example.org")


def git(folder: Path, *arguments: str) -> str:
    settings = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *settings, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder: Path, files: dict[str, str], message: str = "change") -> str:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    folder.mkdir()
    git(folder, "init", "-q")
    commit(
        folder,
        {f"desired/demo/{n}.yaml": f"n: {n}\n" * (n + 1) for n in range(30)} | {"README": "r", "desired-not": ""},
    )
    return folder


def repository(folder: Path) -> GitRepository:
    return GitRepository(folder, author=AUTHOR)


def expected(folder: Path, ref: str, below: str) -> dict[str, bytes]:
    paths = git(folder, "ls-tree", "-r", "--name-only", ref, f"{below}/").splitlines()
    return {p: subprocess.check_output(["git", "cat-file", "blob", f"{ref}:{p}"], cwd=folder) for p in paths}


def test_reads_just_the_folder(clone: Path) -> None:
    read = repository(clone).read(git(clone, "rev-parse", "HEAD"), "desired")
    assert len(read) == 30
    assert read == expected(clone, "HEAD", "desired")


def test_an_absent_folder_is_empty_and_a_file_is_no_folder(clone: Path) -> None:
    head = repository(clone).resolve("HEAD")
    assert repository(clone).read(head, "nowhere/at/all") == {}
    assert "README" in repository(clone).read(head, "")
    with pytest.raises(Invalid, match="not a folder"):
        repository(clone).read(head, "README")
    with pytest.raises(Invalid, match="not a path within"):
        repository(clone).read(head, "../elsewhere")


def test_packed_and_delta_compressed(clone: Path) -> None:
    text = "".join(f"line {n}\n" for n in range(2000))
    for n in range(6):
        commit(clone, {"desired/big.yaml": text + str(n)})
    git(clone, "tag", "-a", "v1", "-m", "a tag")
    git(clone, "gc", "-q", "--aggressive")
    assert not (clone / ".git/refs/heads/main").exists(), "gc packs refs; without that this test shows nothing"
    one = repository(clone)
    head = git(clone, "rev-parse", "HEAD")
    assert [one.resolve(r) for r in ("HEAD", "main", "refs/heads/main", "v1", "tags/v1", head, head[:9])] == [head] * 7
    for ref in ("HEAD", git(clone, "rev-parse", "HEAD~3")):
        assert one.read(one.resolve(ref), "desired") == expected(clone, ref, "desired")


def test_detached_head_worktree_and_bare(clone: Path, tmp_path: Path) -> None:
    first = git(clone, "rev-parse", "HEAD")
    second = commit(clone, {"desired/demo/0.yaml": "changed"})
    git(clone, "worktree", "add", "-q", "--detach", str(tmp_path / "tree"), first)
    git(tmp_path, "clone", "-q", "--bare", str(clone), "bare.git")
    assert repository(tmp_path / "tree").resolve("HEAD") == first
    assert repository(tmp_path / "tree").resolve("main") == second
    assert repository(tmp_path / "tree").read(first, "desired") == expected(clone, first, "desired")
    assert repository(tmp_path / "bare.git").read(second, "desired")["desired/demo/0.yaml"] == b"changed"
    git(clone, "checkout", "-q", first)
    assert repository(clone).resolve("HEAD") == first


def test_borrowed_objects_and_shallow_clones(clone: Path, tmp_path: Path) -> None:
    commit(clone, {"desired/new.yaml": "x"})
    git(tmp_path, "clone", "-q", "--shared", str(clone), "shared")
    alternates = tmp_path / "shared/.git/objects/info/alternates"
    alternates.write_text("../../../clone/.git/objects\n")  # git takes a relative path, too
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{clone}", "shallow")
    for name in ("shared", "shallow"):
        assert repository(tmp_path / name).read(repository(tmp_path / name).resolve("HEAD"), "desired") == expected(
            clone, "HEAD", "desired"
        )
    parent = git(clone, "rev-parse", "HEAD~1")
    with pytest.raises(Permanent, match="missing") as caught:
        repository(tmp_path / "shallow").read(parent, "desired")
    assert "unshallow" in str(caught.value.hint)


def test_a_branch_only_the_remote_has(clone: Path, tmp_path: Path) -> None:
    git(clone, "branch", "release/1")
    git(tmp_path, "clone", "-q", str(clone), "other")
    assert repository(tmp_path / "other").resolve("release/1") == git(clone, "rev-parse", "release/1")


def test_a_clone_changed_under_us_is_read_anew(clone: Path) -> None:
    one = repository(clone)
    before = one.resolve("HEAD")
    git(clone, "gc", "-q")
    assert one.read(before, "desired") == expected(clone, before, "desired")
    after = commit(clone, {"desired/demo/0.yaml": "later"})
    assert one.resolve("HEAD") == after
    assert one.read(after, "desired")["desired/demo/0.yaml"] == b"later"


@pytest.mark.parametrize("ref", ["nobody", "HEAD~1", "../../etc/passwd", "-x", "", "a..b", "deadbeef1", "f" * 40])
def test_a_ref_that_is_none(clone: Path, ref: str) -> None:
    with pytest.raises((Invalid, Permanent)) as caught:
        repository(clone).resolve(ref)
    assert caught.value.hint


def test_not_a_repository_and_no_commit_yet(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="not a git repository"):
        repository(tmp_path / "missing").resolve("HEAD")
    git(tmp_path, "init", "-q")
    with pytest.raises(Invalid, match="no commit yet"):
        repository(tmp_path).resolve("HEAD")
    assert repository(tmp_path).observed("demo") == {}


def test_formats_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--object-format=sha256")
    with pytest.raises(Invalid, match="sha256"):
        repository(tmp_path).resolve("HEAD")


def test_symbolic_links_and_large_files_are_refused(clone: Path) -> None:
    (clone / "desired/link.yaml").symlink_to("/etc/hostname")
    linked = commit(clone, {})
    with pytest.raises(Invalid, match=r"desired/link\.yaml is a symbolic link"):
        repository(clone).read(linked, "desired")
    (clone / "desired/link.yaml").unlink()
    large = commit(clone, {"desired/large.yaml": "x" * (10 * 1024 * 1024 + 1)})
    with pytest.raises(Invalid, match=r"desired/large\.yaml has more than 10 MiB"):
        repository(clone).read(large, "desired")


@pytest.mark.parametrize("damage", ["truncate", "swap", "remove"])
def test_a_damaged_object_is_an_error_and_never_content(clone: Path, damage: str) -> None:
    head = git(clone, "rev-parse", "HEAD")
    broken, other = (git(clone, "rev-parse", f"HEAD:desired/demo/{n}.yaml") for n in (3, 4))
    file, donor = (clone / ".git/objects" / i[:2] / i[2:] for i in (broken, other))
    content = donor.read_bytes() if damage == "swap" else file.read_bytes()[:10]
    file.unlink()
    if damage != "remove":
        file.write_bytes(content)
    with pytest.raises(Permanent, match=broken) as caught:
        repository(clone).read(head, "desired")
    assert "fsck" in str(caught.value.hint)


def test_a_damaged_ref_and_an_unreadable_pointer(clone: Path, tmp_path: Path) -> None:
    (clone / ".git/refs/heads/main").write_text("nonsense\n")
    with pytest.raises(Permanent, match="damaged"):
        repository(clone).resolve("main")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/.git").write_text("nonsense")
    with pytest.raises(Invalid, match="git folder"):
        repository(tmp_path / "tree").resolve("HEAD")


def test_an_unknown_remote_is_not_taken_for_none(clone: Path) -> None:
    git(clone, "remote", "add", "upstream", "file:///nowhere")
    with pytest.raises(Invalid, match="no remote 'origin'") as caught:
        repository(clone).observed("demo")
    assert "upstream" in str(caught.value.hint)


def test_reading_keeps_no_file_open(clone: Path) -> None:
    git(clone, "gc", "-q")
    one = repository(clone)

    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    one.read(one.resolve("HEAD"), "desired")
    before = open_files()
    for _ in range(20):
        one.read(one.resolve("HEAD"), "desired")
    assert open_files() <= before


def test_reading_starts_no_program(clone: Path) -> None:
    git(clone, "gc", "-q")
    git(clone, "branch", "observed")
    script = f"""
import sys
STARTS = {{"subprocess.Popen", "os.posix_spawn", "os.fork", "os.exec", "os.system", "os.spawn", "os.forkpty"}}
sys.addaudithook(lambda event, _: sys.exit("started " + event) if event in STARTS else None)
from pathlib import Path
from reconciler.adapters.git import GitRepository
one = GitRepository(Path({str(clone)!r}), author=("a", "b"))
print(len(one.read(one.resolve("HEAD"), "desired")), len(one.observed("desired")), "git" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["30", "30", "False"], done.stderr


@pytest.mark.parametrize(
    ("name", "good"), [("a/b", True), ("a..b", False), ("x.lock", False), ("a b", False), ("/a", False)]
)
def test_ref_names(name: str, good: bool) -> None:
    assert valid(name) is good
    if not good:
        with pytest.raises(ReconcilerError):
            GitRepository(Path(), author=AUTHOR, branch=name)


def test_credentials_never_reach_an_error() -> None:
    text = "fatal: unable to access 'https://bot:s3cret@host/x.git/' and ssh://git@host/y"
    assert "s3cret" not in hide_credentials(text)
    assert "host/x.git" in hide_credentials(text)
