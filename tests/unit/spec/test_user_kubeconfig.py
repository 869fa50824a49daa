"""A cluster's kubeconfig under its own name, and beside what a person's file has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.errors import Invalid
from reconciler.spec.user_kubeconfig import login, merged, parsed, server_of

PLACE = Path("/srv/kube/admin.conf")
SERVER = "https://203.0.113.5:6443"


def kubeconfig(name: str = "kubernetes", server: str = SERVER, **user: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": f"admin@{name}",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority": "ca.crt"}}],
        "users": [{"name": "admin", "user": user or {"client-key": "/etc/key", "client-certificate": "certs/me"}}],
        "contexts": [{"name": f"admin@{name}", "context": {"cluster": name, "user": "admin", "namespace": "sid"}}],
    }


def text(document: dict[str, Any]) -> bytes:
    return yaml.safe_dump(document).encode()


def test_all_three_are_called_as_the_cluster_and_files_are_found_from_anywhere() -> None:
    document = login("demo", PLACE, text(kubeconfig())).document()
    assert document["current-context"] == "demo"
    assert document["contexts"] == [
        {"name": "demo", "context": {"cluster": "demo", "user": "demo", "namespace": "sid"}}
    ]
    assert document["clusters"][0]["cluster"]["certificate-authority"] == "/srv/kube/ca.crt"
    assert document["users"][0]["user"] == {"client-key": "/etc/key", "client-certificate": "/srv/kube/certs/me"}
    assert server_of(document, "demo") == SERVER


def test_what_was_there_stays_and_the_one_of_the_name_is_replaced() -> None:
    mine = {**kubeconfig("work", token="w"), "preferences": {"colors": True}, "extensions": [{"name": "x"}]}
    first = merged(mine, login("demo", PLACE, text(kubeconfig(server="https://old:6443"))), use=False)
    second = merged(first, login("demo", PLACE, text(kubeconfig(token="t"))), use=False)
    assert [c["name"] for c in second["clusters"]] == ["work", "demo"]
    assert second["users"] == [{"name": "admin", "user": {"token": "w"}}, {"name": "demo", "user": {"token": "t"}}]
    assert (second["current-context"], second["preferences"], second["extensions"]) == (
        "admin@work", {"colors": True}, [{"name": "x"}],
    )  # fmt: skip
    assert server_of(second, "demo") == SERVER
    assert mine["clusters"][0]["name"] == "work"
    assert len(mine["clusters"]) == 1, "the argument is left as it is"
    assert merged(second, login("demo", PLACE, text(kubeconfig())), use=True)["current-context"] == "demo"


def test_an_empty_file_is_an_empty_kubeconfig() -> None:
    assert parsed(PLACE, b"") == {}
    assert merged({}, login("demo", PLACE, text(kubeconfig())), use=False)["current-context"] == "demo"


@pytest.mark.parametrize(
    "content",
    [
        b"[", b"- 1", b"a: &a [*a]\nclusters: [1]", b"clusters: {x: 1}", b"users: [{name: 1}]",
        b"contexts: [{name: a, context: 3}]", b"\xff\xfe\x00", b"kind: Deployment",
        b"[" * 100_000, b"x: " + b"a" * 11_000_000,
    ],
    ids=lambda content: content[:24].decode("latin-1"),
)  # fmt: skip
def test_what_is_no_kubeconfig_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid, match="admin"):
        parsed(PLACE, content)


@pytest.mark.parametrize("missing", ["clusters", "users", "contexts"])
def test_a_context_that_leads_nowhere_is_refused(missing: str) -> None:
    with pytest.raises(Invalid, match=f"has no {missing[:-1]}"):
        login("demo", PLACE, text({**kubeconfig(), missing: []}))
