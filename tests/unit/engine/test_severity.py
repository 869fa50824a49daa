"""What is open now is rated alike, whatever the record of what was applied makes of it."""

from __future__ import annotations

import pytest

from reconciler.engine.severity import exposes, severity
from reconciler.model.change import Action, Class, Severity
from reconciler.model.resource import Component, Fields, Value

INFRA = Component.INFRASTRUCTURE
CLASSES = (Class.PENDING, Class.DRIFT, Class.UNMANAGED)
WORLD = {"direction": "ingress", "remote_ip_prefix": "0.0.0.0/0", "remote_group": None}


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize(
    ("fields", "level"),
    [
        (WORLD, Severity.CRITICAL),
        ({**WORLD, "remote_ip_prefix": "::/0"}, Severity.CRITICAL),
        ({**WORLD, "remote_ip_prefix": None}, Severity.CRITICAL),
        ({**WORLD, "remote_ip_prefix": "192.0.2.0/24"}, Severity.HIGH),
    ],
)
def test_a_rule_too_many(cls: Class, fields: Fields, level: Severity) -> None:
    assert severity(INFRA, "security_group_rule", "", cls, Action.DELETE, fields) is level


@pytest.mark.parametrize(
    ("name", "desired", "live", "more"),
    [
        ("security_groups", ("a",), ("a", "b"), True),
        ("security_groups", ("a", "b"), ("a",), False),
        ("allowed_address_pairs", (), ("0.0.0.0/0",), True),
        ("allowed_cidrs", ("192.0.2.0/24",), (), True),  # none named: everybody, says Octavia
        ("allowed_cidrs", (), ("192.0.2.0/24",), True),
        ("port_security_enabled", True, False, True),
        ("port_security_enabled", True, None, False),
        ("public_key", "ours", "theirs", True),
        ("public_key", "ours", None, False),
        ("flavor", "a", "b", False),
    ],
)
def test_a_field_that_lets_in_more_than_git_says(name: str, desired: Value, live: Value, more: bool) -> None:
    assert exposes(name, desired, live) is more
    level = severity(INFRA, "port", name, Class.PENDING, Action.UPDATE, {}, exposes(name, desired, live))
    assert level is (Severity.CRITICAL if more else Severity.LOW)


@pytest.mark.parametrize("action", [Action.UPDATE, Action.DELETE])
def test_a_live_object_of_a_security_kind_is_never_low(action: Action) -> None:
    assert severity(Component.WORKLOADS, "ClusterRoleBinding", "subjects", Class.PENDING, action, {}) is Severity.HIGH


def test_what_is_only_to_be_made_lets_in_nobody() -> None:
    for kind in ("security_group_rule", "NetworkPolicy", "server"):
        assert severity(INFRA, kind, "", Class.PENDING, Action.CREATE, WORLD) is Severity.LOW
