"""When certificates end, read from kubeconfigs and servers made here; and which refusal is one of trust."""

from __future__ import annotations

import base64
import datetime
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.model.naming import API_SERVER, CERTIFICATE, ENDS, KUBECONFIG
from reconciler.model.resource import Resource, Unknown
from tests.unit.adapters.kubernetes.authority import DAY, Authority, Pair, serving

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
NEXT_YEAR, YESTERDAY = NOW + 365 * DAY, NOW - DAY


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def kubeconfig(folder: Path, server: str, trusts: Authority, user: dict[str, Any]) -> Path:
    data = base64.b64encode(trusts.certificate).decode()
    said = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "mine",
        "contexts": [
            {"name": "other", "context": {"cluster": "other", "user": "other"}},
            {"name": "mine", "context": {"cluster": "a", "user": "admin"}},
        ],
        "clusters": [{"name": "a", "cluster": {"server": server, "certificate-authority-data": data}}],
        "users": [{"name": "admin", "user": user}],
    }
    path = folder / "admin.conf"
    path.write_text(yaml.safe_dump(said))
    return path


def with_data(pair: Pair) -> dict[str, str]:
    said = {"client-certificate-data": pair.certificate, "client-key-data": pair.key}
    return {name: base64.b64encode(value).decode() for name, value in said.items()}


def ends(found: tuple[Resource, ...]) -> dict[str, object]:
    assert {r.kind for r in found} <= {CERTIFICATE}
    return {r.name: r.fields[ENDS] for r in found}


def test_both_ends_are_seen(tmp_path: Path, authority: Authority) -> None:
    with serving(authority.pair("apiserver", NOW + 9 * DAY), tmp_path) as server:
        path = kubeconfig(tmp_path, server, authority, with_data(authority.pair("admin", NEXT_YEAR)))
        found = ends(KubernetesApi(path).certificates())
    assert found == {KUBECONFIG: NEXT_YEAR.isoformat(), API_SERVER: (NOW + 9 * DAY).isoformat()}


def test_a_server_whose_certificate_has_ended_shows_it_and_is_not_a_question_of_trust(
    tmp_path: Path, authority: Authority
) -> None:
    with serving(authority.pair("apiserver", YESTERDAY), tmp_path) as server:
        path = kubeconfig(tmp_path, server, authority, with_data(authority.pair("admin", NEXT_YEAR)))
        api = KubernetesApi(path)
        assert ends(api.certificates())[API_SERVER] == YESTERDAY.isoformat()
        nodes = api.nodes()
    assert isinstance(nodes, Unknown)
    assert "does not prove who it is: certificate has expired" in nodes.reason
    assert not nodes.refused


def test_credentials_that_are_refused_are_a_question_of_trust(tmp_path: Path, authority: Authority) -> None:
    with serving(authority.pair("apiserver", NEXT_YEAR), tmp_path) as server:
        path = kubeconfig(tmp_path, server, authority, with_data(authority.pair("admin", YESTERDAY)))
        nodes = KubernetesApi(path).nodes()
    assert isinstance(nodes, Unknown)
    assert (nodes.refused, "refuses the credentials" in nodes.reason) == (True, True)


def test_an_authority_of_the_same_name_and_another_key_is_a_question_of_trust(
    tmp_path: Path, authority: Authority
) -> None:
    with serving(Authority().pair("apiserver", NEXT_YEAR), tmp_path) as server:
        path = kubeconfig(tmp_path, server, authority, with_data(authority.pair("admin", NEXT_YEAR)))
        nodes = KubernetesApi(path).nodes()
    assert isinstance(nodes, Unknown)
    assert (nodes.refused, "does not prove who it is" in nodes.reason) == (True, True)


@pytest.mark.parametrize("status", ["403 Forbidden", "503 Service Unavailable"])
def test_any_other_answer_is_none(tmp_path: Path, authority: Authority, status: str) -> None:
    with serving(authority.pair("apiserver", NEXT_YEAR), tmp_path, status) as server:
        nodes = KubernetesApi(kubeconfig(tmp_path, server, authority, {"token": "t"})).nodes()
    assert isinstance(nodes, Unknown)
    assert not nodes.refused


def test_a_chain_in_a_file_beside_the_kubeconfig(tmp_path: Path, authority: Authority) -> None:
    leaf = authority.pair("admin", NOW + 3 * DAY).certificate
    (tmp_path / "admin.crt").write_bytes(b"subject=admin\n" + leaf + authority.certificate)
    path = kubeconfig(tmp_path, _closed(), authority, {"client-certificate": "admin.crt"})
    assert ends(KubernetesApi(path).certificates()) == {KUBECONFIG: (NOW + 3 * DAY).isoformat()}


@pytest.mark.parametrize(
    "user",
    [
        {"token": "t"},
        {"exec": {"command": "login", "apiVersion": "client.authentication.k8s.io/v1"}},
        {"client-certificate-data": "no base64!"},
        {"client-certificate-data": base64.b64encode(b"no certificate").decode()},
        {"client-certificate-data": ["?"]},
        {"client-certificate": "missing.crt"},
    ],
)
@pytest.mark.parametrize("server", ["http://127.0.0.1:1", "https://", "https://127.0.0.1:none", "?"])
def test_what_there_is_none_of_or_cannot_be_read_is_left_out(
    tmp_path: Path, authority: Authority, user: dict[str, Any], server: str
) -> None:
    assert KubernetesApi(kubeconfig(tmp_path, server, authority, user)).certificates() == ()


@pytest.mark.parametrize("text", ["", "[]", "a: [", "contexts: []\ncurrent-context: x", "contexts: 7"])
def test_a_file_that_is_no_kubeconfig_shows_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken").write_text(text)
    assert KubernetesApi(tmp_path / "broken").certificates() == ()
    assert KubernetesApi(tmp_path / "missing").certificates() == ()


def test_a_server_that_says_nothing_is_waited_for_no_longer_than_asked(tmp_path: Path, authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        path = kubeconfig(tmp_path, f"https://127.0.0.1:{silent.getsockname()[1]}", authority, {"token": "t"})
        assert KubernetesApi(path, timeout=0.2).certificates() == ()


def _closed() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"https://127.0.0.1:{server.getsockname()[1]}"
