"""Certificates against a real API server: the ends it shows, and what it says to a kubeconfig it does not trust."""

from __future__ import annotations

import base64
import datetime
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.model.naming import API_SERVER, ENDS, KUBECONFIG
from reconciler.model.resource import Known, Unknown
from tests.unit.adapters.kubernetes.authority import DAY, Authority

pytestmark = pytest.mark.live


def changed(kube: Path, folder: Path, cluster: dict[str, str], user: dict[str, str]) -> KubernetesApi:
    """The API by the same kubeconfig with something in it replaced."""
    said: Any = yaml.safe_load(kube.read_text())
    said["clusters"][0]["cluster"].update(cluster)
    said["users"][0]["user"].update(user)
    path = folder / "admin.conf"
    path.write_text(yaml.safe_dump(said))
    return KubernetesApi(path)


def coded(pem: bytes) -> str:
    return base64.b64encode(pem).decode()


def said_by_openssl(kube: Path, *source: str, stdin: bytes = b"") -> str:
    """The end as another program reads it."""
    shown = subprocess.run(["openssl", *source], input=stdin, capture_output=True, timeout=30, check=False).stdout
    command = ["openssl", "x509", "-noout", "-enddate", "-dateopt", "iso_8601"]
    done = subprocess.run(command, input=shown, capture_output=True, timeout=30, check=True)
    return done.stdout.decode().strip().removeprefix("notAfter=").replace(" ", "T").replace("Z", "+00:00")


def test_the_ends_are_those_that_openssl_reads(kube: Path) -> None:
    said: Any = yaml.safe_load(kube.read_text())
    server = said["clusters"][0]["cluster"]["server"].removeprefix("https://")
    pem = base64.b64decode(said["users"][0]["user"]["client-certificate-data"])
    assert {r.name: r.fields[ENDS] for r in KubernetesApi(kube).certificates()} == {
        API_SERVER: said_by_openssl(kube, "s_client", "-connect", server),
        KUBECONFIG: said_by_openssl(kube, "x509", stdin=pem),
    }


def test_a_kubeconfig_that_is_trusted_is_not_refused(kube: Path) -> None:
    assert isinstance(KubernetesApi(kube).nodes(), Known)


def test_a_certificate_of_another_authority_is_refused(kube: Path, tmp_path: Path) -> None:
    pair = Authority().pair("kubernetes-admin", datetime.datetime.now(datetime.UTC) + DAY)
    user = {"client-certificate-data": coded(pair.certificate), "client-key-data": coded(pair.key)}
    api = changed(kube, tmp_path, {}, user)
    nodes = api.nodes()
    assert isinstance(nodes, Unknown)
    assert (nodes.refused, "refuses the credentials" in nodes.reason) == (True, True)
    assert len(api.certificates()) == 2


def test_a_server_of_another_authority_is_refused(kube: Path, tmp_path: Path) -> None:
    api = changed(kube, tmp_path, {"certificate-authority-data": coded(Authority().certificate)}, {})
    nodes = api.nodes()
    assert isinstance(nodes, Unknown)
    assert (nodes.refused, "does not prove who it is" in nodes.reason) == (True, True)


def test_a_server_that_is_called_otherwise_is_no_question_of_trust(kube: Path, tmp_path: Path) -> None:
    nodes = changed(kube, tmp_path, {"tls-server-name": "elsewhere.example.org"}, {}).nodes()
    assert isinstance(nodes, Unknown)
    assert not nodes.refused
