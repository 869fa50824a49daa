"""Signed commits, with real keys: who signs is known or not applied, and what we record can be proven to be ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
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


def backdated(folder: Path, key: Path, when: str) -> str:
    """A commit that says it was made at another time, signed."""
    settings = ["-c", "gpg.format=ssh", "-c", f"user.signingKey={key}"]
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
    subprocess.run(
        ["git", *identity, *settings, "commit", "-q", "--allow-empty", "-m", "x", "-S"],
        cwd=folder, check=True, env={**os.environ, "GIT_COMMITTER_DATE": when, "GIT_AUTHOR_DATE": when},
    )  # fmt: skip
    return git(folder, "rev-parse", "HEAD")


def test_a_retired_key_signs_nothing_however_its_commit_is_dated(clone: Make, keys: Path) -> None:
    """git asks whether the key was valid when the commit says it was made."""
    folder, public = clone("one"), (keys / "ada.pub").read_text()
    old = backdated(folder, keys / "ada", "2020-06-01T12:00:00Z")
    future = backdated(folder, keys / "ada", "2099-06-01T12:00:00Z")
    allowed = keys / "windows"
    one = GitRepository(folder, author=AUTHOR, signers=Signers(ssh=allowed))
    for window in ('valid-before="20210101"', 'valid-after="20990101"'):
        allowed.write_text(f"ada@example.org {window} {public}")
        for commit in (old, future):
            with pytest.raises(Blocked, match=r"ED25519 key SHA256:\S+ is not one of them now"):
                one.verify(commit)
    allowed.write_text(f'ada@example.org valid-after="20210101" {public}')
    one.verify(old)
    one.verify(future)


def test_a_signature_that_is_there_twice_or_in_another_place_is_none(clone: Make, keys: Path) -> None:
    folder = clone("one")
    text = subprocess.check_output(["git", "cat-file", "commit", signed(folder, keys / "ada")], cwd=folder)
    head, _, body = text.partition(b"\n\n")
    at = head.index(b"gpgsig ")
    one = GitRepository(folder, author=AUTHOR, signers=Signers(ssh=keys / "allowed"))
    for forged in (
        head + b"\n" + head[at:] + b"\n\n" + body,
        head[:at] + b"x-" + head[at:] + b"\n\n" + body,
        head[:at].rstrip(b"\n") + b"\n\n" + head[at:] + b"\n" + body,
        head.replace(b"tree ", b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\ntree ", 1) + b"\n\n" + body,
    ):
        made = subprocess.run(
            ["git", "hash-object", "-t", "commit", "-w", "--stdin", "--literally"],
            cwd=folder, input=forged, capture_output=True, check=True,
        ).stdout.decode().strip()  # fmt: skip
        with pytest.raises(Blocked):
            one.verify(made)


def test_a_commit_that_is_not_text_is_checked_byte_for_byte(clone: Make, keys: Path) -> None:
    folder = clone("one")
    settings = ["-c", "gpg.format=ssh", "-c", f"user.signingKey={keys / 'ada'}", "-c", "i18n.commitEncoding=latin-1"]
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
    command = ["git", *identity, *settings, "commit", "-q", "--allow-empty", "-F", "-", "-S"]
    subprocess.run(command, cwd=folder, input=b"\xe4\xff\n", check=True)
    GitRepository(folder, author=AUTHOR, signers=Signers(ssh=keys / "allowed")).verify(git(folder, "rev-parse", "HEAD"))


@pytest.fixture
def gnupg(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not installed")
    home = Path(tempfile.mkdtemp(prefix="reconciler-test-gnupg-", dir="/tmp"))  # an agent's socket: a short path
    monkeypatch.setenv("GNUPGHOME", str(home))
    try:
        for name in ("ada", "eve"):
            command = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key"]
            subprocess.run([*command, f"{name} <{name}@example.org>", "ed25519", "sign", "never"], check=True)
        yield home
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)
        shutil.rmtree(home, ignore_errors=True)  # the agent takes its sockets away at the same time


def test_gnupg_keys_that_expired_or_were_withdrawn_sign_nothing(clone: Make, gnupg: Path, tmp_path: Path) -> None:
    folder, past = clone("one"), "20200601T120000"
    command = ["gpg", "--batch", "--quiet", "--passphrase", "", "--faked-system-time", past]
    subprocess.run([*command, "--quick-gen-key", "old <old@example.org>", "ed25519", "sign", "1y"], check=True)
    program = tmp_path / "gpg-then"
    program.write_text(f'#!/bin/sh\nexec gpg --faked-system-time {past} "$@"\n')
    program.chmod(0o755)

    def by(name: str, gpg: str) -> str:
        settings = ["-c", "gpg.format=openpgp", "-c", f"user.signingKey={name}@example.org", "-c", f"gpg.program={gpg}"]
        identity = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
        subprocess.run(
            ["git", *identity, *settings, "commit", "-q", "-S", "--allow-empty", "-m", name], cwd=folder, check=True,
            env={**os.environ, "GIT_COMMITTER_DATE": "2020-06-01T12:00:00Z", "GIT_AUTHOR_DATE": "2020-06-01T12:00:00Z"},
        )  # fmt: skip
        return git(folder, "rev-parse", "HEAD")

    expired, withdrawn = by("old", str(program)), by("eve", "gpg")
    one = GitRepository(folder, author=AUTHOR, signers=Signers(gnupg=gnupg))
    with pytest.raises(Blocked, match="EXPKEYSIG"):
        one.verify(expired)
    one.verify(withdrawn)
    fingerprint = subprocess.check_output(["gpg", "--batch", "--with-colons", "--list-keys", "eve"], text=True)
    id_ = next(line.split(":")[9] for line in fingerprint.splitlines() if line.startswith("fpr"))
    revocation = (gnupg / f"openpgp-revocs.d/{id_}.rev").read_text().replace(":-----BEGIN", "-----BEGIN")
    subprocess.run(["gpg", "--batch", "--quiet", "--import"], input=revocation, text=True, check=True)
    with pytest.raises(Blocked, match="REVKEYSIG"):
        one.verify(withdrawn)


def test_gnupg_keys_beside_ssh_keys(clone: Make, gnupg: Path, keys: Path, tmp_path: Path) -> None:
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
