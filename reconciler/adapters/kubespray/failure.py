"""What a failed run means: an error that names host, task and message, and says whether to try again."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from ...errors import Evidence, Permanent, ReconcilerError, Transient
from . import known_hosts
from .events import Failure

_SHOWN = 3
_TAIL_LINES = 40
_TAIL_BYTES = 256 << 10
_UNREACHABLE = "does a security group let us in, is it the right key and user, does the SSH server listen there?"
OTHER_KEY = "HOST IDENTIFICATION HAS CHANGED|Host key verification failed"
_HINTS = (
    ("sudo: a password|Missing sudo password|is not in the sudoers", "let the SSH user run sudo without a password"),
    ("No space left on device|Disk quota exceeded", "make room on that host's disk, or take a larger flavor"),
    (
        "Could not get lock|dpkg frontend lock|yum lock",
        "another package manager runs on the host: try again when it is done",
    ),
    (
        "urlopen error|Request failed|HTTP Error|Failed to download|Unable to fetch|Could not resolve"
        "|Temporary failure in name resolution",
        "can the host reach the internet and resolve names? Otherwise give Kubespray mirrors of its downloads",
    ),
)


def error(
    playbook: str,
    status: str,
    seconds: float,
    failures: Sequence[Failure],
    log: Path,
    otherwise: Callable[[str, str], str] = lambda _, __: known_hosts.ANOTHER,
) -> ReconcilerError:
    """Make the error for a run that ended with ansible-runner's `status` (canceled, timeout, failed). Its hint names
    the log: the evidence goes to a terminal only. `otherwise` says of a host that shows another key, and of
    ssh's words, what that contradicts."""
    lines, whole = _lines(log), f"the whole log is {log}"
    evidence = Evidence(f"ansible-playbook {playbook} (whole log: {log})", None, tuple(lines[-_TAIL_LINES:]))
    if status == "canceled":
        return Transient(
            f"{playbook} was interrupted", hint=f"the next cycle goes on from here; {whole}", evidence=evidence
        )
    if status == "timeout":
        hint = f"if it was still making progress, raise Kubespray's timeout in the settings; {whole}"
        return Transient(f"{playbook} did not finish within {seconds:g} s", hint=hint, evidence=evidence)
    if not failures:
        return Permanent(f"{playbook} failed: {_complaint(lines)}", hint=whole, evidence=evidence)
    text = f"{playbook} failed on " + "; ".join(str(f) for f in failures[:_SHOWN])
    text += f"; and on {len(failures) - _SHOWN} more" if len(failures) > _SHOWN else ""
    strangers = [f for f in failures if re.search(OTHER_KEY, f.message)]
    known = (
        otherwise(strangers[0].host, strangers[0].message)
        if strangers
        else _hint("\n".join(f.message for f in failures))
    )
    if any(f.unreachable for f in failures) and not strangers:
        return Transient(text, hint=f"{_UNREACHABLE}; {whole}", evidence=evidence)
    return Permanent(text, hint=f"{known}; {whole}" if known else whole, evidence=evidence)


def _hint(text: str) -> str | None:
    return next((hint for pattern, hint in _HINTS if re.search(pattern, text, re.IGNORECASE)), None)


def _complaint(lines: Sequence[str]) -> str:
    """Ansible's own words when it did not come as far as a task."""
    said = [line for line in lines if line.startswith(("ERROR!", "[ERROR]", "fatal:"))]
    return (said or [line for line in lines if line.strip()] or ["it printed nothing"])[-1].removeprefix("ERROR! ")


def _lines(log: Path) -> list[str]:
    """The log's last lines, as a terminal may be given them: machines wrote into it."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = file.read(_TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return []
    plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
    return ["".join(c if c.isprintable() else " " for c in line) for line in plain.splitlines()]
