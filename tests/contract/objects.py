"""What the tests of the Kubernetes port share: objects to apply, kubectl beside it, and who counts its requests."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.kubernetes.connection import Connection
from reconciler.model.resource import Known, Listing, Resource
from reconciler.ports import Task

IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.53"


def of_kind(type: str) -> Resource:
    """Something of that kind was applied before, wherever."""
    return Resource(type.rpartition("/")[2], "", type=type)


KINDS = tuple(map(of_kind, ("v1/ConfigMap", "v1/Secret", "v1/Service", "apps/v1/Deployment", "v1/Namespace")))


class Spoken:
    """Progress that remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.done = 0.0

    def log(self, text: str) -> None:
        self.said.append(text)

    @contextlib.contextmanager
    def task(self, title: str) -> Iterator[Task]:
        self.said.append(title)
        yield self

    def total(self, units: float) -> None:
        self.units = units

    def advance(self, units: float = 1) -> None:
        self.done += units

    def status(self, text: str) -> None:
        self.said.append(text)


class Requests:
    """Counts what really goes to the server."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[tuple[str, str, Mapping[str, str]]] = []
        real = Connection._answer

        def counted(connection: Connection, method: str, path: str, query: Any, *rest: Any) -> Any:
            self.seen.append((method, path, query or {}))
            return real(connection, method, path, query, *rest)

        monkeypatch.setattr(Connection, "_answer", counted)

    @property
    def dry_runs(self) -> int:
        return sum(query.get("dryRun") == "All" for _, _, query in self.seen)


def kubectl(kube: Path, *args: str, stdin: object = None) -> str:
    command = ["kubectl", "--kubeconfig", str(kube), *args]
    text = None if stdin is None else json.dumps(stdin)
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def backend(namespace: str, image: str = IMAGE) -> list[dict[str, Any]]:
    labels = {"app.kubernetes.io/name": "backend"}
    container = {"name": "web", "image": image, "ports": [{"containerPort": 8080}]}
    return [
        deployment(namespace, "backend", 2, labels, container),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "backend", "namespace": namespace},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
        },
        config(namespace, "settings", {"LOG": "info"}),
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "login", "namespace": namespace},
            "stringData": {"password": "correct horse"},
        },
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
    ]


def config(namespace: str, name: str, data: Mapping[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}


def deployment(
    namespace: str, name: str, replicas: int, labels: Mapping[str, str], container: Mapping[str, Any], **pod: Any
) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": dict(labels)},
            "template": {"metadata": {"labels": dict(labels)}, "spec": {"containers": [dict(container)], **pod}},
        },
    }


def definition(group: str) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things", "singular": "thing"},
            "versions": [version],
        },
    }


def known(live: Mapping[str, Listing], kind: str) -> dict[str, Resource]:
    listing = live[kind]
    assert isinstance(listing, Known), listing
    return {r.name: r for r in listing.resources}


def all_equal(live: Mapping[str, Listing], expected: Sequence[Resource]) -> bool:
    return all(not e.fields and not known(live, e.kind)[e.name].fields for e in expected)
