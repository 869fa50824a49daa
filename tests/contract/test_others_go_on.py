"""What the server refuses of one object is told, and everything else is applied: on a real API server, also on one that
goes away in the middle."""

from __future__ import annotations

import contextlib
import socket
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.errors import Permanent, Transient
from reconciler.model.resource import Known, Unknown

from .objects import IMAGE, Spoken, all_equal, config, deployment, kubectl, of_kind

pytestmark = pytest.mark.live


@pytest.fixture
def namespace(kube: Path) -> Iterator[str]:
    made = f"goes-on-{uuid.uuid4().hex[:8]}"
    kubectl(kube, "create", "namespace", made)
    yield made
    kubectl(kube, "delete", "namespace", made, "--wait=false")


def test_every_refusal_is_told_and_the_rest_is_there(kube: Path, namespace: str) -> None:
    container = {"name": "web", "image": IMAGE}
    web = deployment(namespace, "web", 1, {"app": "web"}, container)
    api = KubernetesApi(kube, wait=60)
    api.apply(namespace, [web], Spoken())
    unknown = {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "a", "namespace": namespace}}
    wrong = deployment(namespace, "wrong", 1, {"app": "wrong"}, container | {"prots": []})
    changed = deployment(namespace, "web", 1, {"app": "other"}, container)
    manifests = [
        unknown,
        wrong,
        changed,
        config(namespace, "last", {"a": "b"}),
        deployment(namespace, "ok", 1, {"app": "ok"}, container),
    ]

    with pytest.raises(Permanent) as caught:
        api.apply(namespace, manifests, Spoken())

    said = caught.value.message
    assert said.startswith("3 objects failed, the others went on: ")
    assert "the server has no kind Widget of example.org/v1" in said
    assert f"Deployment {namespace}/wrong: " in said
    assert "prots" in said
    assert f"Deployment {namespace}/web: " in said
    assert "immutable" in said
    assert "can't be changed in place" in (caught.value.hint or "")
    live = kubectl(kube, "get", "deployment,configmap", "-n", namespace, "-o", "name").split()
    assert {"deployment.apps/web", "deployment.apps/ok", "configmap/last"} <= set(live)
    assert "deployment.apps/wrong" not in live
    found = api.compare(namespace, manifests, ())
    assert not any(isinstance(listing, Unknown) for listing in found.live.values()), "a mistake is no unknown"
    assert {str(e.key) for e in found.expected if e.fields} == {
        f"Widget {namespace}/a",
        f"Deployment {namespace}/wrong",
        f"Deployment {namespace}/web",
    }


def test_a_quota_that_is_used_up_says_so_and_the_others_run(kube: Path, namespace: str) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small", "namespace": namespace},
        "spec": {"hard": {"pods": "1", "persistentvolumeclaims": "0"}},
    }
    KubernetesApi(kube, wait=60).apply(namespace, [quota], Spoken())
    kubectl(kube, "wait", "resourcequota/small", "-n", namespace, "--for=jsonpath={.status.hard.pods}=1")
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    many = deployment(namespace, "many", 2, {"app": "many"}, {"name": "web", "image": IMAGE})

    with pytest.raises(Permanent) as caught:
        KubernetesApi(kube, wait=5).apply(namespace, [claim, many, config(namespace, "last", {})], Spoken())

    said = caught.value.message
    assert f"PersistentVolumeClaim {namespace}/data: " in said
    assert f"Deployment {namespace}/many is not healthy after 5 s (1/2): " in said
    assert said.count("exceeded quota: small") == 2
    assert kubectl(kube, "get", "configmap", "last", "-n", namespace, "-o", "name").strip() == "configmap/last"


class Wire:
    """Between us and the API server; it is cut after some bytes, and mended again."""

    def __init__(self, kube: Path, folder: Path) -> None:
        settings = yaml.safe_load(kube.read_text())
        cluster = settings["clusters"][0]["cluster"]
        there = urlsplit(cluster["server"])
        self._behind = (there.hostname, there.port)
        self._listener = socket.create_server((str(there.hostname), 0))
        self.left: int | None = None
        cluster["server"] = f"https://{there.hostname}:{self._listener.getsockname()[1]}"
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(yaml.safe_dump(settings))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                ours = self._listener.accept()[0]
                with contextlib.suppress(OSError):
                    theirs = socket.create_connection(self._behind)
                    threading.Thread(target=self._carry, args=(ours, theirs, True), daemon=True).start()
                    threading.Thread(target=self._carry, args=(theirs, ours, False), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                if self.left is not None and counted:
                    self.left -= len(data)
                if self.left is not None and self.left < 0:
                    break
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def wire(kube: Path, tmp_path: Path) -> Iterator[Wire]:
    made = Wire(kube, tmp_path)
    yield made
    made.close()


def test_an_api_that_goes_away_in_the_middle_loses_nothing(wire: Wire, namespace: str) -> None:
    manifests: list[dict[str, Any]] = [config(namespace, f"c{number:02}", {"a": "b" * 500}) for number in range(40)]
    api = KubernetesApi(wire.kubeconfig, wait=30)
    api.compare(namespace, manifests, ())
    wire.left = 25_000  # some of the 40 objects
    with pytest.raises(Transient, match="does not answer") as caught:
        api.apply(namespace, manifests, Spoken())
    assert "is the API server up" in (caught.value.hint or "")

    gone = api.compare(namespace, manifests, [of_kind("v1/ConfigMap")])
    assert isinstance(gone.live["ConfigMap"], Unknown), "what is not seen is not missing"

    wire.left = None
    found = api.compare(namespace, manifests, [of_kind("v1/ConfigMap")])
    listing = found.live["ConfigMap"]
    assert isinstance(listing, Known)
    assert 0 < len(listing.resources) < 40
    api.apply(namespace, manifests, Spoken())
    after = api.compare(namespace, manifests, ())
    assert all_equal(after.live, after.expected)
