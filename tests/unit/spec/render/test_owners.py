"""What a controller is asked to set is nobody else's."""

from __future__ import annotations

from typing import Any

from reconciler.model.resource import Component
from reconciler.spec.render.owners import owners

WORKLOADS = Component.WORKLOADS


def rules(*manifests: dict[str, Any]) -> list[tuple[str | None, str, str]]:
    return [(r.component, r.resource, r.field) for r in owners({WORKLOADS: {"": manifests}})]


def test_an_autoscaler_owns_the_replicas_of_what_it_scales() -> None:
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "sid"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "backend"}},
    }
    assert rules(scaler) == [("workloads", "Deployment sid/backend", "spec.replicas")]


def test_an_image_trigger_owns_the_image() -> None:
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "sid", "annotations": {"image.openshift.io/triggers": "[]"}},
    }
    assert rules(deployment) == [("workloads", "Deployment sid/web", "spec.template.spec.containers*image")]


def test_anything_else_owns_nothing() -> None:
    assert rules({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}) == []
