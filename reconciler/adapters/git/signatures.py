"""Signed commits, checked and made with the keys the settings name now, and with no others.

git checks an SSH key as of the date that its commit gives itself: a retired key would sign for ever, backdated. So
ssh-keygen is asked here, as of now. GnuPG goes by today's date itself, and is asked by git.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ... import process
from ...errors import Blocked, Evidence, Invalid
from .commands import Git

_SSH = b"-----BEGIN SSH SIGNATURE-----"
_PROGRAM_SECONDS = 30.0


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
        payload, signature = _parts(git.content("cat-file", "commit", commit))
        evidence = None
        if not signature:
            why = "it has no signature"
        elif signature.startswith(_SSH):
            why = _ssh(self.ssh, payload, signature)
        else:
            why, evidence = _gnupg(git, self.gnupg, commit)
        if why:
            raise Blocked(
                f"commit {commit[:12]} is not signed by a key that counts: {why}",
                hint="nothing was applied. Sign it (git commit -S) with a key that git.signers names now; "
                "a merge is made and signed by a person too (git merge -S), and pushed",
                evidence=evidence,
            )


def _parts(commit: bytes) -> tuple[bytes, bytes]:
    """What a commit's signature is of, and the signature, as git takes them apart; that is empty where there is none,
    or more than one."""
    head, blank, body = commit.partition(b"\n\n")
    signed: list[bytes] = []
    signatures: list[list[bytes]] = []
    within = False
    for line in head.split(b"\n"):
        if within and line.startswith(b" "):
            signatures[-1].append(line[1:])
        elif within := line.startswith(b"gpgsig "):
            signatures.append([line.removeprefix(b"gpgsig ")])
        else:
            signed.append(line)
    signature = b"\n".join(signatures[0]) + b"\n" if len(signatures) == 1 else b""
    return b"\n".join(signed) + blank + body, signature


def _ssh(allowed: Path | None, payload: bytes, signature: bytes) -> str:
    """Why an SSH signature does not count as of now; "" where it does."""
    with tempfile.TemporaryDirectory(prefix="reconciler-") as folder:
        file = Path(folder) / "signature"
        file.write_bytes(signature)
        if allowed is not None:
            listed = _keygen("find-principals", "-f", str(allowed), "-s", str(file))
            for principal in listed.stdout.splitlines() if listed.exit_code == 0 else ():
                who = ("-n", "git", "-I", principal, "-f", str(allowed), "-s", str(file))
                if _keygen("verify", *who, stdin=payload).exit_code == 0:
                    return ""
        key = re.search(
            r"\S+ key SHA256:\S+", _keygen("check-novalidate", "-n", "git", "-s", str(file), stdin=payload).stdout
        )
    return f"{key[0]} is not one of them now" if key else "its signature is not of this commit"


def _keygen(operation: str, *arguments: str, stdin: bytes = b"") -> process.Completed:
    """Its verdict by now, whatever date anybody gave anything."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    argv = ["ssh-keygen", "-Y", operation, *arguments]
    return process.run(argv, env=environment, timeout=_PROGRAM_SECONDS, check=False, stdin=stdin)


def _gnupg(git: Git, home: Path | None, commit: str) -> tuple[str, Evidence | None]:
    """Why a GnuPG signature does not count, "" where it does, and what git said. A key that expired or was withdrawn
    meanwhile is no good one to GnuPG, whenever it signed."""
    with tempfile.TemporaryDirectory(prefix="reconciler-") as empty:  # where no key of this user's own counts
        answer = git(
            "verify-commit", "--raw", commit,
            settings=(
                "gpg.program=gpg", "gpg.minTrustLevel=undefined", "gpg.ssh.program=false", "gpg.x509.program=false",
            ),
            environment={"GNUPGHOME": str((home or Path(empty)).resolve())},
        )  # fmt: skip
    return ("", None) if answer.ok else (_said(answer.error), answer.evidence)


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
        return "its signature is none that can be checked"
    lines = [line.removeprefix("[GNUPG:] ").strip() for line in error.splitlines()]
    telling = ("NO_PUBKEY", "BADSIG", "EXPKEYSIG", "REVKEYSIG", "ERRSIG")
    found = [line for line in lines if line.startswith(telling) or " key " in line or "principal" in line.lower()]
    return "; ".join(dict.fromkeys(found or lines[-1:]))
