"""The accounts of manifests/reconciler/: their rights are those that what the reconciler makes needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.ports import Manifest
from reconciler.spec.render.application import Sealed, Secrets, application
from reconciler.spec.render.environment import OWNER, shared
from tests.unit.spec.render.test_application import app
from tests.unit.spec.render.test_environment import below, wanted

MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"
NEEDED = {"get", "list", "watch", "create", "patch", "delete"}


def documents(path: Path) -> list[dict[str, Any]]:
    return [d for d in yaml.safe_load_all(path.read_text()) if d]


def plural(kind: str) -> str:
    return f"{kind.lower()[:-1]}ies" if kind.endswith("y") else f"{kind.lower()}s"


def everything() -> list[Manifest]:
    """An application with all there is to ask for."""
    asked = app(
        imageStream=True,
        image="example.org/web:1",
        autoscaling={"min": 2, "max": 4},
        secrets={"TOKEN": {"generate": True}},
    )
    return application(asked, Secrets(brought={"KEY": Sealed("v", "1")}))


def rendered() -> Iterator[tuple[str, str]]:
    for manifest in everything():
        yield manifest["apiVersion"].rpartition("/")[0], plural(manifest["kind"])


@pytest.mark.parametrize(("group", "resource"), sorted(set(rendered())))
def test_the_account_on_openshift_may_apply_compare_and_prune_what_an_application_is_made_of(
    group: str, resource: str
) -> None:
    (role,) = [d for d in documents(MANIFESTS / "reconciler/openshift/rights.yaml") if d["kind"] == "Role"]
    rules = [r for r in role["rules"] if group in r["apiGroups"] and resource in r["resources"]]
    allowed = {verb for rule in rules for verb in rule["verbs"]}
    if resource == "namespaces":  # one's own only: it is there already, can't be listed, and is never deleted
        assert allowed == {"get", "patch"}
    else:
        assert allowed >= NEEDED


def test_every_role_of_the_account_on_openshift_is_bound_in_its_project() -> None:
    found = documents(MANIFESTS / "reconciler/openshift/rights.yaml")
    roles = {(d["kind"], d["metadata"]["name"]) for d in found if d["kind"] in ("Role", "ClusterRole")}
    bound = {(d["roleRef"]["kind"], d["roleRef"]["name"]) for d in found if d["kind"].endswith("Binding")}
    assert roles == bound == {("Role", "reconciler")}


def namespaces() -> dict[str, Manifest]:
    """All that our manifests make, by name; an owner's as it is rendered for either standard."""
    written = [path for path in sorted(MANIFESTS.rglob("*.yaml")) if "environments" not in path.parts]
    found: list[Manifest] = [d for path in written for d in documents(path)]
    for standard in ("restricted", "baseline"):
        found += shared(standard, [wanted(pod_security=standard)], below(OWNER))
    return {d["metadata"]["name"]: d for d in found if d["kind"] == "Namespace"}


def test_every_namespace_of_ours_says_a_standard_that_the_admission_policy_lets_pass() -> None:
    said = {
        name: (made["metadata"].get("labels") or {}).get("pod-security.kubernetes.io/enforce")
        for name, made in namespaces().items()
    }
    assert said.pop("env-baseline") == "baseline"
    assert {"sid", "env-restricted", "placeholders", "autoscaled"} <= said.keys()
    assert set(said.values()) == {"restricted", "baseline"}
