"""One question to one machine over SSH: a shell script that root runs there, and the answer within bounds."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ... import process
from ...confine import MIB, Limits
from ...errors import Permanent, Transient
from .failure import OTHER_KEY

# Root is who the script needs; where there is no sudo, only root logs in. No argument of it shows what is asked.
AS_ROOT = "if command -v sudo >/dev/null; then exec sudo -n sh -s; else exec sh -s; fi"
_SSH_FAILED = 255  # ssh's own exit code; a script has the others
_MOST = Limits(output=MIB, network=True)
_LONGEST_REASON = 300  # characters of a machine's own words in a message


def ask(login: Sequence[str], machine: str, script: str, seconds: float, otherwise: Callable[[str], str]) -> str:
    """What `script` prints on the machine that `login`, ssh's arguments up to and including the host, leads to.
    `otherwise` says what a machine with another host key contradicts. Raises as `Machines.ask`."""
    try:
        done = process.run([*login, AS_ROOT], stdin=script, timeout=seconds, check=False, limits=_MOST)
    except process.Exceeded:
        raise Permanent(f"{machine} answers with more than {_MOST.output // MIB} MiB") from None
    if done.exit_code == 0:
        return done.stdout
    words = done.stderr.strip().splitlines()
    reason = words[-1][:_LONGEST_REASON] if words else f"exit code {done.exit_code}"
    if done.exit_code == _SSH_FAILED and re.search(OTHER_KEY, done.stderr):
        message = f"{machine} does not prove over SSH that it is the machine that is meant: {reason}"
        raise Permanent(message, hint=otherwise(machine), evidence=done.evidence)
    if done.exit_code == _SSH_FAILED:
        silent = "is the machine on, is its port open to us, and is the key the one git names?"
        raise Transient(f"{machine} can't be asked over SSH: {reason}", hint=silent, evidence=done.evidence)
    hint = "the user that git names needs sudo without a password" if "sudo:" in done.stderr else None
    raise Permanent(f"{machine} could not answer: {reason}", hint=hint, evidence=done.evidence)
