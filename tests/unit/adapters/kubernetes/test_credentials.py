"""Who we say we are: a token in a file of its own is read while it changes, and no token is ever told to anybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.adapters.kubernetes.connection import Connection, credentials, open_kubeconfig
from reconciler.errors import Permanent, Transient
from reconciler.model.resource import Unknown

SECRET = "eyJSECRET"


def kubeconfig(folder: Path, user: dict[str, Any], server: str = "https://127.0.0.1:1") -> Path:
    said = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "mine",
        "contexts": [
            {"name": "mine", "context": {"cluster": "a", "user": "me"}},
            {"name": "other", "context": {"cluster": "a", "user": "them"}},
        ],
        "clusters": [{"name": "a", "cluster": {"server": server}}],
        "users": [{"name": "them", "user": {"token": "theirs"}}, {"name": "me", "user": user}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(said))
    return path


def test_a_new_token_is_read_and_one_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    configuration = open_kubeconfig(kubeconfig(tmp_path, {"tokenFile": "token"}), None)
    assert credentials(configuration) == {"authorization": "Bearer first"}
    file.write_text("other\n")  # of the same length, within the same second
    assert credentials(configuration) == {"authorization": "Bearer other"}
    file.write_text("")  # as `kubectl create token … > file` leaves it for a while
    assert credentials(configuration) == {"authorization": "Bearer other"}
    file.unlink()
    assert credentials(configuration) == {"authorization": "Bearer other"}
    file.write_text("third")
    assert credentials(configuration) == {"authorization": "Bearer third"}


def test_a_token_that_comes_later_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("")
    configuration = open_kubeconfig(kubeconfig(tmp_path, {"tokenFile": str(file)}), None)
    assert credentials(configuration) == {}
    file.write_text("late\n")
    assert credentials(configuration) == {"authorization": "Bearer late"}


@pytest.mark.parametrize(("context", "token"), [(None, "mine"), ("other", "theirs")])
def test_a_token_of_the_kubeconfig_itself_goes_first(tmp_path: Path, context: str | None, token: str) -> None:
    (tmp_path / "token").write_text("file's")
    configuration = open_kubeconfig(kubeconfig(tmp_path, {"token": "mine\n", "tokenFile": "token"}), context)
    assert credentials(configuration) == {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize("token", [f"{SECRET}\nand more", f"{SECRET}…"])
def test_a_token_that_is_no_header_is_told_without_it(tmp_path: Path, token: str) -> None:
    (tmp_path / "token").write_text(token)
    path = kubeconfig(tmp_path, {"tokenFile": "token"}, "http://127.0.0.1:1")
    with pytest.raises(Permanent, match=r"the credentials in .*kubeconfig can't be sent") as told:
        Connection(path, None, 1).get("/version")
    assert SECRET not in f"{told.value} {told.value.hint} {told.value.__cause__}"
    nodes = KubernetesApi(path).nodes()
    assert isinstance(nodes, Unknown)
    assert SECRET not in nodes.reason


def test_an_identity_provider_that_is_down_may_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object, **__: object) -> None:
        raise urllib3.exceptions.MaxRetryError(urllib3.HTTPConnectionPool("idp.example.org"), "/", None)

    monkeypatch.setattr("kubernetes.config.kube_config.load_kube_config", down)
    with pytest.raises(Transient, match="identity provider"):
        open_kubeconfig(kubeconfig(tmp_path, {}), None)
