"""What may be repeated of a server's answer about a Secret: never its own words, which may quote what the Secret holds.

A number among the data, a webhook that explains itself, a conflict: all of them come with values. What helps to mend it
is reported all the same: the status, the fields by names that git has, and sentences of the API server's own that have
no place for a value (k8s.io/apiserver and k8s.io/kubernetes, release 1.36)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_SECRETS = re.compile(r"/api/v1/(namespaces/[^/?]+/)?secrets([/?]|$)")
_HIDDEN = "what it says of a Secret is not repeated"
_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.labels",
    "metadata.annotations",
    "type",
    "immutable",
    "data",
)
_SECTIONS = ("data", "stringData")

_NAME = r"[\w.:@/-]+"
_AMOUNTS = r"[\w./=,-]+"
_OF = rf'secrets(?: "{_NAME}")?'
_KNOWN = re.compile(
    "|".join(
        (
            rf'{_OF} is forbidden: User "{_NAME}" cannot [a-z]+ resource "secrets" in API group ""'
            rf'(?: in the namespace "{_NAME}"| at the cluster scope)',
            rf"{_OF} is forbidden: exceeded quota: {_NAME}, requested: {_AMOUNTS}, used: {_AMOUNTS}, "
            rf"limited: {_AMOUNTS}",
            rf"{_OF} is forbidden: unable to create new content in namespace {_NAME} because it is being terminated",
            rf'(?:secrets|namespaces) "{_NAME}" (?:not found|already exists)',
            rf"Operation cannot be fulfilled on {_OF}: the object has been modified; please apply your changes to the "
            r"latest version and try again",
            rf'Secret "{_NAME}" is invalid: data: Forbidden: field is immutable when `immutable` is set',
            rf'Secret "{_NAME}" is invalid: type: Invalid value: "{_NAME}": field is immutable',
            r"the server could not find the requested resource",
            r"Unauthorized",
        )
    )
)
# metav1.StatusReason: a webhook may send any other.
_REASONS = frozenset(
    {
        *("AlreadyExists", "BadRequest", "Conflict", "Forbidden", "InternalError", "Invalid", "MethodNotAllowed"),
        *("NotAcceptable", "NotFound", "RequestEntityTooLarge", "ServerTimeout", "ServiceUnavailable", "Timeout"),
        *("TooManyRequests", "Unauthorized", "UnsupportedMediaType"),
    }
)


def about_secrets(path: str) -> bool:
    """Is the request of that path about Secrets?"""
    return _SECRETS.search(path) is not None


def repeatable(status: int, answer: Mapping[str, Any], sent: object) -> str:
    """An answer that refused a request about Secrets, in words that hold nothing of any; `sent` is the object that was
    sent, if one was."""
    message = str(answer.get("message") or "")
    if _KNOWN.fullmatch(message):
        return message
    reason = answer.get("reason")
    name = f" {reason}" if isinstance(reason, str) and reason in _REASONS else ""
    fields = ", ".join(dict.fromkeys(_fields(message, answer, sent)))
    return f"the server refuses it (HTTP {status}{name}{': ' if fields else ''}{fields}); {_HIDDEN}"


def _fields(message: str, answer: Mapping[str, Any], sent: object) -> Iterator[str]:
    """The fields that the answer speaks of, among those that were sent: their names are in git."""
    details = answer.get("details")
    causes = details.get("causes") if isinstance(details, Mapping) else None
    named = {str(cause.get("field")) for cause in causes or () if isinstance(cause, Mapping)}
    for field, forms in _names(sent):
        if any(form in named or f".{form}:" in message for form in forms):
            yield field


def _names(sent: object) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each field of the object, and how a server may write it."""
    manifest = sent if isinstance(sent, Mapping) else {}
    for section in _SECTIONS:
        entries = manifest.get(section)
        for key in entries if isinstance(entries, Mapping) else ():
            yield f"{section}.{key}", (f"{section}.{key}", f"{section}[{key}]")
    yield from ((field, (field,)) for field in _FIELDS)
