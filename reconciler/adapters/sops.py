"""Secrets in git, opened with SOPS: text in, text out, the plain text never on disk, in an argument or in an error.

Which keys a file names is read, and cut down to those of this machine, before it comes here (`spec.sops`). Here the
program gets no more than these need: no other credential is in its environment, and with age keys there is no network.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from .. import process
from ..confine import Limits
from ..errors import Evidence, Invalid, Permanent, Problem, ReconcilerError

_SECONDS = 60.0
# What sops ends with: cmd/sops/codes of its source.
_NO_KEY = 128
_CHANGED = {24, 25, 51, 52}
# Where it looks for age keys; the command may be one that opens a password store.
_COMMAND = "SOPS_AGE_KEY_CMD"
_AGE = ("SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", _COMMAND, "SOPS_AGE_SSH_PRIVATE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_CMD")
_MACHINE = ("HOME", "LANG", "PATH", "TMPDIR", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")
_NETWORK = (
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "no_proxy"),
)
# What else each type of key is used with: the beginnings of variables' names, and whether somebody is asked for it.
_TYPES: dict[str, tuple[tuple[str, ...], bool]] = {
    "pgp": (("GNUPGHOME", "GPG_", "SOPS_GPG_EXEC"), False),
    "kms": (("AWS_",), True),
    "gcp_kms": (("GOOGLE_", "CLOUDSDK_"), True),
    "azure_kv": (("AZURE_",), True),
    "hc_vault": (("VAULT_",), True),
}
_NOWHERE = "/nonexistent"
_GIVE_KEY = "name the age key's file: SOPS_AGE_KEY_FILE, or sops: keyFile in the settings"
_ENCRYPT_AGAIN = "an encrypted file is changed with `sops {file}` only: restore it from git, or encrypt it again"


class Sops:
    """Decrypts. `binary` is the program; `key_file` holds the age key (None: where SOPS looks for it by itself);
    `types` are those of other keys that are used, as SOPS calls them. Not `alone`: this process has other repositories,
    and no age key of the user's is ours."""

    def __init__(
        self, binary: Path, key_file: Path | None = None, types: Collection[str] = (), *, alone: bool = True
    ) -> None:
        self._binary = binary
        self._alone = alone
        self._key_file = key_file.expanduser() if key_file else None
        self._types = types

    def decrypt(self, text: bytes, name: str) -> bytes:
        """Return the file `name` (YAML or JSON), whose content is `text`, with its secrets in the clear.

        Raises Permanent when there is no key for it here, Invalid when it was changed behind SOPS's back or is no
        file of SOPS's. No error says anything of the content.
        """
        if self._key_file and not os.access(self._key_file, os.R_OK):
            raise Permanent(f"{name} is encrypted, and the key file {self._key_file} can't be read", hint=_GIVE_KEY)
        form = "json" if name.endswith(".json") else "yaml"
        # From a pipe to a pipe: sops keeps nothing, and neither do we.
        argv: list[str | Path] = [
            self._binary,
            "--decrypt",
            "--input-type",
            form,
            "--output-type",
            form,
            "/dev/stdin",
        ]
        encrypted = text.decode("utf-8", "replace")
        environment = self._environment()
        online = _COMMAND in environment or any(_TYPES[kind][1] for kind in self._types)
        try:
            done = process.run(
                argv,
                cwd=Path("/"),  # where it finds no .sops.yaml that came from git
                env=environment,
                timeout=_SECONDS,
                stdin=encrypted,
                check=False,
                limits=Limits(network=online),
            )
        except process.Exceeded as error:
            message, hint = f"can't be decrypted: {error.message}", "keep smaller files in git"
            raise Invalid(
                f"{name} {message}", hint=hint, problems=[Problem(name, 1, 1, "sops", message, hint)]
            ) from None
        if done.exit_code:
            raise _failure(name, done)
        return done.stdout.encode()

    def _environment(self) -> dict[str, str]:
        key = {"SOPS_AGE_KEY_FILE": str(self._key_file.absolute())} if self._key_file else {}
        starts = tuple(start for kind in self._types for start in _TYPES[kind][0])
        network = _NETWORK if any(_TYPES[kind][1] for kind in self._types) else ()
        names = {*_MACHINE, *_AGE, *network, *(name for name in os.environ if starts and name.startswith(starts))}
        inherited = {name: os.environ[name] for name in names if name in os.environ}
        if self._alone:
            return {**inherited, **key}
        ours = {name: value for name, value in inherited.items() if name not in _AGE}
        home = {} if self._types else {"HOME": _NOWHERE}  # keys of these types are used by name, from the user's home
        return {**ours, **home, "XDG_CONFIG_HOME": _NOWHERE, "SOPS_AGE_SSH_PRIVATE_KEY_FILE": _NOWHERE, **key}


def _failure(name: str, done: process.Completed) -> ReconcilerError:
    """Only for a missing key does what sops said go with it: it speaks of keys then; else it may quote the file."""
    if done.exit_code == _NO_KEY:
        said = Evidence(done.command, done.exit_code, tuple(done.stderr.splitlines()))
        return Permanent(f"{name} is encrypted, and none of the keys here opens it", hint=_GIVE_KEY, evidence=said)
    if done.exit_code in _CHANGED:
        message, hint = "was changed after SOPS encrypted it", _ENCRYPT_AGAIN.format(file=name)
    else:
        message = f"can't be decrypted: SOPS ended with exit code {done.exit_code}"
        hint = "is it what `sops --encrypt` wrote?"
    return Invalid(f"{name} {message}", hint=hint, problems=[Problem(name, 1, 1, "sops", message, hint)])
