"""What a forge tells when somebody pushed: is it really the forge, and which branch. Pure.

The same work is done for every request, whatever its signature looks like: how long an answer takes says nothing about
the secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from .secret import same

_GITHUB = "x-hub-signature-256"
_GITLAB_TOKEN = "x-gitlab-token"  # noqa: S105 - a header's name
_STANDARD = ("webhook-id", "webhook-timestamp", "webhook-signature")
_STANDARD_KEY = "whsec_"
# What forges call a repository in a push: by its path, and by addresses.
_PATHS = ("full_name", "path_with_namespace")
_ADDRESSES = ("clone_url", "ssh_url", "git_url", "git_http_url", "git_ssh_url", "http_url", "html_url", "web_url")
_SCHEMES = ("http", "https", "ssh", "git", "git+ssh", "ssh+git")
_LONGEST_NAME = 2048


class Kind(Enum):
    PUSH = "push"
    PING = "ping"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery somebody signed who knows the secret. `ref` is the full name of what was pushed, `commit` what it is
    now, where the payload says so; `names` is what it calls the repository (see `name_of`)."""

    kind: Kind
    ref: str = ""
    commit: str = ""
    names: frozenset[str] = frozenset()


class Malformed(ValueError):
    """Signed, and yet no payload of a forge we know."""


def genuine(headers: Mapping[str, str], body: bytes, secret: bytes) -> bool:
    """Does whoever sent this know the secret? GitHub, Gitea and Forgejo sign the body; GitLab signs it as Standard
    Webhooks say when it has a signing token (whsec_…), and sends the secret itself when it has a secret token. Header
    names are in lower case.

    All three are computed over all of the body and compared in constant time, whichever the sender used.
    """
    hub = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    told = [headers.get(name, "") for name in _STANDARD]
    signed = f"{told[0]}.{told[1]}.".encode("utf-8", "surrogateescape") + body
    standard = base64.b64encode(hmac.new(_standard_key(secret), signed, hashlib.sha256).digest()).decode()
    hits = [
        same(headers.get(_GITHUB, ""), hub),
        same(headers.get(_GITLAB_TOKEN, ""), secret.decode("utf-8", "surrogateescape")),
        # several signatures may stand there, while a secret is changed
        any([same(part.partition(",")[2], standard) for part in (told[2].split(" ") + [""] * 4)[:4]]),  # noqa: C419
    ]
    return bool(secret) and any(hits)


def _standard_key(secret: bytes) -> bytes:
    text = secret.decode("utf-8", "surrogateescape")
    try:
        return (
            base64.b64decode(text.removeprefix(_STANDARD_KEY), validate=True)
            if text.startswith(_STANDARD_KEY)
            else secret
        )
    except (binascii.Error, ValueError):
        return secret


def delivery(headers: Mapping[str, str], body: bytes) -> Delivery:
    """What a genuine request says. Raises Malformed."""
    event = headers.get("x-github-event") or headers.get("x-gitlab-event") or ""
    if event == "ping":
        return Delivery(Kind.PING)
    document = _document(body)
    if event not in ("push", "Push Hook", "Tag Push Hook") and not (
        event == "System Hook" and document.get("object_kind", document.get("event_name")) == "push"
    ):
        return Delivery(Kind.OTHER)
    ref, commit = document.get("ref"), document.get("after", "")
    if not isinstance(ref, str) or not ref.startswith("refs/") or not isinstance(commit, str):
        raise Malformed("a push without the ref that was pushed")
    return Delivery(Kind.PUSH, ref, commit, frozenset(_names(document)))


def name_of(url: str) -> str:
    """What a forge calls the repository at that address: its path, such as "lab/clusters", whichever way leads there;
    "" for an address that is no forge's, such as a folder of this machine."""
    user_and_host, colon, path = url.partition(":")
    try:
        if "://" in url:
            parts = urlsplit(url)
            path = parts.path if parts.scheme in _SCHEMES else ""
        elif not colon or "/" in user_and_host:  # else as scp has it: git@forge:lab/clusters.git
            return ""
    except ValueError:
        return ""
    return path.strip("/").removesuffix(".git").lower()


def concerns(names: Collection[str], ours: str) -> bool:
    """Whether a push to a repository that is called so is one to ours, as far as both are known. One address may have
    more before the name than another: a forge that lies below a path of its host."""
    return not names or not ours or any(_same_end(name, ours) for name in names)


def _same_end(one: str, other: str) -> bool:
    return one == other or ("/" in one and "/" in other and (one.endswith(f"/{other}") or other.endswith(f"/{one}")))


def _names(document: Mapping[str, Any]) -> Iterator[str]:
    for part in (document.get("repository"), document.get("project")):
        for key, value in part.items() if isinstance(part, dict) else ():
            if isinstance(value, str) and len(value) <= _LONGEST_NAME:
                name = value.lower() if key in _PATHS else name_of(value) if key in _ADDRESSES else ""
                if name:
                    yield name


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed("the body is not JSON") from None
    if not isinstance(document, dict):
        raise Malformed("the body is not a JSON object")
    return document
