"""How soon somebody should look at a difference: what opens the cluster to others comes first.

What is open now is judged by what is live, and not by its class: that follows from the record of what was applied,
which others may be able to write (decision 0049).
"""

from __future__ import annotations

from ..model.change import Action, Class, Severity
from ..model.naming import IN_STATE
from ..model.resource import Component, Fields, Value
from ..model.rules import everywhere

_SECURITY_FIELDS = (
    "security_groups",
    "public_key",
    "keypair",
    "allowed_address_pairs",
    "port_security_enabled",
    "allowed_cidrs",
)
_SECURITY_KINDS = ("NetworkPolicy", "ClusterRoleBinding", "RoleBinding", "ClusterRole", "Role")
_BY_CLASS = {Class.UNKNOWN: Severity.MEDIUM, Class.IGNORED: Severity.INFO, Class.PENDING: Severity.LOW}
_STANDING = (
    "server",
    "router",
    "router_interface",
    "network",
    "subnet",
    "load_balancer",
    "listener",
    "pool",
    "node",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
)


def severity(
    component: Component, kind: str, name: str, cls: Class, action: Action, fields: Fields, exposed: bool = False
) -> Severity:
    """Rank one difference. `fields` are the live ones of something extra, the desired ones of anything else; `exposed`
    says that the field lets more in than git says (`exposes`)."""
    if cls in _BY_CLASS and not (cls is Class.PENDING and _open(kind, action, exposed)):
        return _BY_CLASS[cls]
    if kind == "security_group_rule":
        return _rule(action, fields)
    if name == IN_STATE:
        return Severity.LOW
    if name in _SECURITY_FIELDS or kind in _SECURITY_KINDS:
        return Severity.CRITICAL if cls is Class.DRIFT or exposed else Severity.HIGH
    if name.endswith(".image") or name == "ready" or (not name and kind in _STANDING):
        return Severity.HIGH
    return Severity.MEDIUM if component is not Component.KUBERNETES else Severity.LOW


def exposes(name: str, desired: Value, live: Value) -> bool:
    """Does the live value of a field let in more than the desired one?"""
    if name in ("public_key", "keypair"):
        return live is not None and live != desired
    if name == "port_security_enabled":
        return live is False
    if name not in _SECURITY_FIELDS:
        return False
    has, wanted = (value if isinstance(value, tuple) else () for value in (live, desired))
    return not set(has) <= set(wanted) or (name == "allowed_cidrs" and bool(wanted) and not has)


def _open(kind: str, action: Action, exposed: bool) -> bool:
    """May what is live be letting somebody in, until the difference is gone? What is only to be made lets in nobody."""
    live = action is not Action.CREATE
    return exposed or (live and kind in _SECURITY_KINDS) or (action is Action.DELETE and kind == "security_group_rule")


def _rule(action: Action, fields: Fields) -> Severity:
    """A rule too many opens something; a rule too few only closes it."""
    if action is not Action.DELETE:
        return Severity.HIGH
    ingress = fields.get("direction") == "ingress"
    return Severity.CRITICAL if ingress and everywhere(fields) else Severity.HIGH
