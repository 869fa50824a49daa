"""A kubeconfig that another machine wrote, rebuilt from its inline parts: used as it is, it could run a program here.

`kubeadm` writes one cluster, one user and one context, all of it inline, and so that is all that is taken. Everything
else a kubeconfig can have would let the machine that wrote it run a program here, name a file of this machine, or
weaken how its API proves who it is (the fields are those of k8s.io/client-go/tools/clientcmd/api/v1).
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from ..errors import Permanent, Problem
from .yaml import Document, Path, Unreadable, parse, quoted

MAX_BYTES = 64 << 10  # kubeadm's has about 6 KiB
_LONGEST_NAME = 253
_LONGEST_TOKEN = 8 << 10
_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9@:._/]*")
_HOST = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*")
_TOKEN = re.compile(r"[-A-Za-z0-9._~+/]+=*")  # RFC 6750, section 2.1
_BLOCK = re.compile(r"-----BEGIN ([A-Z ]{1,30})-----\r?\n[A-Za-z0-9+/=\r\n]+-----END \1-----\s*")
_CERTIFICATE = "CERTIFICATE"
# Not an encrypted one: OpenSSL would ask whoever sits at the terminal for the passphrase.
_KEYS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")
_BEFORE_A_KEY = "EC PARAMETERS"  # `openssl ecparam -genkey` names the curve before the key

_RUNS = "would run a program on this machine"
_FILE = "names a file of this machine; only what is inline is taken"
_ANOTHER = "would have us act as somebody else"
_REFUSED: Mapping[str, str] = {
    "exec": _RUNS,
    "auth-provider": _RUNS,
    "tokenFile": _FILE,
    "certificate-authority": _FILE,
    "client-certificate": _FILE,
    "client-key": _FILE,
    "insecure-skip-tls-verify": "would let anybody answer in the cluster's name",
    "proxy-url": "would send everything through another host",
    "tls-server-name": "would let another server answer in the cluster's name",
    "as": _ANOTHER,
    "as-uid": _ANOTHER,
    "as-groups": _ANOTHER,
    "as-user-extra": _ANOTHER,
    "username": "is a login that Kubernetes has no more",
    "password": "is a login that Kubernetes has no more",
}
_TOP = ("apiVersion", "kind", "clusters", "users", "contexts", "current-context")
# What may stand there and means nothing to us; none of it is copied.
_LEFT_OUT = ("preferences", "extensions", "namespace", "disable-compression")


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """PEM, both."""

    certificate: str
    key: str


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token, as it goes into a header."""

    value: str


Login: TypeAlias = ClientCertificate | Token


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """All that is taken of one: where the API is (an https URL without a path), the certificates of its authority
    (PEM), how to log in, and what its context is called."""

    server: str
    authority: str
    login: Login
    context: str


def rebuilt(file: str, text: bytes, server: str = "") -> str:
    """A new kubeconfig with what `text` has inline, and nothing else. `server` is where we know the API to be, and
    counts instead of what the text says. Raises Permanent with the reason when something else stands there."""
    return written(read(file, text), server)


def read(file: str, text: bytes) -> Kubeconfig:
    """Read a kubeconfig of another machine; `file` is what to call it. Raises Permanent, at file:line, for everything
    that is not taken."""
    if len(text) > MAX_BYTES:
        raise _refusal(Problem(file, 1, 1, "", f"has more than {MAX_BYTES >> 10} KiB"))
    try:
        documents = parse(file, text)
    except Unreadable as error:
        raise _refusal(error.problem) from None
    if len(documents) != 1:
        raise _refusal(Problem(file, 1, 1, "", f"holds {len(documents)} documents; a kubeconfig is one"))
    try:
        return _taken(documents[0])
    except _Wrong as wrong:
        raise _refusal(documents[0].problem(wrong.path, wrong.message)) from None


def written(kubeconfig: Kubeconfig, server: str = "") -> str:
    """The text of a kubeconfig that has nothing but this. `server` replaces where the API is."""
    login = kubeconfig.login
    user = (
        {"token": login.value}
        if isinstance(login, Token)
        else {"client-certificate-data": _encoded(login.certificate), "client-key-data": _encoded(login.key)}
    )
    cluster = {"certificate-authority-data": _encoded(kubeconfig.authority), "server": server or kubeconfig.server}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": "administrator", "user": user}],
        "contexts": [{"name": kubeconfig.context, "context": {"cluster": "cluster", "user": "administrator"}}],
        "current-context": kubeconfig.context,
    }
    return json.dumps(content, indent=2) + "\n"  # JSON is YAML, and kubectl edits it as such


class _Wrong(Exception):
    """Something that is not taken, at its place in the text."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


def _refusal(problem: Problem) -> Permanent:
    return Permanent(
        f"a kubeconfig that another machine wrote is refused: {problem}",
        hint="kubeadm writes nothing of the kind: find out who changed it; one of your own belongs into the settings",
    )


def _taken(document: Document) -> Kubeconfig:
    top = _mapping(document.value, (), _TOP)
    if top.get("kind") != "Config" or top.get("apiVersion") != "v1":
        raise _Wrong((), "is no kubeconfig: `apiVersion: v1` and `kind: Config` are missing")
    name, context = _only(top, "contexts", "context", ("cluster", "user"))
    cluster_name, cluster = _only(top, "clusters", "cluster", ("server", "certificate-authority-data"))
    user_name, user = _only(top, "users", "user", ("client-certificate-data", "client-key-data", "token"))
    for path, value, expected in (
        (("current-context",), top.get("current-context"), name),
        (("contexts", 0, "context", "cluster"), context.get("cluster"), cluster_name),
        (("contexts", 0, "context", "user"), context.get("user"), user_name),
    ):
        if value != expected:
            raise _Wrong(path, "does not name the one that is there")
    return Kubeconfig(_server(cluster), _authority(cluster), _login(user), name)


def _only(top: Mapping[str, Any], plural: str, singular: str, known: Collection[str]) -> tuple[str, Mapping[str, Any]]:
    """The name and the content of the one entry of a list."""
    entries = top.get(plural)
    if not isinstance(entries, tuple) or len(entries) != 1:
        raise _Wrong((plural,), "must have exactly one entry")
    entry = _mapping(entries[0], (plural, 0), ("name", singular))
    return _text(entry, (plural, 0), "name", _NAME, _LONGEST_NAME), _mapping(
        entry.get(singular), (plural, 0, singular), known
    )


def _mapping(value: object, path: Path, known: Collection[str]) -> Mapping[str, Any]:
    """The mapping without what means nothing to us. Raises _Wrong for a key that is not `known`."""
    if not isinstance(value, dict):
        raise _Wrong(path, "must be a mapping")
    for key in value:
        if key not in known and key not in _LEFT_OUT:
            raise _Wrong((*path, key), _REFUSED.get(key, f"is not taken: unknown key {quoted(key)}"))
    return {key: item for key, item in value.items() if key in known}


def _text(mapping: Mapping[str, Any], path: Path, key: str, form: re.Pattern[str], longest: int) -> str:
    value = mapping.get(key)
    if not isinstance(value, str) or len(value) > longest or not form.fullmatch(value):
        raise _Wrong((*path, key), "is missing, too long, or does not have the right form")
    return value


def _server(cluster: Mapping[str, Any]) -> str:
    path: Path = ("clusters", 0, "cluster", "server")
    value = cluster.get("server")
    wrong = _Wrong(path, "must be an https address: a host and a port, and nothing else")
    if not isinstance(value, str) or len(value) > _LONGEST_NAME:
        raise wrong
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port or 443
    except ValueError:
        raise wrong from None
    shown = f"[{host}]" if ":" in host else host
    if not _is_host(host) or value.removesuffix("/").lower() not in (f"https://{shown}", f"https://{shown}:{port}"):
        raise wrong
    return f"https://{shown}:{port}"


def _is_host(host: str) -> bool:
    if _HOST.fullmatch(host):
        return True
    try:
        return "%" not in host and bool(ipaddress.ip_address(host))
    except ValueError:
        return False


def _authority(cluster: Mapping[str, Any]) -> str:
    path: Path = ("clusters", 0, "cluster", "certificate-authority-data")
    blocks = _blocks(cluster.get("certificate-authority-data"), path)
    return _joined(blocks, path, (_CERTIFICATE,))


def _login(user: Mapping[str, Any]) -> Login:
    path: Path = ("users", 0, "user")
    if "token" in user:
        if len(user) > 1:
            raise _Wrong(path, "logs in twice: by a token and by a certificate")
        return Token(_text(user, path, "token", _TOKEN, _LONGEST_TOKEN))
    at = (*path, "client-certificate-data"), (*path, "client-key-data")
    certificate = _joined(_blocks(user.get("client-certificate-data"), at[0]), at[0], (_CERTIFICATE,))
    blocks = [block for block in _blocks(user.get("client-key-data"), at[1]) if block[0] != _BEFORE_A_KEY]
    if len(blocks) != 1:
        raise _Wrong(at[1], "must hold one private key")
    return ClientCertificate(certificate, _joined(blocks, at[1], _KEYS))


def _blocks(value: object, path: Path) -> list[tuple[str, str]]:
    """The label and the text of each PEM block; there is nothing between them."""
    if not isinstance(value, str):
        raise _Wrong(path, "is missing: it must be inline")
    try:
        text = base64.b64decode("".join(value.split()), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise _Wrong(path, "is not base64 of PEM") from None
    return list(_each_block(text.strip(), path))


def _each_block(text: str, path: Path) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text) or not at:
        block = _BLOCK.match(text, at)
        if block is None:
            raise _Wrong(path, "is not PEM, or holds something beside it")
        yield block[1], block[0].strip()
        at = block.end()


def _joined(blocks: Collection[tuple[str, str]], path: Path, labels: Collection[str]) -> str:
    for label, _ in blocks:
        if label not in labels:
            raise _Wrong(path, f"holds {quoted(label)}, which is not taken")
    return "".join(f"{text}\n" for _, text in blocks)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode("ascii")).decode("ascii")
