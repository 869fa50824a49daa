"""How bad an addition is, and what becomes of one that was removed and is back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.engine.added import added_severity
from reconciler.engine.history import identity
from reconciler.engine.returned import returned
from reconciler.model.change import Action, Class, Difference, Severity
from reconciler.model.resource import Component, Key, Owner, Value

_WEB = "spec.template.spec.containers[web]"
FIELD = Difference(
    Component.WORKLOADS, Key("Deployment", "sid/a"), "spec.paused", None, None, True, Class.UNMANAGED, Action.UPDATE,
    Severity.MEDIUM, "was added outside git", owner=Owner("kubectl-patch"), set_at="2026-11-29T10:00:00Z",
)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "field", "value", "level"),
    [
        ("Deployment", "spec.template.spec.hostNetwork", True, Severity.CRITICAL),
        ("Deployment", "spec.template.spec.hostNetwork", False, Severity.MEDIUM),
        ("CronJob", "spec.jobTemplate.spec.template.spec.hostIPC", True, Severity.CRITICAL),
        ("Pod", "spec.hostPID", True, Severity.CRITICAL),
        ("DaemonSet", "spec.template.spec.volumes[root].hostPath.path", "/", Severity.CRITICAL),
        ("Deployment", f"{_WEB}.securityContext.privileged", True, Severity.CRITICAL),
        ("Deployment", f"{_WEB}.securityContext.capabilities.add", ("ALL",), Severity.CRITICAL),
        ("Deployment", f"{_WEB}.securityContext.runAsUser", 0, Severity.HIGH),
        ("Deployment", "spec.template.spec.containers[spy].image", "spy", Severity.HIGH),
        ("Deployment", "spec.template.spec.initContainers[spy].image", "spy", Severity.HIGH),
        ("Deployment", f"{_WEB}.ports[0].hostPort", 80, Severity.HIGH),
        ("Deployment", f"{_WEB}.env[HTTP_PROXY].value", "x", Severity.MEDIUM),
        ("Deployment", "spec.template.spec.serviceAccountName", "admin", Severity.HIGH),
        ("Service", "spec.externalIPs", ("192.0.2.1",), Severity.CRITICAL),
        ("Service", "spec.type", "NodePort", Severity.HIGH),
        ("Service", "spec.type", "ClusterIP", Severity.MEDIUM),
        ("Service", "spec.ports[web].nodePort", 30000, Severity.HIGH),
        ("Service", "spec.ports[web].port", 80, Severity.MEDIUM),
        ("Role", "rules[0].verbs", ("*",), Severity.CRITICAL),
        ("ClusterRoleBinding", "subjects[eve].name", "eve", Severity.CRITICAL),
        ("MutatingWebhookConfiguration", "webhooks[x].clientConfig.url", "x", Severity.CRITICAL),
        ("ClusterRole", "metadata.annotations.x", "y", Severity.LOW),
        ("Namespace", "metadata.labels.pod-security.kubernetes.io/enforce", "privileged", Severity.HIGH),
        ("Deployment", "metadata.annotations.privileged", "true", Severity.LOW),
        ("ConfigMap", "data.hostPath", "x", Severity.MEDIUM),
        ("Secret", "data.a", "(hidden)", Severity.HIGH),
    ],
)
def test_an_addition_is_as_bad_as_what_it_is(kind: str, field: str, value: Value, level: Severity) -> None:
    assert added_severity(kind, field, value) is level


def test_what_is_back_is_told_and_left_to_people() -> None:
    before = {identity(FIELD): "2026-11-28T10:00:00Z"}
    (back,) = returned([FIELD], before)
    assert back.returned
    assert back.contested
    assert "removed once and is back" in back.why
    assert "kubectl-patch" in back.why


def test_what_never_went_is_no_return() -> None:
    assert returned([FIELD], {identity(FIELD): FIELD.set_at}) == (FIELD,)
    other = replace(FIELD, field="spec.other")
    assert returned([other], {identity(FIELD): ""}) == (other,)
    ignored = replace(FIELD, cls=Class.IGNORED, action=Action.NONE)
    assert returned([ignored], {identity(FIELD): ""}) == (ignored,)
