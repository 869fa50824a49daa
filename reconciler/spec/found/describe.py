"""Live resources in the words of cluster.yaml, and in notes what these words can't say or the cloud doesn't tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...model.resource import Kinds, Known, Resource
from ..render.machines import BASTION_GROUP, CONTROL_PLANE_GROUP, ETCD_GROUP
from .access import access
from .groups import Group, grouped, machines
from .members import Members
from .subnets import IPV6, existing_ipv6, own_ipv6

# Which user the images of a distribution come with, by the first word of the image's name.
_USERS = {
    "ubuntu": "ubuntu",
    "debian": "debian",
    "rocky": "rocky",
    "almalinux": "almalinux",
    "fedora": "fedora",
    "centos": "cloud-user",
    "rhel": "cloud-user",
    "flatcar": "core",
}
_UNDECIDED = "CHANGE-ME"
# Has the form of a key, so that all else can be checked, and is none that any cloud takes.
_NO_KEY = f"ssh-ed25519 {'CHANGEME' * 8}"


@dataclass(frozen=True, slots=True)
class Guesses:
    """What no cloud tells, as a person said it; None where nobody did. `kubernetes` is a version."""

    ssh_user: str | None = None
    public_key: str | None = None
    kubernetes: str | None = None


@dataclass(frozen=True, slots=True)
class Described:
    """A Cluster's `spec` as YAML values, and what a person should know about it."""

    spec: Mapping[str, Any]
    notes: tuple[str, ...]


def describe(name: str, cloud: str, kinds: Kinds, found: Members, guesses: Guesses) -> Described:
    """The cluster as it is live. `kinds` are all resources of the project."""
    notes: list[str] = []
    groups = {group.name: group for group in grouped(name, found)}
    image = _image(found, notes)
    network, own = _network(name, kinds, found, notes)
    ways, port = access(name, found.of("security_group_rule"), own=own if found.of("load_balancer") else None)
    spec: dict[str, Any] = {
        "cloud": cloud,
        "image": image,
        "ssh": _ssh(name, kinds, found, guesses, image, port, notes),
        "network": network,
        **_groups(name, groups, found, image, notes),
    }
    if balancer := next((b for b in found.of("load_balancer") if b.name == name), None):
        spec["apiLoadBalancer"] = {
            "provider": balancer.fields["provider"],
            "floatingIp": any(ip.fields.get("load_balancer") for ip in found.of("floating_ip")),
        }
    spec["access"] = ways
    spec["kubernetes"] = {"version": guesses.kubernetes or _UNDECIDED}
    notes.append("labels, taints, the network plugin and the Kubernetes version are not told by OpenStack: check them")
    notes += [f"{group.name}: {note}" for group in groups.values() for note in group.notes]
    return Described(spec, tuple(dict.fromkeys(notes)))


def _image(found: Members, notes: list[str]) -> str:
    """The image most machines were made from."""
    images = Counter(str(i) for s in found.of("server") if (i := s.fields.get("image")))
    if images:
        return images.most_common(1)[0][0]
    notes.append("which image the machines were made from is not told (is it deleted, or is their disk a volume?)")
    return _UNDECIDED


def _ssh(
    name: str, kinds: Kinds, found: Members, guesses: Guesses, image: str, port: int, notes: list[str]
) -> dict[str, Any]:
    user = guesses.ssh_user or _USERS.get(image.lower().replace("_", "-").split("-")[0])
    if guesses.ssh_user is None:
        notes.append(f"ssh.user is a guess from the image's name: {user or 'ubuntu'}")
    used = Counter(str(k) for s in found.of("server") if (k := s.fields.get("keypair")))
    wanted = name if found.ours and name in used else next((k for k, _ in used.most_common(1)), name)
    pairs = {p.name: str(p.fields.get("public_key") or "") for p in _all(kinds, "keypair")}
    key = guesses.public_key or pairs.get(wanted)
    if not key:
        notes.append(f"the public key {wanted!r} is not to be seen by this credential: name it with --ssh-key")
    elif wanted != name:
        notes.append(f"the machines have the key pair {wanted!r}; ours is called {name}")
    said = {"user": user or "ubuntu"} | ({"port": port} if port != 22 else {})
    return said | {"publicKey": key or _NO_KEY}


def _network(name: str, kinds: Kinds, found: Members, notes: list[str]) -> tuple[dict[str, Any], str | None]:
    """The network as YAML says it, and the range of its subnet."""
    external = _external(kinds, found)
    if not external:
        notes.append("which network is the external one is not told by what there is: name it")
    made: dict[str, Any] = {}
    subnet = next((s for s in found.of("subnet") if s.name == name), None)
    subnet6 = next((s for s in found.of("subnet") if s.name == f"{name}{IPV6}"), None)
    if (subnet or subnet6) is not None and any(n.name == name for n in found.of("network")):
        made = {**_own(subnet), "externalNetwork": external or _UNDECIDED, **own_ipv6(subnet6)}
        made |= _router(name, kinds, notes)
    else:
        subnet = _existing(kinds, found, notes)
        there: dict[str, Any] = {"network": _UNDECIDED, "subnet": _UNDECIDED}
        if subnet is not None:
            there = {
                "network": str(subnet.fields["network"]),
                "subnet": subnet.name,
                "cidr": str(subnet.fields["cidr"]),
            }
        there |= existing_ipv6(_all(kinds, "subnet"), found)
        made = {"existing": there, "externalNetwork": external or _UNDECIDED}
    pairs = Counter(p.fields.get("allowed_address_pairs") or () for p in found.of("port"))
    if pairs and (most := pairs.most_common(1)[0][0]) and isinstance(most, tuple):
        made["allowedAddresses"] = [str(cidr) for cidr in most]
    return made, str(subnet.fields["cidr"]) if subnet is not None else None


def _own(subnet: Resource | None) -> dict[str, Any]:
    """The IPv4 subnet of a network of the cluster's own."""
    if subnet is None:
        return {}
    servers = subnet.fields.get("dns_servers")
    return {"cidr": subnet.fields["cidr"]} | (
        {"dnsServers": list(servers)} if isinstance(servers, tuple) and servers else {}
    )


def _external(kinds: Kinds, found: Members) -> str | None:
    """Where floating IPs are from, or routers lead."""
    told = [ip.fields.get("network") for ip in found.of("floating_ip")]
    told += [r.fields.get("external_network") for r in (*found.of("router"), *_all(kinds, "router"))]
    told += [ip.fields.get("network") for ip in _all(kinds, "floating_ip")]
    return next((str(network) for network in told if network), None)


def _router(name: str, kinds: Kinds, notes: list[str]) -> dict[str, Any]:
    """A router that is not the cluster's own, where its subnet is on one."""
    leads = [r.name for r in _all(kinds, "router_interface") if r.fields.get("subnet") == name]
    others = [n.partition("/")[0] for n in leads if n.partition("/")[0] != name]
    if not leads:
        notes.append("the subnet is on no router")
    return {"router": others[0]} if others and name not in leads else {}


def _existing(kinds: Kinds, found: Members, notes: list[str]) -> Resource | None:
    """The subnet that most of the machines are on."""
    used = Counter(str(p.fields.get("subnet")) for p in found.of("port") if p.fields.get("subnet"))
    name = next((n for n, _ in used.most_common(1)), "")
    if len(used) > 1:
        notes.append(f"the machines are on several subnets ({', '.join(sorted(used))}); one of them can be named")
    return next((s for s in _all(kinds, "subnet") if s.name == name), None)


def _groups(name: str, groups: Mapping[str, Group], found: Members, image: str, notes: list[str]) -> dict[str, Any]:
    """The groups of machines, and what they want that can't be: an even number of masters, say."""
    policies = {g.name: g.fields.get("policy") for g in found.of("server_group")}

    def said(group: Group, role: str) -> dict[str, Any]:
        placed = {} if role == "bastion" else _policy(policies.get(f"{name}-{_suffix(group.name)}"))
        return machines(group, found, (f"{name}-cluster", f"{name}-{role}"), image) | placed

    made: dict[str, Any] = {"controlPlane": {"count": 1, "flavor": _UNDECIDED}}
    for group in groups.values():
        last = max(group.machines)
        if group.name == CONTROL_PLANE_GROUP:
            made["controlPlane"] = {"count": _odd(group, notes), **said(group, "control-plane")}
        elif group.name == ETCD_GROUP:
            made["etcd"] = {"count": _odd(group, notes), **said(group, "etcd")}
        elif group.name == BASTION_GROUP:
            made["bastion"] = {k: v for k, v in said(group, "bastion").items() if k != "floatingIps"}
        else:
            without = [n for n in range(1, last) if n not in group.machines]
            numbers = {"count": len(group.machines)} | ({"without": without} if without else {})
            made.setdefault("nodeGroups", []).append({"name": group.name, **numbers, **said(group, "node")})
    if CONTROL_PLANE_GROUP not in groups:
        notes.append("which machines are the control plane is not told by their names or metadata")
    return made


def _suffix(group: str) -> str:
    return "control-plane" if group == CONTROL_PLANE_GROUP else group


def _policy(policy: Any) -> dict[str, Any]:
    return {"serverGroupPolicy": policy} if policy and policy != "soft-anti-affinity" else {}


def _odd(group: Group, notes: list[str]) -> int:
    """How many there are; the next number that etcd can have where it can't have this one."""
    last = max(group.machines)
    count = next((n for n in (1, 3, 5) if n >= last), 5)
    if set(group.machines) != set(range(1, count + 1)):
        have = ", ".join(s.name for s in group.servers)
        notes.append(f"{group.name}: etcd needs 1, 3 or 5 machines, numbered from 1; there are: {have}")
    return count


def _all(kinds: Kinds, kind: str) -> Sequence[Resource]:
    listing = kinds.get(kind)
    return listing.resources if isinstance(listing, Known) else ()
