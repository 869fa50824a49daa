"""When the certificates of a kubeconfig and of its API server end. Only dates are read: nothing is trusted by it."""

from __future__ import annotations

import base64
import datetime
import socket
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from ...errors import Permanent
from ...model.naming import API_SERVER, CERTIFICATE, ENDS, KUBECONFIG
from ...model.resource import Resource
from ...ports import Gate, as_it_is

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PORT = 443  # of an https address that names none


def shown(kubeconfig: Path, context: str | None, timeout: float, gate: Gate = as_it_is) -> tuple[Resource, ...]:
    """The certificates of `kubeconfig` and of its API server, as far as there are any and they can be read; what can't
    is left out. One TLS handshake, of at most `timeout` seconds."""
    try:
        text = kubeconfig.read_bytes()
        cluster, user = _used(yaml.load(gate(kubeconfig, text) or text, Loader=_LOADER), context)  # noqa: S506 - safe
    except (Permanent, OSError, yaml.YAMLError, AttributeError, KeyError, TypeError, StopIteration):
        return ()  # whoever connects with it says what is wrong
    ends = {KUBECONFIG: _client(user, kubeconfig.parent), API_SERVER: _server(cluster, timeout)}
    return tuple(Resource(CERTIFICATE, name, {ENDS: end.isoformat()}) for name, end in sorted(ends.items()) if end)


def _used(said: Mapping[str, Any], context: str | None) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The cluster and the user of the context that counts."""
    chosen = _named(said["contexts"], context or said["current-context"])["context"]
    cluster, user = _named(said["clusters"], chosen["cluster"]), _named(said["users"], chosen["user"])
    return cluster["cluster"], user["user"] or {}


def _named(entries: Iterable[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def _client(user: Mapping[str, Any], folder: Path) -> datetime.datetime | None:
    """The end of the user's certificate. A program that hands out short-lived ones (exec) renews them itself."""
    try:
        if data := user.get("client-certificate-data"):
            pem = base64.b64decode(data)
        elif name := user.get("client-certificate"):
            pem = (folder / name).read_bytes()
        else:
            return None
        return _end(ssl.PEM_cert_to_DER_cert(_first(pem.decode("ascii"))))
    except (OSError, ValueError, TypeError):
        return None


def _server(cluster: Mapping[str, Any], timeout: float) -> datetime.datetime | None:
    """The end of the certificate that the server shows. It is not verified, so that one that has ended is seen too."""
    try:
        url = urlsplit(str(cluster.get("server") or ""))
        if url.scheme != "https" or not url.hostname or cluster.get("proxy-url"):
            return None
        settings = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        settings.check_hostname = False
        settings.verify_mode = ssl.CERT_NONE
        with (
            socket.create_connection((url.hostname, url.port or _PORT), timeout) as plain,
            settings.wrap_socket(plain, server_hostname=cluster.get("tls-server-name") or url.hostname) as secured,
        ):
            der = secured.getpeercert(binary_form=True)
        return _end(der) if der else None
    except (OSError, ValueError, TypeError):
        return None


def _first(pem: str) -> str:
    """Of a chain the leaf, which comes first."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    inside = pem.partition(begin)[2].partition(end)[0]
    return f"{begin}{inside}{end}\n"


def _end(der: bytes) -> datetime.datetime:
    from cryptography import x509

    return x509.load_der_x509_certificate(der).not_valid_after_utc
