"""What a server has to offer: kinds whose objects can be listed."""

from __future__ import annotations

from typing import Any, cast

from reconciler.adapters.kubernetes.connection import Connection
from reconciler.adapters.kubernetes.kinds import Discovery

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
