"""How soon somebody should look at a difference: what opens the cluster to others comes first."""

from __future__ import annotations

from ..model.change import Action, Class, Severity
from ..model.naming import IN_STATE
from ..model.resource import Component, Fields

_ANYWHERE = ("0.0.0.0/0", "::/0", None)
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


def severity(component: Component, kind: str, name: str, cls: Class, action: Action, fields: Fields) -> Severity:
    """Rank one difference. `fields` are the live ones of something extra, the desired ones of anything else."""
    if cls in _BY_CLASS:
        return _BY_CLASS[cls]
    if kind == "security_group_rule":
        return _rule(action, fields)
    if name == IN_STATE:
        return Severity.LOW
    if name in _SECURITY_FIELDS or kind in _SECURITY_KINDS:
        return Severity.CRITICAL if cls is Class.DRIFT else Severity.HIGH
    if name.endswith(".image") or name == "ready" or (not name and kind in _STANDING):
        return Severity.HIGH
    return Severity.MEDIUM if component is not Component.KUBERNETES else Severity.LOW


def _rule(action: Action, fields: Fields) -> Severity:
    """A rule too many opens something; a rule too few only closes it."""
    if action is not Action.DELETE:
        return Severity.HIGH
    open_to_all = fields.get("remote_ip_prefix") in _ANYWHERE and not fields.get("remote_group")
    ingress = fields.get("direction") == "ingress"
    return Severity.CRITICAL if ingress and open_to_all else Severity.HIGH
