"""A push concerns the clusters that use what it changed, and no other."""

from __future__ import annotations

import pytest

from reconciler.engine.touched import Uses, touched

FLEET = {
    "a": Uses(frozenset({"manifests/sid-backend"})),
    "b": Uses(frozenset({"manifests/other", "manifests/environments/jupyter"}), applications=True),
    "k": Uses(frozenset({"manifests/overlays/k"}), kustomized=True),
    "new": None,
}
ALL = frozenset(FLEET)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("desired/a/cluster.yaml", {"a"}),
        ("desired/b/environments/ada.yaml", {"b"}),
        ("desired/fleet.yaml", ALL),
        ("terraform/openstack-cluster/main.tf", ALL),
        ("terraform/openshift-app/main.tf", {"b", "new"}),
        ("kubespray/version.yaml", ALL),
        ("manifests/sid-backend/deployment.yaml", {"a", "k", "new"}),
        ("manifests/sid-backend-2/deployment.yaml", {"k", "new"}),
        ("manifests/environments/jupyter/notebook.yaml", {"b", "k", "new"}),
        ("desired/gone/cluster.yaml", frozenset()),
        ("README.md", frozenset()),
        ("desiredx/a/cluster.yaml", frozenset()),
    ],
)
def test_a_change_of_one_file(path: str, names: frozenset[str]) -> None:
    assert touched({path}, FLEET) == names


def test_several_changes_add_up() -> None:
    assert touched({"desired/a/x.yaml", "desired/b/y.yaml", "docs/z.md"}, FLEET) == {"a", "b"}
