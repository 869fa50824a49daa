"""Signed commits, checked and made by git itself with the keys the settings name, and with no others."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import Blocked, Invalid
from .commands import Git

_NO_FILE = "/dev/null"


@dataclass(frozen=True, slots=True)
class Signers:
    """Whose commits are applied: a file of SSH's allowed signers (ssh-keygen(1)), a GnuPG home folder whose keyring has
    just the keys that count, or both. With neither, everybody's."""

    ssh: Path | None = None
    gnupg: Path | None = None

    def __bool__(self) -> bool:
        return bool(self.ssh or self.gnupg)

    def check(self, git: Git, commit: str) -> None:
        """Raises Blocked when no known key signed the commit; Invalid when the settings name what is not there."""
        if not self:
            return
        if self.ssh and not self.ssh.is_file():
            raise Invalid(f"there is no file of allowed signers {self.ssh}", hint="git.signers.ssh in the settings")
        if self.gnupg and not self.gnupg.is_dir():
            raise Invalid(f"there is no GnuPG folder {self.gnupg}", hint="git.signers.gnupg in the settings")
        with tempfile.TemporaryDirectory(prefix="reconciler-") as empty:  # where no key of this user's own counts
            answer = git(
                "verify-commit", "--raw", commit,
                settings=(
                    f"gpg.ssh.allowedSignersFile={self.ssh or _NO_FILE}",
                    "gpg.ssh.program=ssh-keygen", "gpg.program=gpg", "gpg.minTrustLevel=undefined",
                    "gpg.x509.program=false",
                ),
                environment={"GNUPGHOME": str((self.gnupg or Path(empty)).resolve())},
            )  # fmt: skip
        if not answer.ok:
            raise Blocked(
                f"commit {commit[:12]} is not signed by a key that counts: {_said(answer.error)}",
                hint="nothing was applied. Sign it (git commit -S) with a key that git.signers names; "
                "a merge made by the forge bears the forge's own key",
                evidence=answer.evidence,
            )


@dataclass(frozen=True, slots=True)
class Signature:
    """The private SSH key that signs what we commit."""

    key: Path

    def sign(self, git: Git, commit: str, author: Mapping[str, str]) -> str:
        """Return a signed commit with the tree, the parents and the message of `commit`. `author` has git's variables
        for who wrote it. Raises Invalid when there is no key; Permanent when it can't be used."""
        if not self.key.is_file():
            raise Invalid(f"there is no key {self.key} to sign with", hint="git.signingKey in the settings")
        told = git.must("show", "--no-patch", "--format=%T%n%P%n%B", commit)
        tree, parents, message = told.split("\n", 2)
        return git.must(
            "commit-tree", f"-S{self.key.resolve()}", *(p for one in parents.split() for p in ("-p", one)), tree,
            stdin=message.rstrip("\n").encode() + b"\n",
            settings=("gpg.format=ssh", "gpg.ssh.program=ssh-keygen"),
            environment=author,
        )  # fmt: skip


def _said(error: str) -> str:
    """Which key it was, as far as git says."""
    if not error.strip():
        return "it has no signature"
    lines = [line.removeprefix("[GNUPG:] ").strip() for line in error.splitlines()]
    telling = ("NO_PUBKEY", "BADSIG", "EXPKEYSIG", "REVKEYSIG", "ERRSIG")
    found = [line for line in lines if line.startswith(telling) or " key " in line or "principal" in line.lower()]
    return "; ".join(dict.fromkeys(found or lines[-1:]))
