"""Requests to a forge: patient within a bound, never with the token where it does not belong, errors in words."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ... import __version__
from ...errors import Invalid, Permanent, ReconcilerError, Transient
from ...importing import one_at_a_time
from ...process import Redactor
from ...text import visible_line

_SECONDS = (10.0, 30.0)  # to connect, to answer
_ATTEMPTS = 6
# How long all waiting of one request together may take: a job that sleeps for an hour is worse than one that says why.
_PATIENCE = 180.0
# What GitHub asks for where a secondary limit names no time (docs: "wait for at least one minute").
_SECONDARY = 60.0
_PAGES = 100
_WORDS = 300  # of what a forge says in an error
# Asking again does no harm: nothing is made twice.
_REPEATABLE = ("GET", "PATCH", "PUT")
_BUSY = (500, 502, 503, 504)


class Api:
    """One host's API. `token` is empty where there is none, which the first request says; `tokens` are the variables it
    could have come from, `sleep` and `now` (seconds since 1970) are the clock's."""

    def __init__(
        self,
        url: str,
        token: str,
        headers: Mapping[str, str],
        *,
        name: str,
        tokens: Sequence[str],
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._headers = {"User-Agent": f"research-cluster-reconciler/{__version__}", **headers}
        self._tokens = tokens
        self._hide = Redactor([token])
        self._sleep, self._now = sleep, now
        self._session: Any = None
        self.name = name
        _safe(url)

    def get(self, path: str, needs: str, **parameters: str | int) -> Any:
        return self._asked("GET", f"{self._url}{path}", needs, parameters, None).json()

    def pages(self, path: str, needs: str, **parameters: str | int) -> Iterator[Any]:
        """Every item of a list, page by page. Raises Permanent when a page is no list, or leads to another host."""
        url, asked = f"{self._url}{path}", {**parameters, "per_page": 100}
        for _ in range(_PAGES):
            answer = self._asked("GET", url, needs, asked, None)
            listed = answer.json()
            if not isinstance(listed, list):
                raise Permanent(f"{self.name} does not answer {path} with a list")
            yield from listed
            following = answer.links.get("next", {}).get("url")
            if not following:
                return
            if urlsplit(following)[:2] != urlsplit(self._url)[:2]:
                raise Permanent(f"{self.name}'s next page is on another host: {_host(following)}")
            url, asked = following, {}

    def send(self, method: str, path: str, needs: str, body: Mapping[str, object]) -> Any:
        return self._asked(method, f"{self._url}{path}", needs, {}, body).json()

    def _asked(
        self, method: str, url: str, needs: str, parameters: Mapping[str, str | int], body: Mapping[str, object] | None
    ) -> Any:
        """Ask until there is an answer. `needs` says in words which permission this takes. Raises Permanent when it is
        refused, Transient when nobody answers or asks for more patience than there is."""
        if not self._token:
            hint = f"set {' or '.join(self._tokens)}; nothing else is read, and never an argument"
            raise Invalid(f"there is no token for {self.name}", hint=hint)
        waited = 0.0
        for attempt in range(_ATTEMPTS):
            answer, error = self._once(method, url, parameters, body)
            if answer is not None and answer.ok and not answer.is_redirect:
                return answer
            wait = self._wait(method, answer, attempt)
            if wait is None or attempt == _ATTEMPTS - 1:
                break
            if waited + wait > _PATIENCE:
                hint = "run it again later; a token of its own has limits of its own"
                raise Transient(f"{self.name} asks to wait for {wait:.0f} s (too many requests)", hint=hint)
            self._sleep(wait)
            waited += wait
        if answer is None:
            hint = "is the address right, and can this machine reach it (proxy, firewall)?"
            raise Transient(f"{self.name} at {_host(url)} does not answer: {error}", hint=hint)
        raise self._explained(answer, needs)

    def _once(
        self, method: str, url: str, parameters: Mapping[str, str | int], body: Mapping[str, object] | None
    ) -> tuple[Any, str]:
        """The answer, or in a word why there is none."""
        with one_at_a_time:
            import requests
        if self._session is None:
            self._session = requests.Session()
            self._session.headers.update(self._headers)
            self._session.auth = self._signed  # else a ~/.netrc would be read, and win
        try:
            # A redirect would take a changed method, or the token, to where nobody looked.
            return self._session.request(
                method, url, params=parameters, json=body, timeout=_SECONDS, allow_redirects=False
            ), ""
        except requests.RequestException as error:
            return None, type(error).__name__

    def _signed(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def _wait(self, method: str, answer: Any, attempt: int) -> float | None:
        """How many seconds to wait before asking again; None when that is of no use."""
        growing = min(2.0**attempt, 30.0)
        if answer is None:
            return growing if method in _REPEATABLE else None  # it may have arrived
        if answer.status_code in (403, 429) and (limited := self._limited(answer)) is not None:
            return max(limited, growing)
        if answer.status_code in _BUSY and (method in _REPEATABLE or answer.status_code == 503):
            return max(_number(answer.headers.get("Retry-After")) or 0.0, growing)
        return None

    def _limited(self, answer: Any) -> float | None:
        """For how long a limit on requests holds; None for an answer that is none of that. GitHub says so with 403 too,
        by x-ratelimit-remaining or in words; GitLab with 429 and Ratelimit-Reset."""
        headers, said = answer.headers, _said(answer).lower()
        if (named := _number(headers.get("Retry-After"))) is not None:
            return named
        if headers.get("x-ratelimit-remaining") == "0" or headers.get("ratelimit-remaining") == "0":
            reset = _number(headers.get("x-ratelimit-reset") or headers.get("ratelimit-reset"))
            return max(0.0, reset - self._now()) + 1 if reset else _SECONDARY
        if answer.status_code == 429:
            return 0.0  # no time is named: the growing wait will do
        return _SECONDARY if "secondary rate limit" in said or "abuse detection" in said else None

    def _explained(self, answer: Any, needs: str) -> ReconcilerError:
        """What the answer means for people, and what to do about it."""
        where, said, status = f"{self.name} ({answer.status_code})", self._hide(_said(answer)), answer.status_code
        if answer.is_redirect:
            where = f"{where} sends elsewhere, to {_host(answer.headers.get('Location', ''))}"
            return Permanent(where, hint="it was moved or renamed: name the new place")
        if status in (*_BUSY, 429) or (status == 403 and self._limited(answer) is not None):
            return Transient(f"{where} is busy: {said}", hint="run it again later")
        accepted = answer.headers.get("X-Accepted-GitHub-Permissions", "")[:_WORDS]
        needs = f"{needs}; it says it takes {accepted}" if accepted else needs
        message, hint = {
            401: (f"refused the token: {said}", f"{self._tokens[0]} has expired or is wrong"),
            403: (f"does not allow this: {said}", f"the token needs {needs}"),
            404: (
                f"did not find {urlsplit(answer.url).path}: {said}",
                f"there is no such thing, or the token may not see it: it needs {needs}",
            ),
            410: (f"says it is gone: {said}", "issues are switched off in the repository's settings"),
        }.get(status, (f"refused: {said}", "this may be a mistake of the reconciler: please report it"))
        return Permanent(f"{where} {message}", hint=hint)


def _said(answer: Any) -> str:
    """What the forge says is wrong, on one line."""
    try:
        found = answer.json()
        text = found.get("message") or found.get("error") or "" if isinstance(found, dict) else ""
    except ValueError:
        text = answer.reason
    return visible_line(" ".join(str(text).split()))[:_WORDS] or str(answer.reason)


def _number(text: str | None) -> float | None:
    """Seconds, where they are a number; a date (RFC 9110 allows one) is taken for none."""
    try:
        found = float(text or "")
    except ValueError:
        return None
    return found if 0 <= found < float("inf") else None


def _safe(url: str) -> None:
    """Raises Invalid for an address that the token would go to in clear text."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and _loopback(parts.hostname or ""):
        return
    hint = "GITHUB_API_URL and CI_API_V4_URL begin with https://; without, the token could be read on the way"
    raise Invalid(f"{url!r} is no address of a forge", hint=hint)


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2] or "nowhere"
