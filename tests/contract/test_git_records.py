"""Records that are verified, with real keys and a real remote: what somebody else pushed to the observed branch, in
whatever way, does not count, and what a known key recorded last does."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.git import GitRepository, Signature, Signers, Trust
from reconciler.control.output_memory import before
from reconciler.errors import Invalid
from reconciler.spec.wiring import Output
from tests.contract.test_git import AUTHOR, Make, clone, git, remote
from tests.contract.test_git_signatures import keys

__all__ = ["clone", "keys", "remote"]

GOOD, NEWER, FORGED = {"demo/x": b"good"}, {"demo/x": b"newer"}, "forged"
Open = Callable[..., GitRepository]


@pytest.fixture
def trusting(keys: Path, clone: Make) -> Open:
    """A repository in a clone of this name, which signs with ada's key and believes that one alone."""

    def make(name: str, *, key: str | None = "ada", since: str = "", **more: Any) -> GitRepository:
        folder = Path(clone(name)) if not (keys.parent / name).exists() else keys.parent / name
        signature = Signature(keys / key) if key else None
        return GitRepository(
            folder, author=AUTHOR, signature=signature, record_trust=Trust(Signers(ssh=keys / "allowed"), since), **more
        )

    return make


def forge(remote: Path, folder: str = "demo", text: str = FORGED, *parents: str, key: Path | None = None) -> str:
    """Push a commit on top of `parents` (the branch's tip) that says something of a folder, made by git plumbing."""
    parents = parents or (git(remote, "rev-parse", "observed"),)
    blob = _stdin(remote, text, "hash-object", "-w", "--stdin")
    inner = _stdin(remote, f"100644 blob {blob}\tx\n", "mktree")
    others = [line for line in git(remote, "ls-tree", parents[0]).splitlines() if not line.endswith(f"\t{folder}")]
    tree = _stdin(remote, "\n".join([*others, f"040000 tree {inner}\t{folder}\n"]), "mktree")
    sign = ["-c", "gpg.format=ssh", "-c", f"user.signingKey={key}"] if key else []
    commit = git(remote, *sign, "commit-tree", *(["-S"] if key else []), "-m", f"{folder}: in sync", tree,
                 *(part for parent in parents for part in ("-p", parent)))  # fmt: skip
    git(remote, "update-ref", "refs/heads/observed", commit)
    return commit


def _stdin(folder: Path, text: str, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, input=text, capture_output=True, text=True, check=True
    ).stdout.strip()


def recorded(one: GitRepository, content: str = "good", folder: str = "demo") -> str:
    made = one.record(folder, {f"{folder}/x": content}, f"{folder}: in sync\n")
    assert made
    return made


@pytest.mark.parametrize("signed_by", [None, "eve"])
def test_what_no_known_key_signed_does_not_count_and_the_next_record_goes_on_top(
    remote: Path, trusting: Open, keys: Path, signed_by: str | None
) -> None:
    said: list[str] = []
    one = trusting("one", log=said.append)
    recorded(one)
    bad = forge(remote, key=keys / signed_by if signed_by else None)
    one.fetch()
    assert one.observed("demo") == GOOD
    one.observed("demo")
    (line,) = said
    assert bad[:12] in line
    assert "'demo'" in line
    assert [text for _, text in one.history("demo/x")] == [b"good"]
    there: list[object] = []
    made = one.record("demo", lambda now: there.append(dict(now)) or {"demo/x": "newer"}, "demo: in sync\n")  # type: ignore[func-returns-value]
    assert there[-1] == GOOD, "what ours is made from is not what was forged"
    assert git(remote, "rev-list", "observed").split()[:2] == [made, bad], "nobody's commit is taken away"
    assert one.observed("demo") == trusting("two").observed("demo") == NEWER


def test_a_signature_on_top_of_somebody_elses_folder_does_not_vouch_for_it(remote: Path, trusting: Open) -> None:
    one = trusting("one")
    recorded(one)
    recorded(one, folder="other")
    forge(remote)
    one.fetch()
    recorded(one, "more", folder="other")
    assert git(remote, "show", "observed:demo/x") == FORGED
    for name in ("one", "two"):
        assert trusting(name).observed("demo") == GOOD
        assert trusting(name).observed("other") == {"other/x": b"more"}


def test_a_forged_folder_is_written_over_also_where_nothing_changed(remote: Path, trusting: Open) -> None:
    one = trusting("one")
    recorded(one)
    forge(remote)
    one.fetch()
    assert recorded(one)
    assert git(remote, "show", "observed:demo/x") == "good"
    assert one.record("demo", {"demo/x": "good"}, "demo: in sync\n") is None


def test_an_older_signed_record_that_is_put_back_does_not_count(remote: Path, trusting: Open) -> None:
    one = trusting("one")
    old = recorded(one)
    recorded(one, "newer")
    git(remote, "update-ref", "refs/heads/observed", old)
    for again in (one, trusting("one")):
        again.fetch()
        assert again.observed("demo") == NEWER
    assert recorded(one, "newer", folder="other")
    assert git(remote, "show", "observed:demo/x") == "newer", "and it is put back"


def test_first_parents_that_lead_around_the_newest_record_do_not_count(remote: Path, trusting: Open) -> None:
    one = trusting("one")
    old = recorded(one)
    new = recorded(one, "newer")
    tree = git(remote, "rev-parse", f"{old}^{{tree}}")
    merge = git(remote, "commit-tree", "-m", "merge", tree, "-p", old, "-p", new)
    git(remote, "update-ref", "refs/heads/observed", merge)
    for again in (one, trusting("one")):
        again.fetch()
        assert again.observed("demo") == NEWER


def test_a_branch_that_was_squashed_or_deleted_by_a_stranger_is_believed_no_more_than_before(
    remote: Path, trusting: Open
) -> None:
    one = trusting("one")
    recorded(one)
    tree = git(remote, "rev-parse", "observed^{tree}")
    git(remote, "update-ref", "refs/heads/observed", git(remote, "commit-tree", "-m", "demo: squashed", tree))
    one.fetch()
    assert one.observed("demo") == GOOD
    assert trusting("two").observed("demo") == {}, "who knew nothing of it before knows nothing"
    assert recorded(one, "newer")
    git(remote, "update-ref", "-d", "refs/heads/observed")
    one.fetch()
    assert one.observed("demo") == NEWER


def test_a_leases_signed_commit_is_no_record(remote: Path, trusting: Open, keys: Path) -> None:
    """It says `demo: held by …`, and its tree has no folder at all."""
    one = trusting("one")
    tip = recorded(one)
    empty = _stdin(remote, "", "mktree")
    sign = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={keys / 'ada'}")
    lease = git(remote, *sign, "commit-tree", "-S", "-m", "demo: held by x", empty)
    merge = git(remote, "commit-tree", "-m", "merge", empty, "-p", lease, "-p", tip)
    git(remote, "update-ref", "refs/heads/observed", merge)
    one.fetch()
    assert one.observed("demo") == GOOD


def test_what_was_recorded_before_the_first_signature_is_accepted_once_by_a_named_commit(
    remote: Path, trusting: Open, clone: Make
) -> None:
    before = recorded(GitRepository(clone("before"), author=AUTHOR))
    forge(remote)
    assert trusting("two").observed("demo") == {}
    one = trusting("one", since=before)
    assert one.observed("demo") == GOOD
    recorded(one, "newer")
    assert trusting("three", since=before).observed("demo") == NEWER


def test_what_is_so_already_and_unsigned_is_said_again_by_who_may(remote: Path, trusting: Open, clone: Make) -> None:
    recorded(GitRepository(clone("before"), author=AUTHOR))
    assert trusting("stranger", key="eve").record("demo", {"demo/x": "good"}, "demo: in sync\n") is None
    assert trusting("nobody", key=None).record("demo", {"demo/x": "good"}, "demo: in sync\n") is None
    one = trusting("one")
    assert recorded(one)
    assert trusting("two").observed("demo") == GOOD
    assert one.record("demo", {"demo/x": "good"}, "demo: in sync\n") is None


def test_a_key_that_was_taken_out_signs_nothing_any_more(remote: Path, trusting: Open, keys: Path) -> None:
    one = trusting("one")
    recorded(one)
    assert one.observed("demo") == GOOD
    (keys / "allowed").write_text(f"eve@example.org {(keys / 'eve.pub').read_text()}")
    assert one.observed("demo") == trusting("one").observed("demo") == {}
    (keys / "allowed").unlink()
    with pytest.raises(Invalid, match="there is no") as caught:
        one.observed("demo")
    assert "git.recordSigners.ssh" in (caught.value.hint or "")


def test_once_verified_a_record_is_read_without_any_program(
    remote: Path, trusting: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(trusting("one"))
    forge(remote)
    trusting("one").fetch()
    assert trusting("one").observed("demo") == GOOD
    fresh = trusting("one")
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a program was started"))
    assert fresh.observed("demo") == GOOD
    assert [text for _, text in fresh.history("demo/x")] == [b"good"]


def test_a_shallow_clone_believes_what_it_can_tell(remote: Path, trusting: Open, tmp_path: Path, keys: Path) -> None:
    one = trusting("one")
    recorded(one)
    recorded(one, folder="other")
    for depth, known in ((1, {}), (3, GOOD)):
        folder = tmp_path / f"shallow-{depth}"
        git(tmp_path, "clone", "-q", f"--depth={depth}", "--no-single-branch", f"file://{remote}", str(folder))
        seen = GitRepository(folder, author=AUTHOR, record_trust=Trust(Signers(ssh=keys / "allowed")))
        assert seen.observed("demo") == known
        assert seen.verified()


def test_without_keys_everything_counts_as_before(remote: Path, clone: Make) -> None:
    one = GitRepository(clone("one"), author=AUTHOR)
    recorded(one)
    forge(remote)
    one.fetch()
    assert (one.observed("demo"), one.verified()) == ({"demo/x": FORGED.encode()}, False)


URL = Output("b", "applications", "web", "url")
TRUE, FOREIGN = "https://web.example.org", "https://evil.example.net"


@pytest.mark.parametrize("verified", [True, False])
def test_a_foreign_url_in_another_clusters_record_reaches_nobody(
    remote: Path, trusting: Open, clone: Make, tmp_path: Path, verified: bool
) -> None:
    one = trusting("one") if verified else GitRepository(clone("one"), author=AUTHOR)
    one.record("b", {"b/outputs.yaml": f"applications.web.url: {TRUE}\n"}, "b: in sync\n")
    _forge_file(remote, "b/outputs.yaml", f"applications.web.url: {FOREIGN}\n")
    one.fetch()
    counts = before(one, tmp_path, "a", frozenset({URL}))
    assert counts == ({URL: TRUE} if verified else {}), "without keys it is read live, or waited for"


def _forge_file(remote: Path, path: str, text: str) -> None:
    folder, _, name = path.partition("/")
    blob = _stdin(remote, text, "hash-object", "-w", "--stdin")
    inner = _stdin(remote, f"100644 blob {blob}\t{name}\n", "mktree")
    tree = _stdin(remote, f"040000 tree {inner}\t{folder}\n", "mktree")
    git(remote, "update-ref", "refs/heads/observed", git(remote, "commit-tree", "-m", "b: x", "-p", "observed", tree))
