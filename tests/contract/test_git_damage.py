"""A clone that was damaged, a branch that was rewritten, a remote that hangs, a disk without room: each is survived."""

from __future__ import annotations

import contextlib
import http.server
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.adapters.git import GitLeases, GitRepository, mend
from reconciler.errors import Invalid, Permanent, Transient
from tests.contract.test_git import AUTHOR, Make, clone, git, remote
from tests.contract.test_git_leases import lease

__all__ = ["clone", "remote"]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mend, "_YOUNG_SECONDS", 0.3)


class Said(list[str]):
    """What was logged."""

    def has(self, text: str) -> bool:
        return any(text in line for line in self)


def repository(folder: Path, said: Said | None = None, deadline: float = 120) -> GitRepository:
    return GitRepository(folder, author=AUTHOR, log=(Said() if said is None else said).append, deadline=deadline)


@pytest.fixture
def used(clone: Make) -> Path:
    """A clone that has what was recorded, in one pack, and a commit of its own that was never pushed, outside of it."""
    one = repository(clone("recorder"))
    for n in range(3):
        one.record("demo", {"demo/observed.yaml": f"n: {n}\n" * 50}, f"demo {n}")
    folder = clone("used")
    repository(folder).fetch()
    (folder / "mine").write_text("never pushed\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "mine")
    return folder


def works(folder: Path, said: Said) -> None:
    """Everything that a cycle does with the repository."""
    one = repository(folder, said)
    one.fetch()
    assert one.read(one.resolve("origin/main"), "") == {"desired.yaml": b"a: 1\n"}
    assert one.observed("demo") == {"demo/observed.yaml": b"n: 2\n" * 50}
    assert len(list(one.history("demo/observed.yaml"))) == 3
    assert one.record("demo", {"demo/observed.yaml": "n: 9\n"}, "demo 9")
    assert git(folder, "rev-list", "--count", "origin/observed") == "4"
    assert git(folder, "show", "HEAD:mine") == "never pushed", "what was never pushed is nowhere else"


@pytest.mark.parametrize("name", ["refs/remotes/origin/observed.lock", "packed-refs.lock", "shallow.lock"])
@pytest.mark.parametrize("age", [0, 3600])
def test_locks_that_a_killed_process_left(used: Path, name: str, age: float) -> None:
    lock = used / ".git" / name
    lock.touch()
    os.utime(lock, (time.time() - age, time.time() - age))
    works(used, Said())


def test_a_lock_in_the_way_of_a_fetch_and_of_a_lease(used: Path, clone: Make, remote: Path) -> None:
    GitLeases(clone("other"), author=AUTHOR).swap("demo", None, lease())
    repository(clone("third")).record("third", {"third/x": "1"}, "third")
    said = Said()
    for name in ("refs/remotes/origin/observed.lock", "refs/reconciler/seen/demo.lock"):
        (used / ".git" / name).parent.mkdir(parents=True, exist_ok=True)
        (used / ".git" / name).touch()
    repository(used, said).fetch()
    assert said.has("removed refs/remotes/origin/observed.lock")
    found = GitLeases(used, author=AUTHOR, log=said.append).read("demo")
    assert found
    assert repository(used).observed("third") == {"third/x": b"1"}


def test_the_lock_of_a_git_that_works_stays(used: Path, tmp_path: Path, remote: Path) -> None:
    """Somebody fetches by hand, and takes their time."""
    lock = used / ".git/refs/remotes/origin/observed.lock"
    command = ["git", "cat-file", "--batch"]
    with subprocess.Popen(command, cwd=used, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as busy:
        lock.touch()
        git(remote, "update-ref", "refs/heads/observed", "observed~1")
        with pytest.raises(Transient):
            repository(used).fetch()
        assert lock.exists()
        busy.communicate(b"")
    repository(used).fetch()
    assert not lock.exists()


@pytest.mark.parametrize("content", [b"", b"\0" * 41, b"ref: \n", b"0123"])
def test_a_ref_that_says_nothing(used: Path, content: bytes) -> None:
    said = Said()
    (used / ".git/refs/remotes/origin/observed").write_bytes(content)
    works(used, said)
    assert said.has("refs/remotes/origin/observed said nothing")


def test_a_branch_of_ones_own_that_says_nothing_is_told_with_the_command(used: Path) -> None:
    (used / ".git/refs/heads/main").write_bytes(b"")
    with pytest.raises(Permanent, match=r"refs/heads/main .* is damaged") as caught:
        repository(used).resolve("HEAD")
    assert "git update-ref refs/heads/main" in str(caught.value.hint)


def test_packed_refs_that_were_cut_off(used: Path) -> None:
    said = Said()
    git(used, "pack-refs", "--all")
    packed = used / ".git/packed-refs"
    packed.write_bytes(packed.read_bytes()[:-30])
    works(used, said)
    assert said.has("packed-refs had lines that are none")


@contextlib.contextmanager
def damage(path: Path) -> Iterator[bytearray]:
    content = bytearray(path.read_bytes())
    yield content
    path.chmod(0o644)
    path.write_bytes(content)


def _half(used: Path) -> None:
    (pack,) = (used / ".git/objects/pack").glob("*.pack")
    with damage(pack) as content:
        del content[len(content) // 2 :]


def _no_index(used: Path) -> None:
    (index,) = (used / ".git/objects/pack").glob("*.idx")
    index.unlink()


def _garbage_in_a_pack(used: Path) -> None:
    (pack,) = (used / ".git/objects/pack").glob("*.pack")
    with damage(pack) as content:
        content[60:90] = b"\xff" * 30


def _without_packs(used: Path) -> None:
    for pack in (used / ".git/objects/pack").glob("*"):
        pack.unlink()


@pytest.mark.parametrize("break_it", [_half, _no_index, _garbage_in_a_pack, _without_packs])
def test_a_damaged_pack(used: Path, remote: Path, break_it: Callable[[Path], None]) -> None:
    """Half written, without its index, with a bad block, gone: the remote has it, and what was never pushed is kept."""
    break_it(used)
    said = Said()
    works(used, said)
    # where git can't read the tips at all, its own fetch brings everything again
    assert break_it is not _garbage_in_a_pack or said.has("fetched anew from 'origin'")
    assert git(used, "rev-list", "--objects", "--all")


@pytest.mark.parametrize("content", [b"", b"garbage", None])
def test_a_damaged_loose_object(used: Path, content: bytes | None) -> None:
    (pack,) = (used / ".git/objects/pack").glob("*.pack")
    packed = pack.read_bytes()
    for file in (used / ".git/objects/pack").glob("*"):
        file.unlink()
    subprocess.run(["git", "unpack-objects", "-q"], cwd=used, input=packed, check=True)
    tree = git(used, "rev-parse", "origin/observed:demo")
    path = used / ".git/objects" / tree[:2] / tree[2:]
    path.chmod(0o644)
    path.unlink() if content is None else path.write_bytes(content)
    said = Said()
    works(used, said)
    assert said.has("fetched anew")


def test_what_the_remote_does_not_have_either_is_told(used: Path) -> None:
    blob = git(used, "rev-parse", "HEAD:mine")
    (used / ".git/objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(Permanent, match=f"the object {blob} is missing"):
        repository(used).read(git(used, "rev-parse", "HEAD"), "")


def test_a_configuration_that_was_emptied_is_no_clone_without_remote(used: Path) -> None:
    """Else it would apply without a lease, and keep its records to itself."""
    (used / ".git/config").write_text("")
    for ask in (lambda: repository(used).record("demo", {}, "x"), lambda: GitLeases(used, author=AUTHOR).shared()):
        with pytest.raises(Invalid, match="its configuration no remote"):
            ask()


def test_a_commit_that_was_never_here_is_no_damage(used: Path) -> None:
    said = Said()
    with pytest.raises(Permanent, match="is missing"):
        repository(used, said).resolve("1" * 40)
    assert said == []


# shallow clones


def test_a_clone_as_a_ci_job_makes_it(remote: Path, clone: Make, tmp_path: Path) -> None:
    """`fetch-depth: 1`: it stays shallow, records, and knows since when something differs."""
    writer = clone("writer")
    one = repository(writer)
    for n in range(4):
        (writer / "desired.yaml").write_text(f"a: {n}\n")
        git(writer, "commit", "-qam", f"desired {n}")
        git(writer, "push", "-q", "origin", "HEAD:main", "HEAD:feature")
        one.record("demo", {"demo/drift.yaml": f"n: {n}\n"}, f"demo {n}")
    job = tmp_path / "job"
    job.mkdir()
    git(job, "init", "-q")
    git(job, "remote", "add", "origin", f"file://{remote}")
    pushed = git(remote, "rev-parse", "main")
    git(job, "fetch", "-q", "--no-tags", "--depth=1", "origin", f"+{pushed}:refs/remotes/origin/main")
    git(job, "checkout", "-q", "-B", "main", "refs/remotes/origin/main")
    ours = repository(job)
    ours.fetch()
    assert ours.observed("demo") == {"demo/drift.yaml": b"n: 3\n"}
    assert [text for _, text in ours.history("demo/drift.yaml")] == [b"n: %d\n" % n for n in (3, 2, 1, 0)]
    assert ours.record("demo", {"demo/drift.yaml": "n: 4\n"}, "from the job")
    (writer / "desired.yaml").write_text("a: 9\n")
    git(writer, "commit", "-qam", "desired 9")
    git(writer, "push", "-q", "origin", "HEAD:main")
    ours.fetch()
    assert ours.read(ours.resolve("origin/main"), "") == {"desired.yaml": b"a: 9\n"}
    assert git(job, "rev-list", "--count", "origin/main") == "2"
    assert git(job, "for-each-ref", "--format=%(refname)", "refs/remotes") == "\n".join(
        f"refs/remotes/origin/{name}" for name in ("main", "observed")
    )


def test_which_of_two_commits_is_newer(remote: Path, clone: Make, tmp_path: Path) -> None:
    writer = clone("writer")
    old = git(writer, "rev-parse", "HEAD")
    for n in range(3):
        git(writer, "commit", "-q", "--allow-empty", "-m", str(n))
    new = git(writer, "rev-parse", "HEAD")
    late = clone("late")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{remote}", "shallow")
    git(writer, "push", "-q", "origin", "main", "main~1:refs/heads/side")
    for folder in (late, tmp_path / "shallow"):
        one = repository(folder)
        one.fetch()
        assert one.superseded(old, new)
        assert not one.superseded(new, old)
        assert not one.superseded(old, "1" * 40)
    assert not repository(writer).superseded(git(writer, "rev-parse", "main~1"), new), "a branch of the remote is at it"


# branches that were rewritten


def test_a_rewritten_desired_branch_is_followed_and_told(remote: Path, clone: Make) -> None:
    writer, said = clone("writer"), Said()
    git(writer, "commit", "-q", "--allow-empty", "-m", "to be undone")
    git(writer, "push", "-q", "origin", "HEAD:main")
    one = repository(clone("one"), said)
    before = one.resolve("origin/main")
    one.record("demo", {"demo/applied.yaml": "x"}, f"demo\n\nDesired-Commit: {before}\n")
    git(writer, "commit", "-q", "--amend", "--allow-empty", "-m", "instead")
    git(writer, "push", "-qf", "origin", "HEAD:main")
    one.fetch()
    assert one.resolve("origin/main") == git(writer, "rev-parse", "HEAD")
    assert [line for line in said if f"{before[:12]} is no longer in it" in line]
    assert one.observed("demo") == {"demo/applied.yaml": b"x"}
    one.fetch()
    one.resolve("origin/main")
    assert len(said) == 1


def test_a_deleted_branch_survives_a_fetch_that_prunes(remote: Path, clone: Make) -> None:
    folder = clone("one")
    one = repository(folder)
    first = one.record("a", {"a/applied.yaml": "1"}, "a")
    git(remote, "update-ref", "-d", "refs/heads/observed")
    git(folder, "fetch", "-q", "--prune")
    git(folder, "config", "fetch.prune", "true")
    one.fetch()
    assert one.observed("a") == {"a/applied.yaml": b"1"}
    second = one.record("b", {"b/applied.yaml": "1"}, "b")
    assert git(remote, "rev-list", "observed").split() == [second, first]


def test_of_a_deleted_branch_the_newest_records_come_back_whoever_is_first(remote: Path, clone: Make) -> None:
    """One clone is behind the other, and puts its old copy back first."""
    behind, ahead, said = repository(clone("behind")), None, Said()
    behind.record("a", {"a/applied.yaml": "old"}, "a")
    behind.record("b", {"b/applied.yaml": "old"}, "b")
    ahead = repository(clone("ahead"), said)
    ahead.record("a", {"a/applied.yaml": "new"}, "a")
    ahead.record("c", {"c/applied.yaml": "only here"}, "c")
    git(remote, "update-ref", "-d", "refs/heads/observed")
    behind.record("b", {"b/applied.yaml": "newer"}, "b")
    ahead.fetch()
    ahead.record("d", {"d/applied.yaml": "1"}, "d")
    assert ahead.observed("") == {
        "a/applied.yaml": b"new",
        "b/applied.yaml": b"newer",
        "c/applied.yaml": b"only here",
        "d/applied.yaml": b"1",
    }
    assert said.has("lacks what was recorded of 'a': put back")
    assert git(remote, "rev-list", "--merges", "observed") == ""
    before = git(remote, "rev-parse", "observed")
    assert ahead.record("d", {"d/applied.yaml": "1"}, "d") is None
    assert git(remote, "rev-parse", "observed") == before


def test_a_branch_that_was_squashed_on_purpose_stays_so(remote: Path, clone: Make) -> None:
    one = repository(clone("one"))
    for n in range(3):
        one.record("a", {"a/x": str(n)}, "a")
    squashed = git(remote, "commit-tree", "-m", "all in one", "observed^{tree}")
    git(remote, "update-ref", "refs/heads/observed", squashed)
    one.fetch()
    made = one.record("b", {"b/x": "1"}, "b")
    assert git(remote, "rev-list", "observed").split() == [made, squashed]


# remotes


@pytest.mark.parametrize(("first", "then"), [("fix", "fix/network"), ("fix/network", "fix")])
@pytest.mark.parametrize("packed", [False, True])
def test_a_branch_whose_name_becomes_a_folder_or_the_other_way_round(
    remote: Path, clone: Make, first: str, then: str, packed: bool
) -> None:
    folder = clone("one")
    one = repository(folder)
    one.record("demo", {"demo/x": "1"}, "x")
    git(remote, "branch", first, "main")
    one.fetch()
    if packed:
        git(folder, "pack-refs", "--all")
    git(remote, "branch", "-D", first)
    git(remote, "branch", then, "main")
    newest = git(remote, "commit-tree", "-p", "main", "-m", "next", "main^{tree}")
    git(remote, "update-ref", "refs/heads/main", newest)
    git(remote, "update-ref", "-d", "refs/heads/observed")
    one.fetch()
    assert one.resolve("origin/main") == newest
    assert one.resolve(f"origin/{then}")
    assert one.observed("demo") == {"demo/x": b"1"}, "what was recorded is still known"


def gone(text: str) -> bool:
    """Is there no process any more whose command line has the text?"""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if text.encode() in (entry / "cmdline").read_bytes() and entry.name != str(os.getpid()):
                return False
    return True


def test_a_remote_that_hangs_is_given_up_and_nothing_is_left_running(clone: Make) -> None:
    folder = clone("one")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        git(folder, "remote", "set-url", "origin", f"http://{address}/x.git")
        began = time.monotonic()
        with pytest.raises(Transient, match=r"no answer within 0\.5 s"):
            repository(folder, deadline=0.5).fetch()
        assert time.monotonic() - began < 60
        deadline = time.monotonic() + 30
        while not gone(address):
            assert time.monotonic() < deadline, "a git still runs"
            time.sleep(0.05)


def test_a_credential_that_expired_is_told_as_one(clone: Make) -> None:
    class Refuses(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic realm=git")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    folder = clone("one")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        git(folder, "remote", "set-url", "origin", f"http://bot:s3cret@127.0.0.1:{server.server_port}/x.git")
        with pytest.raises(Transient, match="does not let us in") as caught:
            repository(folder).record("demo", {"demo/x": "1"}, "x")
        server.shutdown()
    assert "expired" in str(caught.value.hint)
    assert "s3cret" not in str(caught.value.evidence)


# a disk without room

RECORD = """
    import os, resource, signal, sys
    from pathlib import Path
    from reconciler.adapters.git import GitRepository
    from reconciler.errors import ReconcilerError

    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    for size in (8_000, 100_000):  # the second one is too much for the file that git reads it from, too
        files = {f"demo/{n}": os.urandom(size).hex()[:size] for n in range(3)}
        try:
            GitRepository(Path(sys.argv[1]), author=("R", "r@example.org")).record("demo", files, "x")
        except ReconcilerError as error:
            print(type(error).__name__, error.message)
"""


def test_a_disk_without_room(clone: Make, remote: Path) -> None:
    """As a limit on the size of files, which needs no root: git hears of it from the same calls."""
    folder = clone("one")
    one = repository(folder)
    first = one.record("demo", {"demo/x": "1"}, "x")
    program = [sys.executable, "-c", textwrap.dedent(RECORD), str(folder)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    said = [line.split(" of ")[0] for line in done.stdout.splitlines()]
    assert said == ["Transient there is no room left on the disk"] * 2, done.stdout + done.stderr
    assert git(remote, "rev-parse", "observed") == first
    assert one.record("demo", {"demo/x": "2"}, "x")
    assert git(folder, "fsck", "--no-dangling") == ""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB, where this user may mount one."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small file system can only be mounted by root")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def test_a_real_full_disk(small_disk: Path, remote: Path) -> None:
    git(small_disk, "clone", "-q", f"file://{remote}", "clone")
    folder = small_disk / "clone"
    one = repository(folder)
    first = one.record("demo", {"demo/x": "1"}, "x")
    with contextlib.suppress(OSError), (small_disk / "fill").open("wb", buffering=0) as fill:
        while fill.write(b"\0" * 4096):
            pass
    with pytest.raises(Transient, match="no room left"):
        one.record("demo", {"demo/x": os.urandom(50000).hex()}, "x")
    with pytest.raises(Transient, match="no room left"):
        GitLeases(folder, author=AUTHOR).swap("demo", None, lease())
    assert git(remote, "rev-parse", "observed") == first
    (small_disk / "fill").unlink()
    assert one.record("demo", {"demo/x": "2"}, "x")
    assert git(folder, "fsck", "--no-dangling") == ""
