"""The Kubernetes port's connection and its nodes, against a real API server."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
import yaml

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.errors import Permanent, Transient
from reconciler.model.resource import Known, Resource, Unknown

from .objects import KINDS, Spoken, backend, kubectl

pytestmark = pytest.mark.live


def test_a_cluster_that_does_not_answer_is_unknown_never_empty(kube: Path, tmp_path: Path) -> None:
    silent = KubernetesApi(_redirected(kube, tmp_path, f"https://127.0.0.1:{_closed_port()}"))

    found = silent.compare("any", backend("any"), KINDS)
    assert len(found.live) == 5
    assert all(isinstance(listing, Unknown) for listing in found.live.values())
    nodes = silent.nodes()
    assert isinstance(nodes, Unknown)
    assert "127.0.0.1" in nodes.reason
    assert nodes.hint
    with pytest.raises(Transient, match="does not answer"):
        silent.apply("any", backend("any"), Spoken())


def test_a_cluster_that_hangs_is_unknown_within_the_timeout(kube: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"https://127.0.0.1:{deaf.getsockname()[1]}"
        started = time.monotonic()
        nodes = KubernetesApi(_redirected(kube, tmp_path, url), timeout=1).nodes()
    assert isinstance(nodes, Unknown)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("content", [None, "", "[]", "{a: b", "clusters: []\ncurrent-context: none"])
def test_a_bad_kubeconfig_is_unknown_with_a_hint(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    nodes = KubernetesApi(path).nodes()
    assert isinstance(nodes, Unknown)
    assert str(path) in nodes.reason
    assert nodes.hint


def test_a_wrong_token_is_unknown_and_permanent(kube: Path, tmp_path: Path) -> None:
    config_ = yaml.safe_load(kube.read_text())
    config_["users"][0]["user"] = {"token": "wrong"}
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config_))

    nodes = KubernetesApi(path).nodes()
    assert isinstance(nodes, Unknown)
    assert "credentials" in nodes.reason
    with pytest.raises(Permanent, match="credentials"):
        KubernetesApi(path).apply("any", backend("any"), Spoken())


def test_nodes_are_what_the_cluster_says_they_are(api: KubernetesApi) -> None:
    listing = api.nodes()
    assert isinstance(listing, Known)
    node = next(n for n in listing.resources if n.fields["ready"])
    assert node.kind == "node"
    assert node.id
    assert node.fields["labels.kubernetes.io/hostname"] == node.name
    assert str(node.fields["version"])[0].isdigit()


def test_labels_taints_and_provider_id_of_a_node_and_nothing_else_of_it(
    kube: Path, api: KubernetesApi, part_of: str
) -> None:
    theirs = {"key": "node.cloudprovider.kubernetes.io/uninitialized", "effect": "NoSchedule"}
    labels = {"keep": "me", "drop": "me"}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": part_of, "labels": labels}}
    kubectl(kube, "apply", "-f", "-", stdin=node | {"spec": {"taints": [theirs]}})
    try:
        wanted = {
            "labels.group": "worker",
            "labels.drop": None,
            "taints": ("a=:NoExecute", "b=1:PreferNoSchedule"),
            "provider_id": "openstack:///one",
        }
        api.label_nodes([Resource("node", part_of, wanted)])
        now = _node(api, part_of).fields
        assert (now["labels.group"], now["labels.keep"]) == ("worker", "me")
        assert "labels.drop" not in now
        assert now["taints"] == wanted["taints"]
        assert now["provider_id"] == "openstack:///one"
        assert theirs["key"] in kubectl(kube, "get", "node", part_of, "-o", "jsonpath={.spec.taints[*].key}")

        api.label_nodes([Resource("node", part_of, {"labels.group": "gpu", "provider_id": "openstack:///two"})])
        after = _node(api, part_of).fields
        assert after["labels.group"] == "gpu"
        assert after["taints"] == wanted["taints"]
        assert after["provider_id"] == "openstack:///one"  # Kubernetes lets it be set once
    finally:
        kubectl(kube, "delete", "node", part_of, "--wait=false")


def test_a_node_that_has_not_joined_is_named(api: KubernetesApi) -> None:
    with pytest.raises(Transient, match="node nobody has not joined"):
        api.label_nodes([Resource("node", "nobody", {})])


def test_the_version_is_a_version(api: KubernetesApi) -> None:
    assert api.server_version().split(".")[0] == "1"


def _node(api: KubernetesApi, name: str) -> Resource:
    listing = api.nodes()
    assert isinstance(listing, Known)
    return next(n for n in listing.resources if n.name == name)


def _redirected(kube: Path, folder: Path, server: str) -> Path:
    config_ = yaml.safe_load(kube.read_text())
    for entry in config_["clusters"]:
        entry["cluster"]["server"] = server
    path = folder / "elsewhere"
    path.write_text(yaml.safe_dump(config_))
    return path


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
