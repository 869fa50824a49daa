"""One event, one finding: what follows from another difference is told there, layer by layer.

A server that is gone leaves a node that is not Ready and pods that wait; who reads the report needs the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..model.change import Action, Class, Difference
from ..model.resource import Component, Key, Symptom

_INFRA, _KUBE = Component.INFRASTRUCTURE, Component.KUBERNETES
# What cannot be there without the other: (kind, the kind it stands on). Both have the cluster's name.
_STANDS_ON = {
    "subnet": ("network",),
    "router_interface": ("router", "subnet"),
    "port": ("subnet", "network"),
    "load_balancer": ("subnet",),
    "listener": ("load_balancer",),
    "pool": ("load_balancer",),
    "monitor": ("pool", "load_balancer"),
    "member": ("pool", "load_balancer"),
}
# Fields that name another resource, and its kind.
_NAMES = {
    "server": "server",
    "port": "port",
    "server_group": "server_group",
    "subnet": "subnet",
    "ipv6_subnet": "subnet",
    "load_balancer": "load_balancer",
    "pool": "pool",
}


def joined(differences: Sequence[Difference], symptoms: Iterable[Symptom] = ()) -> tuple[Difference, ...]:
    """Give every difference that follows from another its `cause`, and the causes their `effects`."""
    open_ = [d for d in differences if d.cls not in (Class.IGNORED, Class.UNKNOWN)]
    broken = {d.key: d for d in open_ if _breaks(d)}
    causes = {id(d): root for d in open_ if (root := _root(d, broken)) is not None and root != d.key}
    told: dict[Key, list[str]] = {}
    for d in sorted((d for d in open_ if id(d) in causes), key=_layer):
        told.setdefault(causes[id(d)], []).append(_words(d))
    for root, words in _pods(open_, causes, symptoms).items():
        told.setdefault(root, []).extend(words)
    first = _first(open_, causes)
    return tuple(
        replace(d, cause=causes.get(id(d)), effects=tuple(dict.fromkeys(told.get(d.key, ()))) if id(d) in first else ())
        for d in differences
    )


def _breaks(d: Difference) -> bool:
    """Is this something others fall with: gone as a whole, made anew, or not running?"""
    gone = not d.field and (d.action is Action.CREATE or (d.action is Action.NONE and d.live is None))
    return gone or d.action is Action.REPLACE or (d.key.kind, d.field) in (("server", "status"), ("node", "ready"))


def _root(d: Difference, broken: Mapping[Key, Difference]) -> Key | None:
    """The end of the chain that `d` hangs on; None where it hangs on nothing."""
    seen: set[Key] = set()
    at: Key | None = None
    parent = _parent(d, broken)
    while parent is not None and parent not in seen:
        seen.add(parent)
        at, parent = parent, _parent(broken[parent], broken)
    return at


def _parent(d: Difference, broken: Mapping[Key, Difference]) -> Key | None:
    if d.component is _KUBE:
        candidates = [Key("server", d.key.name)]
    elif d.component is _INFRA:
        candidates = [*_stands_on(d), *_named(d), *_waits_with(d)]
    else:
        return None
    return next((k for k in candidates if k in broken and k != d.key), None)


def _stands_on(d: Difference) -> list[Key]:
    if d.field or d.action is not Action.CREATE:
        return []
    if d.key.kind == "security_group_rule":
        return [Key("security_group", d.key.name.partition(" ")[0])]
    below, (first, _, second) = _STANDS_ON.get(d.key.kind, ()), d.key.name.partition("/")
    return [Key(kind, n) for kind in below for n in (*([second] if second else []), *_prefixes(first))]


def _waits_with(d: Difference) -> list[Key]:
    """What is not made yet because its machine is not."""
    return [Key("server", d.key.name)] if not d.field and d.action is Action.NONE and d.live is None else []


def _prefixes(name: str) -> list[str]:
    """demo-worker-1 belongs to the network demo-worker, or demo: the longest that is there counts. What follows a dot
    says which of several of demo's own it is."""
    parts = name.partition(".")[0].split("-")
    return ["-".join(parts[:n]) for n in range(len(parts), 0, -1)]


def _named(d: Difference) -> list[Key]:
    """A field that should name a resource and names none any more."""
    kind = _NAMES.get(d.field)
    return [Key(kind, d.desired)] if kind and d.live is None and isinstance(d.desired, str) else []


def _words(d: Difference) -> str:
    if d.key.kind == "node" and d.field == "ready":
        return f"{d.key} is not Ready"
    if not d.field:
        return f"{d.key} is {'too many' if d.action is Action.DELETE else 'missing'}"
    return f"{d.key} has {'no' if d.live is None else 'another'} {d.field}"


def _layer(d: Difference) -> tuple[int, Key, bool, str]:
    return list(Component).index(d.component), d.key, bool(d.field and d.field != "ready"), d.field


def _pods(open_: Sequence[Difference], causes: Mapping[int, Key], symptoms: Iterable[Symptom]) -> dict[Key, list[str]]:
    """Pods on a node that does not work belong to that node's cause; pods that run nowhere to the first such cause."""
    roots: dict[str, Key] = {}
    for d in sorted(open_, key=lambda d: d.order):
        if d.key.kind in ("server", "node") and _breaks(d):
            roots.setdefault(d.key.name, causes.get(id(d), d.key))
    counts: dict[tuple[Key, str], int] = {}
    for pod in sorted(symptoms):
        root = roots.get(pod.node) if pod.node else next(iter(roots.values()), None)
        if root is not None:
            counts[root, pod.state] = counts.get((root, pod.state), 0) + 1
    found: dict[Key, list[str]] = {}
    for (root, state), n in sorted(counts.items()):
        found.setdefault(root, []).append(f"{n} pod{' is' if n == 1 else 's are'} {state}")
    return found


def _first(open_: Sequence[Difference], causes: Mapping[int, Key]) -> set[int]:
    """Of several differences of one resource the one that tells the effects: what breaks it, the worst first."""
    chosen: dict[Key, int] = {}
    for d in sorted(open_, key=lambda d: (not _breaks(d), d.order)):
        if id(d) not in causes:
            chosen.setdefault(d.key, id(d))
    return set(chosen.values())
