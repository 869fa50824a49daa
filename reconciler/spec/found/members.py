"""Which of a project's resources are a cluster's: by our marks, by our names, or because a person says so."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ...model.resource import Kinds, Known, Resource
from ...text import visible_line
from ..render.subnets import IPV6

_NUMBERED = re.compile(r"^(?P<stem>.*?)-?(?P<number>\d+)$")


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person says belongs to the cluster: shell patterns over servers' names, and a network with all servers on
    it."""

    servers: tuple[str, ...] = ()
    network: str = ""


@dataclass(frozen=True, slots=True)
class Members:
    """The cluster's resources by kind. `ours`: all its machines are called as terraform/openstack-cluster calls them;
    `unmarked` are names of those that say nowhere whose they are."""

    kinds: Mapping[str, tuple[Resource, ...]]
    ours: bool
    unmarked: tuple[str, ...]

    def of(self, kind: str) -> tuple[Resource, ...]:
        return self.kinds.get(kind, ())


def members(name: str, kinds: Kinds, choice: Choice) -> Members:
    """The resources of the cluster `name`. Empty `kinds` when it has no machine."""
    there = {kind: listing.resources for kind, listing in kinds.items() if isinstance(listing, Known)}
    ports = there.get("port", ())
    on_it = {str(p.fields.get("server")) for p in ports if choice.network and p.fields.get("network") == choice.network}

    def chosen(server: Resource) -> bool:
        if server.owner:
            return server.owner == name
        asked = any(fnmatchcase(server.name, pattern) for pattern in choice.servers) or server.name in on_it
        return asked or (not choice.servers and not choice.network and bool(machine(name, server.name)))

    servers = tuple(s for s in there.get("server", ()) if chosen(s))
    if not servers:
        return Members({}, ours=False, unmarked=())
    names = {s.name for s in servers}
    found = {"server": servers}
    for kind in sorted(there.keys() - {"server"}):
        found[kind] = tuple(r for r in there[kind] if _belongs(name, r, names))
    ours = all(machine(name, s.name) for s in servers)
    unmarked = tuple(str(r.key) for kind in _MARKED for r in found.get(kind, ()) if r.owner != name)
    return Members(found, ours, unmarked)


# What carries a mark of its own; of the others the name, or what they are part of, says whose they are.
_MARKED = ("network", "subnet", "router", "security_group", "port", "floating_ip", "server", "load_balancer")


def _belongs(name: str, r: Resource, servers: set[str]) -> bool:
    """Whether it is the cluster's, which a mark says, else what it is part of, else its name."""
    groups = {f"{name}-{part}" for part in ("cluster", "control-plane", "node", "bastion")}
    fields, own_subnets = r.fields, (name, f"{name}{IPV6}")
    told = {
        "port": fields.get("server") in servers,
        "floating_ip": fields.get("server") in servers or fields.get("load_balancer") == name,
        "security_group": r.name in groups,
        "security_group_rule": fields.get("security_group") in groups,
        "subnet": r.name in own_subnets,
        "router_interface": fields.get("subnet") in own_subnets,
    }
    return r.owner == name if r.owner else told.get(r.kind, r.name == name)


def machine(cluster: str, server: str) -> tuple[str, int] | None:
    """The group and the number of a machine that is called as our module calls it."""
    found = re.fullmatch(rf"{re.escape(cluster)}-([a-z](?:[-a-z0-9]*[a-z0-9])?)-([1-9]\d{{0,3}})", server)
    return (found[1], int(found[2])) if found else None


def candidates(kinds: Kinds) -> tuple[tuple[str, Choice], ...]:
    """What there is to choose from, in words and as a choice: networks with machines on them, and what names have in
    common; the largest first."""
    ports = Counter(str(p.fields.get("network")) for p in _resources(kinds, "port") if not p.owner)
    bare = [s.name for s in _resources(kinds, "server") if not s.owner]
    stems = Counter(found["stem"] for name in bare if (found := _NUMBERED.match(name)) and found["stem"])
    quote = shlex.quote  # what others called their networks and machines is to be copied into a shell
    said = [(f"{n} on the network {w}: --network {quote(w)}", Choice(network=w)) for w, n in ports.most_common()]
    said += [
        (f"{n} called {s}…: --servers {quote(f'{s}*')}", Choice(servers=(f"{s}*",))) for s, n in stems.most_common()
    ]
    return tuple((visible_line(line), choice) for line, choice in said)


def marked(kinds: Kinds) -> tuple[str, ...]:
    """The clusters that machines say they belong to."""
    return tuple(sorted({s.owner for s in _resources(kinds, "server") if s.owner}))


def _resources(kinds: Kinds, kind: str) -> Sequence[Resource]:
    listing = kinds.get(kind)
    return listing.resources if isinstance(listing, Known) else ()
