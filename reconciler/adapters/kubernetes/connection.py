"""One authenticated connection to an API server, whose every failure is an error a user can act on."""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from ...errors import Permanent, ReconcilerError, Transient
from ...importing import one_at_a_time
from ...ports import Gate, as_it_is
from . import busy
from .discreet import about_secrets, repeatable

_PAGE, _POOL = 500, 8
CONNECT_SECONDS = 5.0
_BUSY = (408, 410, 429)
_TOKEN = "BearerToken"  # noqa: S105 - what the client library calls it

# OpenSSL's X509_V_ERR_…: CERT_SIGNATURE_FAILURE (kubeadm calls every authority "kubernetes"),
# DEPTH_ZERO_SELF_SIGNED_CERT, SELF_SIGNED_CERT_IN_CHAIN, UNABLE_TO_GET_ISSUER_CERT_LOCALLY and
# UNABLE_TO_VERIFY_LEAF_SIGNATURE. A certificate that has ended or names another address is none of these: another
# kubeconfig would not help.
_ANOTHER_AUTHORITY = (7, 18, 19, 20, 21)

# Metadata alone of a collection; a server that does not know the shorter form answers with whole objects.
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
APPLY_PATCH = "application/apply-patch+yaml"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class NotFound(Permanent):
    """The server has no such object, or no such kind."""


class Conflict(Permanent):
    """The object exists already, or is not the one that was meant."""


class Owned(Conflict):
    """Fields that were to be applied belong to others."""


class Rejected(Permanent):
    """The server understood the object and will not have it, because of `fields`, where it names them."""

    fields: tuple[str, ...] = ()


class Unpatchable(Rejected):
    """The server does not know how to merge this kind of patch into this kind of object."""


class Forbidden(Permanent):
    """The server will not let us do this: a right that is missing, or a quota that is used up."""


class Silent(Transient):
    """Nobody answers: whatever is asked next, it will be so too."""


class Refused(Permanent):
    """Somebody answers who does not trust our credentials, or whom our credentials do not trust: another authority."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """A collection's objects without what is in them, and what time it was on the server; None where it did not say."""

    items: list[dict[str, Any]]
    at: datetime.datetime | None


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked of the server; `body` is an object, if one was sent."""

    method: str
    path: str
    body: object = field(default=None, repr=False)


class Connection:
    """Plain requests with the kubeconfig's credentials. Opened at first use; safe for several threads."""

    def __init__(self, kubeconfig: Path, context: str | None, timeout: float, gate: Gate = as_it_is) -> None:
        self._kubeconfig = kubeconfig
        self._gate = gate
        self._context = context
        self._timeout = timeout
        self._opening = threading.Lock()
        self._opened: tuple[Any, Any] | None = None

    def get(self, path: str, **query: str) -> Any:
        return self.request("GET", path, query=query)

    def items(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """Every object of a collection, page by page: a listing is whole, or an error."""
        for page, _ in self._pages(path, query, "application/json"):
            yield from page.get("items") or ()

    def metadata(self, path: str, **query: str) -> Metadata:
        """The same, of each object its metadata and nothing else."""
        items: list[dict[str, Any]] = []
        begun: datetime.datetime | None = None
        for page, at in self._pages(path, query, _METADATA):
            items += page.get("items") or ()
            begun = begun or at  # the first page's: nothing was listed before it
        return Metadata(items, begun)

    def few(self, path: str, **query: str) -> list[dict[str, Any]] | None:
        """The metadata of a collection that fits on one page; None for a larger one."""
        page, _ = self._exchange("GET", path, query={"limit": str(_PAGE), **query}, accept=_METADATA)
        return None if (page.get("metadata") or {}).get("continue") else list(page.get("items") or ())

    def _pages(
        self, path: str, query: Mapping[str, str], accept: str
    ) -> Iterator[tuple[Any, datetime.datetime | None]]:
        more = ""
        while True:
            asked = {"limit": str(_PAGE), **query, **({"continue": more} if more else {})}
            page, at = self._exchange("GET", path, query=asked, accept=accept)
            yield page, at
            more = (page.get("metadata") or {}).get("continue") or ""
            if not more:
                return

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> Any:
        """Return the decoded answer. Raises NotFound, Conflict, Owned, Rejected, Permanent or Transient."""
        return self._exchange(method, path, query=query, body=body, content_type=content_type)[0]

    def text(self, path: str, **query: str) -> str:
        """What is no object: a log."""
        answer = self._answer("GET", path, query, None, {"Accept": "*/*"})
        if answer.status >= 400:
            decoded = _decoded(answer.data, answer.status, path)
            raise failure(answer.status, decoded, Request("GET", path), str(self._kubeconfig))
        return str(answer.data.decode("utf-8", "replace"))

    def _exchange(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> tuple[Any, datetime.datetime | None]:
        """The decoded answer, and when the server says it gave it."""
        said = {"Accept": accept} | ({"Content-Type": content_type} if body is not None else {})
        answer = self._answer(method, path, query, None if body is None else json.dumps(body).encode(), said)
        decoded = _decoded(answer.data, answer.status, self._open()[0].host)
        if answer.status >= 400:
            raise failure(answer.status, decoded, Request(method, path, body), str(self._kubeconfig))
        return decoded, _moment(answer.headers.get("Date"))

    def _answer(
        self, method: str, path: str, query: Mapping[str, str] | None, body: bytes | None, said: Mapping[str, str]
    ) -> Any:
        configuration, pool = self._open()
        url = f"{configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"User-Agent": "reconciler", **said} | credentials(configuration)
        return busy.patiently(lambda: self._send(pool, method, url, headers, body))

    def rest(self) -> None:
        """Let go of connections that nobody uses now. The next request makes another."""
        with self._opening:
            if self._opened is not None:
                self._opened[1].clear()

    def _send(self, pool: Any, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Any:
        import urllib3

        limits = urllib3.Timeout(connect=min(CONNECT_SECONDS, self._timeout), read=self._timeout)
        try:
            return pool.request(method, url, headers=headers, body=body, timeout=limits, retries=False, redirect=False)
        except urllib3.exceptions.SSLError as error:
            raise (Refused if _another_authority(error) else Permanent)(
                f"{_host(url)} does not prove who it is: {_reason(error)}",
                hint=f"check certificate-authority-data and the client's certificate in {self._kubeconfig}",
            ) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Silent(
                f"Kubernetes at {_host(url)} does not answer: {_reason(error)}",
                hint=f"is the API server up, and reachable from here? ({self._kubeconfig})",
            ) from None
        except ValueError:  # its message has the header, and so the token
            raise Permanent(
                f"the credentials in {self._kubeconfig} can't be sent: they are no HTTP header",
                hint="a token is one line of letters, digits and -._~+/=",
            ) from None

    def _open(self) -> tuple[Any, Any]:
        with self._opening:
            if self._opened is None:
                self._opened = _load(self._kubeconfig, self._context, self._gate)
            return self._opened


def _load(kubeconfig: Path, context: str | None, gate: Gate) -> tuple[Any, Any]:
    configuration = open_kubeconfig(kubeconfig, context, gate)
    with one_at_a_time:
        import urllib3
        from kubernetes.client.rest import RESTClientObject

    configuration.connection_pool_maxsize = _POOL
    try:
        pool = RESTClientObject(configuration).pool_manager
    except (OSError, ValueError, TypeError) as error:
        raise _unusable(kubeconfig, error) from None
    if not configuration.verify_ssl:  # the kubeconfig's own choice; a warning per request would hide the progress
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return configuration, pool


def open_kubeconfig(kubeconfig: Path, context: str | None, gate: Gate = as_it_is) -> Any:
    """The client library reads the kubeconfig (exec plugins, OIDC, certificates); its models are never imported. Of one
    that another machine wrote it gets what the gate lets through, and never the file. Raises Refused for one that the
    gate refuses, else Permanent."""
    if not kubeconfig.is_file():
        raise Permanent(
            f"there is no kubeconfig {kubeconfig}",
            hint="it appears once the cluster is made; for one of your own, give its path in the settings",
        )
    with one_at_a_time:
        import urllib3
        import yaml
        from kubernetes.client.configuration import Configuration
        from kubernetes.config import ConfigException, kube_config  # noqa: F401 - _read imports it again, without the lock

    configuration = Configuration()
    try:
        _read(kubeconfig, context, gate, configuration)
    except urllib3.exceptions.HTTPError as error:
        raise Transient(
            f"the identity provider in {kubeconfig} does not answer: {_reason(error)}",
            hint="is it up, and reachable from here? A token is renewed there",
        ) from None
    except (ConfigException, yaml.YAMLError, OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise _unusable(kubeconfig, error) from None
    return configuration


def _read(kubeconfig: Path, context: str | None, gate: Gate, configuration: Any) -> None:
    import yaml
    from kubernetes.config.kube_config import load_kube_config, load_kube_config_from_dict

    text = kubeconfig.read_bytes()
    try:
        passed = gate(kubeconfig, text)
    except Permanent as error:
        raise Refused(error.message, hint=error.hint) from None
    if passed is None:
        load_kube_config(str(kubeconfig), context=context, client_configuration=configuration, persist_config=False)
        if (token_file := _token_file(kubeconfig, context)) is not None:
            _follow(configuration, token_file)
    else:
        load_kube_config_from_dict(yaml.safe_load(passed), context, configuration, persist_config=False)


def _token_file(kubeconfig: Path, context: str | None) -> Path | None:
    """The file that the token is read from, where the client library takes it from one."""
    import yaml

    said = yaml.safe_load(kubeconfig.read_text())
    named = context or said["current-context"]
    name = next(c["context"]["user"] for c in said["contexts"] if c["name"] == named)
    user = next((u.get("user") for u in said.get("users") or () if u["name"] == name), None) or {}
    other = "token" in user or "auth-provider" in user
    return kubeconfig.absolute().parent / user["tokenFile"] if "tokenFile" in user and not other else None


def _follow(configuration: Any, file: Path) -> None:
    """Read the token anew at each request: the library reads it once, and it is replaced before it ends. While it is
    being written or is away, the last one counts."""

    def read(configuration: Any) -> None:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if token := file.read_text().strip():
                configuration.api_key[_TOKEN] = f"Bearer {token}"

    configuration.api_key.setdefault(_TOKEN, "")  # asked for although there is none yet
    configuration.refresh_api_key_hook = read


def _unusable(kubeconfig: Path, error: Exception) -> Permanent:
    return Permanent(
        f"{kubeconfig} is not a usable kubeconfig: {_first_line(error)}",
        hint=f"try: kubectl --kubeconfig {kubeconfig} version",
    )


def failure(status: int, answer: Mapping[str, Any], request: Request, kubeconfig: str) -> ReconcilerError:
    """What an HTTP status means to the reconciler. `answer` is the server's Status object, where it sent one: what it
    says of a Secret is not repeated."""
    message = str(answer.get("message") or answer.get("reason") or f"{request.method} {request.path}: HTTP {status}")
    going, untyped = "being terminated" in message, "failed to create typed patch object" in message
    if about_secrets(request.path):
        message = repeatable(status, answer, request.body)
    if status == 401:
        message = f"Kubernetes refuses the credentials in {kubeconfig}"
        return Refused(message, hint="they are wrong or expired: get new ones")
    if status == 403 and going:
        return Transient(message, hint="the namespace is going away; it is made again once it is gone")
    if status == 403:
        return Forbidden(message, hint="give this account the right by RBAC, or look for a quota that is used up")
    if status in _BUSY or (status >= 500 and not untyped):
        return Transient(message, hint="the API server is busy or restarting; the next cycle tries again")
    owned = status == 409 and any(cause.get("reason") == "FieldManagerConflict" for cause in _causes(answer))
    if owned or status in _MEANINGS:
        return Owned(message) if owned else _MEANINGS[status](message)
    rejected = Unpatchable(message) if status == 415 else Rejected(message)
    rejected.fields = _fields(answer)
    return rejected


_MEANINGS: Mapping[int, type[Permanent]] = {404: NotFound, 409: Conflict}
_FIELDS, _LONGEST = 50, 1000  # how many fields of how many characters are read of one answer


def _causes(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    details = answer.get("details")
    causes = details.get("causes") if isinstance(details, Mapping) else None
    return [cause for cause in causes if isinstance(cause, Mapping)] if isinstance(causes, list) else []


def _fields(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields that the server names as wrong, each once."""
    named = dict.fromkeys(str(cause["field"])[:_LONGEST] for cause in _causes(answer)[:_FIELDS] if cause.get("field"))
    return tuple(named)


def _moment(text: str | None) -> datetime.datetime | None:
    """A time as HTTP writes it (RFC 9110); None for anything else."""
    try:
        at = email.utils.parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=datetime.UTC)


def credentials(configuration: Any) -> dict[str, str]:
    """The headers that say who we are."""
    # Asked for at every request: the library renews tokens that expire.
    settings = configuration.auth_settings().values()
    return {s["key"]: s["value"].strip() for s in settings if s["in"] == "header" and s["value"]}


def _decoded(data: bytes, status: int, host: str) -> Any:
    try:
        decoded = json.loads(data) if data else {}
    except ValueError:
        decoded = None
    except RecursionError:
        raise Permanent(
            f"{host} answers with an object that nests too deeply to be read",
            hint="somebody wrote it so: kubectl get it, and look at its fields and at metadata.managedFields",
        ) from None
    if isinstance(decoded, dict):
        return decoded
    if status >= 400:
        return {"message": data[:200].decode("utf-8", "replace").strip()}
    raise Permanent(f"{host} does not answer like a Kubernetes API", hint="check `server` in the kubeconfig")


def _host(url: str) -> str:
    return "/".join(url.split("/")[:3])


def _another_authority(error: Exception) -> bool:
    return any(getattr(cause, "verify_code", 0) in _ANOTHER_AUTHORITY for cause in error.args)


def _reason(error: Exception) -> str:
    """The operating system's or TLS's own words, without the classes they came through."""
    said = _first_line(error).rpartition(": ")[2]
    return re.sub(r"^\[Errno -?\d+\] ", "", said)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
