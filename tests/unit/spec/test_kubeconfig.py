"""A kubeconfig of another machine: only its inline parts are taken, all else is refused with the reason."""

from __future__ import annotations

import base64
import copy
import datetime
import random
import time
from typing import Any

import pytest
import yaml

from reconciler.errors import Permanent
from reconciler.spec import kubeconfig
from tests.unit.adapters.kubernetes.authority import DAY, Authority

AUTHORITY = Authority()
PAIR = AUTHORITY.pair("kubernetes-admin", datetime.datetime.now(datetime.UTC) + DAY)
CONTEXT = "kubernetes-admin-cluster.local@cluster.local"


def encoded(text: bytes) -> str:
    return base64.b64encode(text).decode()


def kubeadms() -> dict[str, Any]:
    """What kubeadm writes, and Kubespray makes of it."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "cluster.local",
                "cluster": {
                    "certificate-authority-data": encoded(AUTHORITY.certificate),
                    "server": "https://10.0.0.1:6443",
                },
            }
        ],
        "contexts": [{"name": CONTEXT, "context": {"cluster": "cluster.local", "user": "kubernetes-admin"}}],
        "current-context": CONTEXT,
        "preferences": {},
        "users": [
            {
                "name": "kubernetes-admin",
                "user": {
                    "client-certificate-data": encoded(PAIR.certificate),
                    "client-key-data": encoded(PAIR.key),
                },
            }
        ],
    }


def text(content: object) -> bytes:
    return yaml.safe_dump(content, sort_keys=False).encode()


def at(content: dict[str, Any], *path: str | int) -> Any:
    found: Any = content
    for part in path:
        found = found[part]
    return found


USER, CLUSTER = ("users", 0, "user"), ("clusters", 0, "cluster")


def changed(path: tuple[str | int, ...], **values: object) -> bytes:
    content = kubeadms()
    at(content, *path).update({key.replace("_", "-"): value for key, value in values.items()})
    return text(content)


def test_it_is_rebuilt_from_its_inline_parts_and_nothing_else() -> None:
    rebuilt = kubeconfig.rebuilt("admin.conf", text(kubeadms()), "https://198.51.100.7:6443")
    said = yaml.safe_load(rebuilt)
    assert at(said, *CLUSTER) == {**at(kubeadms(), *CLUSTER), "server": "https://198.51.100.7:6443"}
    assert at(said, *USER) == at(kubeadms(), *USER)
    assert said["current-context"] == said["contexts"][0]["name"] == CONTEXT
    assert set(said) == {"apiVersion", "kind", "clusters", "contexts", "current-context", "users"}


def test_what_was_rebuilt_is_rebuilt_to_itself() -> None:
    once = kubeconfig.rebuilt("admin.conf", text(kubeadms()))
    assert kubeconfig.rebuilt("admin.conf", once.encode()) == once
    assert at(yaml.safe_load(once), *CLUSTER)["server"] == "https://10.0.0.1:6443"


def test_a_token_is_a_login_too() -> None:
    content = kubeadms()
    content["users"][0]["user"] = {"token": "abc.DEF-1_2~3+/=="}
    assert kubeconfig.read("admin.conf", text(content)).login == kubeconfig.Token("abc.DEF-1_2~3+/==")


def test_what_means_nothing_to_us_is_left_out() -> None:
    content = kubeadms()
    content["preferences"] = {"colors": True}
    content["extensions"] = [{"name": "x", "extension": {"y": "CANARY"}}]
    content["contexts"][0]["context"]["namespace"] = "CANARY"
    assert "CANARY" not in kubeconfig.rebuilt("admin.conf", text(content))
    assert kubeconfig.rebuilt("admin.conf", text(content)) == kubeconfig.rebuilt("admin.conf", text(kubeadms()))


EXEC = {"apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/sh", "interactiveMode": "Never"}


@pytest.mark.parametrize(
    ("path", "key", "value", "reason"),
    [
        (USER, "exec", EXEC, "would run a program on this machine"),
        (USER, "exec", None, "would run a program on this machine"),
        (USER, "auth-provider", {"name": "gcp", "config": {"cmd-path": "sh"}}, "would run a program on this machine"),
        (USER, "tokenFile", "/etc/passwd", "names a file of this machine"),
        (USER, "client-certificate", "/etc/passwd", "names a file of this machine"),
        (USER, "client-key", "~/.ssh/id_ed25519", "names a file of this machine"),
        (USER, "username", "admin", "a login that Kubernetes has no more"),
        (USER, "as", "system:admin", "act as somebody else"),
        (USER, "token", "abc", "logs in twice"),
        (CLUSTER, "certificate-authority", "/etc/ssl/ca.pem", "names a file of this machine"),
        (CLUSTER, "insecure-skip-tls-verify", True, "let anybody answer in the cluster's name"),
        (CLUSTER, "proxy-url", "http://192.0.2.1:3128", "through another host"),
        (CLUSTER, "tls-server-name", "evil.example", "another server"),
        (CLUSTER, "something-new", 1, "unknown key 'something-new'"),
        ((), "users-2", [], "unknown key"),
    ],
)
def test_what_could_do_harm_is_refused_where_it_stands(
    path: tuple[str | int, ...], key: str, value: object, reason: str
) -> None:
    content = kubeadms()
    at(content, *path)[key] = value
    lines = text(content).decode().splitlines()
    line = next(number for number, words in enumerate(lines, 1) if words.strip().startswith(f"{key}:"))
    with pytest.raises(Permanent, match=reason) as caught:
        kubeconfig.read("admin.conf", text(content))
    if key != "token":
        assert f"admin.conf:{line}:" in caught.value.message
    assert "kubeadm" in (caught.value.hint or "")


@pytest.mark.parametrize("plural", ["users", "clusters", "contexts"])
def test_it_has_one_of_each(plural: str) -> None:
    content = kubeadms()
    content[plural].append({**copy.deepcopy(content[plural][0]), "name": "another"})
    with pytest.raises(Permanent, match=f"{plural}: must have exactly one entry"):
        kubeconfig.read("admin.conf", text(content))
    content[plural] = []
    with pytest.raises(Permanent, match=f"{plural}: must have exactly one entry"):
        kubeconfig.read("admin.conf", text(content))


@pytest.mark.parametrize(
    "server",
    [
        "http://10.0.0.1:6443",
        "https://user:secret@10.0.0.1:6443",
        "https://10.0.0.1:6443/proxy",
        "https://10.0.0.1:6443?x=1",
        "https://10.0.0.1:6443#x",
        "https://10.0.0.1:99999",
        "https://",
        "https://a b",
        "https://-oProxyCommand=x",
        "https://fe80::1%25eth0",
        "https://[fe80::1%{{ x }}]:6443",
        "file:///etc/passwd",
        "https://" + "a" * 300,
        None,
        6443,
    ],
)
def test_the_server_is_an_https_address_and_nothing_else(server: object) -> None:
    with pytest.raises(Permanent, match="must be an https address"):
        kubeconfig.read("admin.conf", changed(CLUSTER, server=server))


@pytest.mark.parametrize(
    ("server", "normal"),
    [
        ("https://10.0.0.1", "https://10.0.0.1:443"),
        ("https://api.example.org:6443/", "https://api.example.org:6443"),
        ("https://[2001:db8::1]:6443", "https://[2001:db8::1]:6443"),
    ],
)
def test_addresses_of_every_kind_are_taken(server: str, normal: str) -> None:
    assert kubeconfig.read("admin.conf", changed(CLUSTER, server=server)).server == normal


def block(label: str, content: str) -> bytes:
    """A block of PEM; written out, the search for secrets would take it for a key."""
    return f"-----BEGIN {label}-----\n{content}\n-----END {label}-----\n".encode()


ENCRYPTED = block("ENCRYPTED PRIVATE KEY", "AAAA")
OLD_ENCRYPTED = block("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: x,00\n\nAAAA")


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (CLUSTER, "certificate-authority-data", None),
        (CLUSTER, "certificate-authority-data", "not base64!"),
        (CLUSTER, "certificate-authority-data", encoded(b"not PEM")),
        (CLUSTER, "certificate-authority-data", ""),
        (CLUSTER, "certificate-authority-data", encoded(AUTHORITY.certificate + b"and more")),
        (CLUSTER, "certificate-authority-data", encoded(PAIR.key)),
        (USER, "client-certificate-data", encoded(PAIR.key)),
        (USER, "client-key-data", encoded(PAIR.certificate)),
        (USER, "client-key-data", encoded(PAIR.key + PAIR.key)),
        (USER, "client-key-data", encoded(ENCRYPTED)),  # OpenSSL would ask the terminal for a passphrase
        (USER, "client-key-data", encoded(OLD_ENCRYPTED)),
        (USER, "client-key-data", "\u00e9"),
    ],
)
def test_certificates_and_keys_are_pem_of_their_kind(path: tuple[str | int, ...], key: str, value: object) -> None:
    content = kubeadms()
    at(content, *path)[key] = value
    with pytest.raises(Permanent, match=key):
        kubeconfig.read("admin.conf", text(content))


def test_a_user_without_a_login_is_refused() -> None:
    content = kubeadms()
    content["users"][0]["user"] = {}
    with pytest.raises(Permanent, match="client-certificate-data: is missing"):
        kubeconfig.read("admin.conf", text(content))
    content["users"][0]["user"] = {"token": "two\nlines"}
    with pytest.raises(Permanent, match="token: is missing, too long"):
        kubeconfig.read("admin.conf", text(content))


def test_a_secret_is_in_no_message() -> None:
    for value in ("hunter2 hunter2", "hunter2" * 2000):
        content = kubeadms()
        content["users"][0]["user"] = {"token": value}
        with pytest.raises(Permanent) as caught:
            kubeconfig.read("admin.conf", text(content))
        assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"\xff\xfe",
        b"a: [",
        b"[]",
        b"kubeconfig",
        b"null",
        b"a: &a [*a]",
        b"a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\nd: [*c,*c,*c,*c]\n",
        b"!!python/object/apply:os.system [touch /tmp/x]",
        b"--- {}\n--- {}\n",
        b"{" * 10_000,
        b"a" * (2 << 20),
        b"apiVersion: v1\nkind: Config\nclusters: 1\n",
        b"apiVersion: v1\nkind: Config\nclusters: [1]\nusers: [1]\ncontexts: [1]\n",
        b"apiVersion: v1\nkind: Config\nclusters: [{name: 1}]\nusers: [{}]\ncontexts: [{name: []}]\n",
        b"apiVersion: v1\nkind: Status\n",
    ],
)
def test_whatever_comes_is_refused_in_words_and_at_once(hostile: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(Permanent, match=r"admin\.conf"):
        kubeconfig.read("admin.conf", hostile)
    assert time.monotonic() - started < 1


def _without(content: dict[str, Any], chance: random.Random) -> None:
    """Change one place anywhere in a mapping or list."""
    place: Any = content
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = chance.choice(keys)
        if not isinstance(place[key], (dict, list)) or not place[key] or chance.random() < 0.2:
            place[key] = chance.choice([None, 1, "", [], {}, "x", [{}], {"name": "x"}, True, "{{ x }}", "\u202e"])
            return
        place = place[key]


def test_any_change_gives_the_same_kubeconfig_or_is_refused() -> None:
    """Nothing that somebody else chose gets through: only what was inline, or a refusal."""
    chance = random.Random(13)
    outcomes: dict[str, int] = {"taken": 0, "refused": 0}
    for _ in range(400):
        content = kubeadms()
        _without(content, chance)
        _one_outcome(text(content), outcomes)
    assert outcomes["refused"] > 100
    assert sum(outcomes.values()) == 400


def _one_outcome(content: bytes, outcomes: dict[str, int]) -> None:
    try:
        found = kubeconfig.read("x", content)
    except Permanent:
        outcomes["refused"] += 1
        return
    outcomes["taken"] += 1
    login = found.login
    assert isinstance(login, kubeconfig.ClientCertificate)
    assert (found.authority, login.certificate) == (AUTHORITY.certificate.decode(), PAIR.certificate.decode())
    assert login.key == PAIR.key.decode()
    assert found.server in ("https://10.0.0.1:6443",)
