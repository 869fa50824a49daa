"""Whether the keys for records fit each other: what is signed here is believed here, and none of them signs desired
state."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..settings import Git

# A public key as OpenSSH writes it (sshd(8), AUTHORIZED_KEYS FILE FORMAT): its type and its blob.
_KEY = re.compile(r"\b(?:sk-)?(?:ssh|ecdsa)-[-@.\w]+ (AAAA[A-Za-z0-9+/=]+)")


def problems(git: Git) -> Iterator[tuple[str, str]]:
    """What is wrong, each with what to do. Nothing where records are not verified."""
    trusted = git.record_signers
    if not (trusted.ssh or trusted.gnupg):
        return
    believed = _keys(trusted.ssh)
    if git.signing_key is None:
        yield "records are verified, and what is recorded here is not signed", "name a private key: git.signingKey"
    elif trusted.gnupg is None and not believed & _keys(git.signing_key.with_name(f"{git.signing_key.name}.pub")):
        yield (
            f"nobody sees in {trusted.ssh} that git.signingKey is among the keys whose records are believed",
            f"put the key of {git.signing_key}.pub into {trusted.ssh}, and keep the .pub file beside the private one",
        )
    if believed & _keys(git.signers.ssh):
        yield (
            "git.signers.ssh and git.recordSigners.ssh have a key in common",
            "whoever has a runner's key could sign desired state: give the runner one of its own",
        )


def _keys(file: Path | None) -> set[str]:
    try:
        text = file.read_text(encoding="utf-8", errors="replace") if file else ""
    except OSError:
        return set()
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return {blob for line in lines for blob in _KEY.findall(line)}
