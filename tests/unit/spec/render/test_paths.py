"""Fields that are left to others are taken out of a manifest, and nothing else is."""

from __future__ import annotations

import copy

import pytest

from reconciler.spec.render.paths import without

MANIFEST = {
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"app": "web", "app.kubernetes.io/name": "web", "app.kubernetes": {"io": 1}}},
    "spec": {
        "replicas": 2,
        "template": {"spec": {"containers": [{"name": "web", "image": "a"}, {"name": "log", "image": "b"}]}},
        "ports": [{"port": 1}, {"port": 2}],
    },
}


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("spec.replicas", ("spec", "replicas")),
        ("metadata.labels.app.kubernetes.io/name", ("metadata", "labels", "app.kubernetes.io/name")),
        ("spec.template.spec.containers[log].image", ("spec", "template", "spec", "containers", 1, "image")),
        ("spec.ports[1].port", ("spec", "ports", 1, "port")),
        ("spec.ports", ("spec", "ports")),
    ],
)
def test_one_place_goes(path: str, keys: tuple[str | int, ...]) -> None:
    wanted = copy.deepcopy(MANIFEST)
    at: object = wanted
    for key in keys[:-1]:
        at = at[key]  # type: ignore[index]
    del at[keys[-1]]  # type: ignore[attr-defined]
    before = copy.deepcopy(MANIFEST)
    assert without(MANIFEST, path) == wanted
    assert before == MANIFEST


@pytest.mark.parametrize(
    "path", ["spec.replica", "spec.template.spec.containers[x].image", "status.x", "spec.replicas.x"]
)
def test_a_place_that_is_not_there_changes_nothing(path: str) -> None:
    assert without(MANIFEST, path) == MANIFEST
