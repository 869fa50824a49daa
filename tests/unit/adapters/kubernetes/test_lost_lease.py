"""Who slept past the lease in the middle of a step goes on with none of its objects."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler import interrupt
from reconciler.adapters.kubernetes import nodes, outliving
from reconciler.adapters.kubernetes.connection import NotFound
from reconciler.adapters.kubernetes.kinds import Kind
from reconciler.adapters.kubernetes.prune import prune
from reconciler.errors import Transient
from reconciler.model.resource import Resource


class Api:
    """Config maps and nodes by path; remembers what was changed, and the lease is lost with the first change."""

    def __init__(self) -> None:
        self.changed: list[str] = []

    def get(self, path: str) -> dict[str, Any]:
        if path in self.changed:
            raise NotFound("gone")
        return {"metadata": {"name": path.rpartition("/")[2], "uid": path.rpartition("/")[2], "resourceVersion": "1"}}

    def items(self, path: str) -> list[dict[str, Any]]:
        return [self.get(f"{path}/{name}") for name in "ab"]

    def request(self, method: str, path: str, **_: object) -> None:
        self.changed.append(path)

    def kind(self, api_version: str, name: str) -> Kind:
        return Kind(api_version, name, "configmaps", namespaced=True)

    @property
    def lost(self) -> str:
        return "the lease was lost" if self.changed else ""


@pytest.mark.parametrize(
    "work",
    [
        lambda api: prune(api, api, [Resource("ConfigMap", f"web/{n}", id=n, type="v1/ConfigMap") for n in "ab"], 1),
        lambda api: nodes.mark(api, [Resource("node", n, {"labels.x": "1"}) for n in "ab"]),
        lambda api: outliving.retain(api, ["a", "b"]),
    ],
)
def test_one_object_was_changed_and_no_other(work: Any) -> None:
    api = Api()
    with interrupt.unless(lambda: api.lost), pytest.raises(Transient, match="the lease was lost"):
        work(api)
    assert len(api.changed) == 1
