"""What Terraform said when it failed, in one line with a hint, and whether trying again can help."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import Evidence, Permanent, ReconcilerError, Transient
from ...process import Completed, Redactor
from . import documents


class _Known(NamedTuple):
    pattern: str
    error: type[Transient] | type[Permanent]
    hint: str


# The first that matches decides, so what names a cause stands before what names a symptom.
_KNOWN = (
    _Known(
        r"decryption failed|encrypted and can not be read|Unsupported state file format.*encrypted",
        Permanent,
        "The key is another one than the state was written with: look at terraform.encryption in the settings. "
        "Nothing was changed.",
    ),
    _Known(
        r"unencrypted payload without unencrypted method",
        Permanent,
        "The state there is not encrypted yet. Run once on a machine that has used it before: it writes it anew. "
        "Nothing was changed.",
    ),
    _Known(
        r"NoSuchBucket|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|no valid credential sources|"
        r"password authentication failed|HTTP remote state endpoint requires auth|HTTP remote state access denied",
        Permanent,
        "Where Terraform's state is kept nobody lets us in: look at `state` in desired/fleet.yaml, and at the "
        "credentials in our environment.",
    ),
    _Known(
        r"Invalid power_state[^\n]*(SUSPENDED|PAUSED|SHELVED|RESCUE|SOFT_DELETED)|"
        r"in vm_state (suspended|paused|shelved|shelved_offloaded|rescued|soft-delete)\b",
        Permanent,
        "The server is in a state that only people end: `openstack server resume`, `unpause`, `unshelve`, `unrescue` "
        "or `restore` it, or delete it.",
    ),
    _Known(
        r"Instance \S+ is locked",
        Permanent,
        "Somebody locked the server: `openstack server unlock` it, or take back the change in git.",
    ),
    _Known(
        r"already exists|already in use by|is not unique",
        Permanent,
        "The cloud has one of that kind that is not ours, or says the same in other words: delete it, or take it "
        "back in git.",
    ),
    _Known(
        r"quota exceeded|OverQuota|Quota .* exceeded|exceeds? .*quota",
        Permanent,
        "The project's quota is used up: ask for more, or delete what is not needed (`openstack quota show --usage`).",
    ),
    _Known(
        r"Your query returned no results|No suitable endpoint|could not find .*(flavor|image|network)|"
        r"Unable to find (flavor|image|network)|no .* found matching",
        Permanent,
        "The cloud has no flavor, image or network of that name: compare the cluster's YAML with what the cloud lists.",
    ),
    _Known(
        r"No valid host|unexpected state 'ERROR'",
        Permanent,
        "Nova could not place or boot the server; `openstack server show` tells its fault. It is made anew next time.",
    ),
    _Known(
        r"exceeded its progress deadline",
        Permanent,
        "Its pods do not become ready: `kubectl describe pod` tells why (no such image, no room on any node, a crash).",
    ),
    _Known(
        r"clouds\.ya?ml|no clouds",
        Permanent,
        "Look at the cluster's `cloud` and at clouds.yaml: the one must name an entry of the other.",
    ),
    _Known(
        r"got 401|Authentication failed|requires authentication|Unauthorized",
        Permanent,
        "The credential was refused: it expired, was revoked, or is another cloud's. Renew it and try again.",
    ),
    _Known(
        r"got 403|Forbidden|forbidden:",
        Permanent,
        "The credential is valid but may not do this: look at its roles.",
    ),
    _Known(
        r"Saved plan is stale",
        Transient,
        "Somebody else changed the state since it was planned; the next cycle plans anew.",
    ),
    _Known(
        r"Error acquiring the state lock",
        Transient,
        "Another run works on this cluster; it is tried again in the next cycle.",
    ),
    _Known(
        r"Cannot import non-existent remote object",
        Transient,
        "It was deleted while we were looking; the next cycle observes anew.",
    ),
    _Known(
        r"got 409|is still in use|Invalid power_state",
        Transient,
        "The cloud is still busy with it; the next cycle goes on from here.",
    ),
    _Known(
        r"connection refused|connection reset|no such host|i/o timeout|TLS handshake timeout|deadline exceeded|"
        r"Client\.Timeout|network is unreachable|unexpected EOF|: EOF|got (429|5\d\d)|timeout while waiting|"
        r"operation was interrupted|execution halted|operation canceled",
        Transient,
        "The service did not answer, or the run was interrupted; the next cycle goes on from here.",
    ),
    _Known(
        r"Failed to query available provider|Could not retrieve the list of available versions|"
        r"does not have a package|no available releases match|Failed to install provider",
        Permanent,
        "The provider is neither in the mirror nor in a registry: `reconciler doctor` tells where it is looked for.",
    ),
)
_API_MESSAGE = re.compile(r'"message":\s*"((?:[^"\\]|\\.)*)"')
# What Go prints where the provider found no word of Nova's.
_NO_WORD = re.compile(r"[,;.]?\s*last error:\s*%!\w\(<nil>\)|:?\s*%!\w\(<nil>\)", re.IGNORECASE)
_HTTP_NOISE = re.compile(
    r":?\s*(Expected HTTP response code|Bad request with|Request forbidden|Resource not found).*", re.S
)
_EVIDENCE_LINES = 40


def failure(done: Completed, redact: Redactor) -> ReconcilerError:
    """Return the error to raise for a failed run."""
    # Hidden again, now that JSON is decoded: a secret with a quote in it is spelled otherwise inside.
    messages = [documents.message(line) for line in done.stdout.splitlines()]
    diagnostics = [redact(_text(d)) for d in _errors(messages)] or _plain(done)
    words = (
        "\n".join(diagnostics)
        or redact("\n".join(str(m["@message"]) for m in messages if "@message" in m))
        or done.stderr
    )
    evidence = Evidence(done.command, done.exit_code, tuple(words.strip().splitlines()[-_EVIDENCE_LINES:]))
    program = Path(done.command.split(maxsplit=1)[0]).name
    if done.exit_code < 0:
        return Transient(
            f"{program} was killed by signal {-done.exit_code}",
            hint="The next cycle imports what it made but did not write down.",
            evidence=evidence,
        )
    if (lock := _LOCK.search(words)) and "Error acquiring the state lock" in words:
        return _locked(lock, words, evidence)
    message = _headline(diagnostics) or f"{program} failed with exit code {done.exit_code}"
    for known in _KNOWN:
        if re.search(known.pattern, words, re.IGNORECASE):
            return known.error(message, hint=known.hint, evidence=evidence)
    return Permanent(message, evidence=evidence)


_LOCK = re.compile(r"^\s*ID:\s+(\S+)", re.MULTILINE)


def _locked(lock: re.Match[str], words: str, evidence: Evidence) -> Transient:
    """Whose lock it is, and how to be rid of it: a run that was killed may leave one behind for ever."""
    told = {key: re.search(rf"^\s*{key}:\s+(.+)$", words, re.MULTILINE) for key in ("Who", "Created")}
    who, since = (found[1].strip() if found else "somebody" for found in told.values())
    return Transient(
        f"Terraform's state is locked by {who} since {since} (lock {lock[1]})",
        hint="It is tried again in the next cycle. When that run is dead, take its lock away: "
        f"`reconciler unlock CLUSTER {lock[1]}`.",
        evidence=evidence,
    )


def _errors(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    found = (m.get("diagnostic") for m in messages if m.get("type") == "diagnostic")
    return [d for d in found if isinstance(d, dict) and d.get("severity") == "error"]


def _text(diagnostic: Mapping[str, Any]) -> str:
    where = f"{diagnostic['address']}: " if diagnostic.get("address") else ""
    return _NO_WORD.sub("", f"{where}{diagnostic.get('summary', '')}\n{diagnostic.get('detail', '')}").strip()


def _plain(done: Completed) -> list[str]:
    """`init` and `state` speak to people: their errors start with a word and are framed by box-drawing characters."""
    text = re.sub(r"^[\s│╷╵]+", "", done.stderr, flags=re.M)
    return [part.strip() for part in re.split(r"^Error: ", text, flags=re.M)[1:]]


def _headline(diagnostics: list[str]) -> str:
    if not diagnostics:
        return ""
    more = f" (and {len(diagnostics) - 1} more)" if len(diagnostics) > 1 else ""
    return _one_line(diagnostics[0]) + more


def _one_line(text: str) -> str:
    """Keep what happened and why: what the cloud's API said, else Terraform's summary and the start of its detail."""
    said = _API_MESSAGE.search(text)
    if said:
        return f"{_HTTP_NOISE.sub('', text).strip()}: {said.group(1)}"
    lines = [line.strip() for line in re.sub(r": &\w+\{.*", "", text, flags=re.S).splitlines() if line.strip()]
    return ": ".join(lines[:2]).rstrip(":")
