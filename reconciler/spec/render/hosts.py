"""Names and addresses that a cloud or a cluster tells, as far as Ansible, ssh and a URL may be given them."""

from __future__ import annotations

import ipaddress
import re

from ...errors import Permanent
from ...model.resource import Resource

# RFC 1123, as Kubernetes wants a node to be called: none of what Ansible takes for a pattern, a range or an option.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_NAME = 253
# Ansible's own groups, what it takes for this machine (ansible.constants.LOCALHOST), and the groups of our inventory.
_TAKEN = frozenset({"all", "ungrouped", "localhost", "127.0.0.1", "etcd", "bastion"})


def address(of: Resource, field: str) -> str:
    """The IP address in a field of a server or load balancer; empty where there is none. Raises Permanent for what is
    no address."""
    value = of.fields.get(field)
    if not value:
        return ""
    try:
        found = ipaddress.ip_address(str(value))
    except ValueError:
        found = None
    if found is None or getattr(found, "scope_id", None):
        hint = "look at it in the cloud; nothing is connected to until it has an address"
        raise Permanent(f"the cloud gives {of.name!r} an address that is none: {str(value)[:60]!r}", hint=hint)
    return str(found)


def host(name: str) -> str:
    """A live node's name as a host of the inventory. Raises Permanent for one that Ansible would take for something
    else, such as a pattern of hosts."""
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name) or name in _TAKEN:
        hint = "if it is to go, remove it by hand: kubectl delete node"
        raise Permanent(f"there is a node called {name[:60]!r}, which is no name for a host of Ansible's", hint=hint)
    return name


def url(host: str, port: int) -> str:
    """The https address of a host given by name or IP address."""
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
