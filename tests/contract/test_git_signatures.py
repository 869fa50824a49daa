"""Signed commits, with real keys: who signs is known or not applied, and what we record can be proven to be ours."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.adapters.git import GitRepository, Signature, Signers
from reconciler.errors import Blocked, Invalid
from tests.contract.test_git import AUTHOR, Make, clone, git, remote

__all__ = ["clone", "remote"]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder with the keys `ada` (allowed) and `eve`, and the file of allowed signers."""
    folder = tmp_path / "keys"
    folder.mkdir()
    for name in ("ada", "eve"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name], check=True)
    (folder / "allowed").write_text(f"ada@example.org {(folder / 'ada.pub').read_text()}")
    return folder


def signed(folder: Path, key: Path | None) -> str:
    """A new commit, signed with the key."""
    settings = ["-c", "gpg.format=ssh", "-c", f"user.signingKey={key}"] if key else []
    git(folder, *settings, "commit", "-q", "--allow-empty", "-m", "x", "-S" if key else "--no-gpg-sign")
    return git(folder, "rev-parse", "HEAD")


def test_only_commits_by_known_keys_are_let_through(clone: Make, keys: Path) -> None:
    folder = clone("one")
    one = GitRepository(folder, author=AUTHOR, signers=Signers(ssh=keys / "allowed"))
    good, unknown, unsigned = (signed(folder, key) for key in (keys / "ada", keys / "eve", None))
    one.verify(good)
    with pytest.raises(Blocked, match=f"commit {unknown[:12]} is not signed by a key that counts") as caught:
        one.verify(unknown)
    told = subprocess.run(["ssh-keygen", "-lf", keys / "eve.pub"], capture_output=True, text=True, check=True).stdout
    assert told.split()[1] in caught.value.message, "whose key it was"
    with pytest.raises(Blocked, match="it has no signature"):
        one.verify(unsigned)
    GitRepository(folder, author=AUTHOR).verify(unsigned)


def test_what_this_machine_or_clone_trusts_does_not_count(
    clone: Make, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = clone("one")
    good, unknown = (signed(folder, keys / name) for name in ("ada", "eve"))
    everybody = tmp_path / "everybody"
    everybody.write_text(f"eve@example.org {(keys / 'eve.pub').read_text()}")
    git(folder, "config", "gpg.ssh.allowedSignersFile", str(everybody))
    git(folder, "config", "gpg.ssh.program", "true")
    git(folder, "replace", unknown, good)  # git itself would now show the good one in its place
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "gpg.ssh.allowedSignersFile")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(everybody))
    with pytest.raises(Blocked):
        GitRepository(folder, author=AUTHOR, signers=Signers(ssh=keys / "allowed")).verify(unknown)
    with pytest.raises(Blocked):
        GitRepository(folder, author=AUTHOR, signers=Signers(gnupg=tmp_path)).verify(good)


def test_a_changed_commit_keeps_no_signature(clone: Make, keys: Path) -> None:
    folder = clone("one")
    text = subprocess.check_output(["git", "cat-file", "commit", signed(folder, keys / "ada")], cwd=folder)
    forged = subprocess.run(
        ["git", "hash-object", "-t", "commit", "-w", "--stdin"],
        cwd=folder, input=text.replace(b"\nx\n", b"\ny\n"), capture_output=True, check=True,
    ).stdout.decode().strip()  # fmt: skip
    with pytest.raises(Blocked):
        GitRepository(folder, author=AUTHOR, signers=Signers(ssh=keys / "allowed")).verify(forged)


@pytest.fixture
def gnupg(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not installed")
    home = Path(f"/tmp/reconciler-test-gnupg-{os.getpid()}")  # an agent's socket must have a short path
    home.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    try:
        for name in ("ada", "eve"):
            command = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key"]
            subprocess.run([*command, f"{name} <{name}@example.org>", "ed25519", "sign", "never"], check=True)
        yield home
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)
        shutil.rmtree(home)


def test_gnupg_keys_as_a_forge_signs_merges(clone: Make, gnupg: Path, keys: Path, tmp_path: Path) -> None:
    folder = clone("one")
    commits = []
    for name in ("ada", "eve"):
        signing = ["-c", "gpg.format=openpgp", "-c", f"user.signingKey={name}@example.org"]
        git(folder, *signing, "commit", "-q", "-S", "--allow-empty", "-m", name)
        commits.append(git(folder, "rev-parse", "HEAD"))
    ours = tmp_path / "ring"
    ours.mkdir(mode=0o700)
    public = subprocess.check_output(["gpg", "--armor", "--export", "ada@example.org"])
    subprocess.run(["gpg", "--homedir", ours, "--batch", "--quiet", "--import"], input=public, check=True)
    one = GitRepository(folder, author=AUTHOR, signers=Signers(ssh=keys / "allowed", gnupg=ours))
    one.verify(commits[0])
    one.verify(signed(folder, keys / "ada"))
    with pytest.raises(Blocked, match="NO_PUBKEY"):
        one.verify(commits[1])
    subprocess.run(["gpgconf", "--homedir", ours, "--kill", "all"], check=False)


def test_settings_that_name_what_is_not_there(clone: Make, tmp_path: Path) -> None:
    folder = clone("one")
    for signers in (Signers(ssh=tmp_path / "no"), Signers(gnupg=tmp_path / "no")):
        with pytest.raises(Invalid, match="there is no"):
            GitRepository(folder, author=AUTHOR, signers=signers).verify(git(folder, "rev-parse", "HEAD"))
    with pytest.raises(Invalid, match="to sign with"):
        GitRepository(folder, author=AUTHOR, signature=Signature(tmp_path / "no")).record("a", {"a/x": "1"}, "a")


def test_what_is_recorded_is_signed(clone: Make, remote: Path, keys: Path) -> None:
    one = GitRepository(clone("one"), author=AUTHOR, signature=Signature(keys / "ada"))
    message = "demo: in sync\n\n- a step\n\nDesired-Commit: abc\n"
    made = [one.record("demo", {"demo/x": text}, message) for text in ("1", "2")]
    assert git(remote, "rev-list", "observed").split() == made[::-1]
    allowed = f"gpg.ssh.allowedSignersFile={keys / 'allowed'}"
    for commit in made:
        git(remote, "-c", allowed, "verify-commit", str(commit))
    assert git(remote, "log", "-1", "--format=%an <%ae> %cn|%B", "observed").strip() == (
        f"Reconciler <reconciler@example.org> Reconciler|{message.strip()}"
    )
    assert one.record("demo", {"demo/x": "2"}, message) is None
