"""What a server has to offer: kinds whose objects can be listed."""

from __future__ import annotations

from typing import Any, cast

import pytest

from reconciler.adapters.kubernetes.connection import Connection, NotFound
from reconciler.adapters.kubernetes.kinds import Discovery
from reconciler.adapters.kubernetes.metrics import measured
from reconciler.errors import Transient

ANSWER = {
    "resources": [
        {"kind": "Pod", "name": "pods", "namespaced": True, "verbs": ["get", "list"]},
        {"kind": "Binding", "name": "bindings", "namespaced": True, "verbs": ["create"]},
        {"kind": "Scale", "name": "deployments/scale", "namespaced": True, "verbs": ["get", "list"]},
        {"kind": "Old", "name": "olds", "namespaced": False},
    ]
}


class Server:
    def get(self, path: str) -> dict[str, Any]:
        return ANSWER


def test_a_kind_that_is_an_answer_and_no_object_is_none() -> None:
    """A record that says it was applied must not make a component unknown for good."""
    found = Discovery(cast(Connection, Server()))
    assert found.kind("v1", "Binding") is None
    assert found.kind("v1", "Scale") is None
    assert [kind.plural for name in ("Pod", "Old") if (kind := found.kind("v1", name))] == ["pods", "olds"]


class Aggregated:
    """A server with an API that somebody registered, and that nobody is behind."""

    def get(self, path: str) -> dict[str, Any]:
        if path == "/apis":
            down, up = ({"preferredVersion": {"groupVersion": f"{name}/v1"}} for name in ("down", "up"))
            return {"groups": [down, up]}
        if path == "/apis/down/v1":
            raise Transient("the server is currently unable to handle the request")
        kind = "Thing" if path == "/apis/up/v1" else "Pod"
        return {"resources": [{"kind": kind, "name": f"{kind.lower()}s", "namespaced": True}]}


def test_a_group_that_does_not_answer_keeps_no_other_from_being_asked() -> None:
    found = Discovery(cast(Connection, Aggregated()))
    things = found.named("Thing")
    assert next(things).api_version == "up/v1"
    with pytest.raises(Transient):  # it may be there as well: what is not known is not absent
        next(things)


def test_an_autoscaler_is_measured_where_each_api_of_its_metrics_answers() -> None:
    class Metrics:
        def get(self, path: str) -> dict[str, Any]:
            if path in ("/apis/metrics.k8s.io", "/apis/external.metrics.k8s.io"):
                return {"preferredVersion": {"groupVersion": f"{path.removeprefix('/apis/')}/v1beta1"}}
            if path == "/apis/metrics.k8s.io/v1beta1":
                return {}
            if path == "/apis/external.metrics.k8s.io/v1beta1":
                raise Transient("no backend")
            raise NotFound("no such group")

    def seen(*types: str) -> bool:
        scaler = {"spec": {"metrics": [{"type": name} for name in types]}}
        return measured(cast(Connection, Metrics()), scaler)

    assert seen()
    assert seen("Resource", "ContainerResource")
    assert not seen("Resource", "External")
    assert not seen("Pods")
