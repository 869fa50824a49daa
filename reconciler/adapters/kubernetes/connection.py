"""One authenticated connection to an API server, whose every failure is an error a user can act on."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from ...errors import Permanent, ReconcilerError, Transient
from ...importing import one_at_a_time

_PAGE = 500
CONNECT_SECONDS = 5.0
_POOL = 8
_BUSY = (408, 410, 429)

# OpenSSL's X509_V_ERR_…: CERT_SIGNATURE_FAILURE (kubeadm calls every authority "kubernetes"),
# DEPTH_ZERO_SELF_SIGNED_CERT, SELF_SIGNED_CERT_IN_CHAIN, UNABLE_TO_GET_ISSUER_CERT_LOCALLY and
# UNABLE_TO_VERIFY_LEAF_SIGNATURE. A certificate that has ended or names another address is none of these: another
# kubeconfig would not help.
_ANOTHER_AUTHORITY = (7, 18, 19, 20, 21)

APPLY_PATCH = "application/apply-patch+yaml"
MERGE_PATCH = "application/merge-patch+json"


class NotFound(Permanent):
    """The server has no such object, or no such kind."""


class Conflict(Permanent):
    """The object exists already, or is not the one that was meant."""


class Rejected(Permanent):
    """The server understood the object and will not have it."""


class Forbidden(Permanent):
    """The server will not let us do this: a right that is missing, or a quota that is used up."""


class Silent(Transient):
    """Nobody answers: whatever is asked next, it will be so too."""


class Refused(Permanent):
    """Somebody answers who does not trust our credentials, or whom our credentials do not trust: another authority."""


class Connection:
    """Plain requests with the kubeconfig's credentials. Opened at first use; safe for several threads."""

    def __init__(self, kubeconfig: Path, context: str | None, timeout: float) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._timeout = timeout
        self._opening = threading.Lock()
        self._opened: tuple[Any, Any] | None = None

    def get(self, path: str, **query: str) -> Any:
        return self.request("GET", path, query=query)

    def items(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """Every object of a collection, page by page: a listing is whole, or an error."""
        more = ""
        while True:
            page = self.get(path, limit=str(_PAGE), **query, **({"continue": more} if more else {}))
            yield from page.get("items") or ()
            more = page.get("metadata", {}).get("continue") or ""
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
        """Return the decoded answer. Raises NotFound, Conflict, Rejected, Permanent or Transient."""
        configuration, pool = self._open()
        url = f"{configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json", "User-Agent": "reconciler"} | credentials(configuration)
        if body is not None:
            headers["Content-Type"] = content_type
        status, data = self._send(pool, method, url, headers, None if body is None else json.dumps(body).encode())
        answer = _decoded(data, status, configuration.host)
        if status >= 400:
            raise failure(status, answer, f"{method} {path}", str(self._kubeconfig))
        return answer

    def _send(self, pool: Any, method: str, url: str, headers: dict[str, str], body: bytes | None) -> tuple[int, bytes]:
        import urllib3

        limits = urllib3.Timeout(connect=min(CONNECT_SECONDS, self._timeout), read=self._timeout)
        try:
            response = pool.request(
                method, url, headers=headers, body=body, timeout=limits, retries=False, redirect=False
            )
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
        return response.status, response.data

    def _open(self) -> tuple[Any, Any]:
        with self._opening:
            if self._opened is None:
                self._opened = _load(self._kubeconfig, self._context)
            return self._opened


def _load(kubeconfig: Path, context: str | None) -> tuple[Any, Any]:
    configuration = open_kubeconfig(kubeconfig, context)
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


def open_kubeconfig(kubeconfig: Path, context: str | None) -> Any:
    """The client library reads the kubeconfig (exec plugins, OIDC, certificates); its models are never imported. Raises
    Permanent."""
    if not kubeconfig.is_file():
        raise Permanent(
            f"there is no kubeconfig {kubeconfig}",
            hint="it appears once the cluster is made; for one of your own, give its path in the settings",
        )
    with one_at_a_time:
        import yaml
        from kubernetes.client.configuration import Configuration
        from kubernetes.config import ConfigException
        from kubernetes.config.kube_config import load_kube_config

    configuration = Configuration()
    try:
        load_kube_config(str(kubeconfig), context=context, client_configuration=configuration, persist_config=False)
    except (ConfigException, yaml.YAMLError, OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise _unusable(kubeconfig, error) from None
    return configuration


def _unusable(kubeconfig: Path, error: Exception) -> Permanent:
    return Permanent(
        f"{kubeconfig} is not a usable kubeconfig: {_first_line(error)}",
        hint=f"try: kubectl --kubeconfig {kubeconfig} version",
    )


def failure(status: int, answer: Mapping[str, Any], request: str, kubeconfig: str) -> ReconcilerError:
    """What an HTTP status means to the reconciler. `answer` is the server's Status object, where it sent one."""
    message = str(answer.get("message") or answer.get("reason") or f"{request}: HTTP {status}")
    if status == 401:
        message = f"Kubernetes refuses the credentials in {kubeconfig}"
        return Refused(message, hint="they are wrong or expired: get new ones")
    if status == 403 and "being terminated" in message:
        return Transient(message, hint="the namespace is going away; it is made again once it is gone")
    if status == 403:
        return Forbidden(message, hint="give this account the right by RBAC, or look for a quota that is used up")
    if status in _BUSY or (status >= 500 and "failed to create typed patch object" not in message):
        return Transient(message, hint="the API server is busy or restarting; the next cycle tries again")
    return {404: NotFound, 409: Conflict}.get(status, Rejected)(message)


def credentials(configuration: Any) -> dict[str, str]:
    """The headers that say who we are."""
    # Asked for at every request: the library renews tokens that expire.
    settings = configuration.auth_settings().values()
    return {s["key"]: s["value"] for s in settings if s["in"] == "header" and s["value"]}


def _decoded(data: bytes, status: int, host: str) -> Any:
    try:
        decoded = json.loads(data) if data else {}
    except ValueError:
        decoded = None
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
