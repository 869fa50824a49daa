"""What can't be carried out for now and by whom it can be freed: it waits, and nothing else waits with it.

Two reasons there are: git names what the cloud does not have (an image that its operators deleted, a flavor with a
typo); and a server is in a state that only people end (suspended, locked, deleted and still restorable), or is on its
way out, where anything done to it would be lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from ..model.change import Action, Class, Difference, Severity
from ..model.naming import LOCKED
from ..model.resource import Component, Expected, Fields, Key, Observed, Resource, Value

_INFRA, _KUBE = Component.INFRASTRUCTURE, Component.KUBERNETES
# What is missing, as (kind, name), and the sentence that says so.
Missing: TypeAlias = Mapping[tuple[str, str], str]
# Fields that name what the cloud has to have, and what kind of thing that is.
_NAMING: Mapping[tuple[str, str], str] = {
    ("server", "image"): "image",
    ("server", "image_id"): "build",
    ("server", "flavor"): "flavor",
    ("server", "boot_volume.type"): "volume type",
    ("port", "network"): "network",
    ("port", "subnet"): "subnet",
    ("port", "security_groups"): "security group",
    ("router", "external_network"): "network",
    ("floating_ip", "network"): "network",
}
# What a machine has of its own; each has its name.
PARTS = ("server", "port", "floating_ip", "member")
SOFT_DELETED, DELETING = "SOFT_DELETED", "DELETING"
# States that Nova leaves only when somebody says so: what it is, and what ends it.
_STATES: Mapping[str, tuple[str, str]] = {
    "SUSPENDED": ("is suspended", "openstack server resume {}"),
    "PAUSED": ("is paused", "openstack server unpause {}"),
    "SHELVED": ("is shelved", "openstack server unshelve {}"),
    "SHELVED_OFFLOADED": ("is shelved", "openstack server unshelve {}"),
    "RESCUE": ("is in rescue mode", "openstack server unrescue {}"),
    SOFT_DELETED: ("was deleted and can still be restored", "openstack server restore {}"),
    "VERIFY_RESIZE": ("waits for its resize to be confirmed", "openstack server resize confirm {}"),
}
# In these Nova takes a deletion as at any other time.
_MAY_GO = {*_STATES, DELETING} - {SOFT_DELETED}


def able(
    differences: Sequence[Difference], expected: Expected, observed: Observed, missing: Missing
) -> tuple[Difference, ...]:
    """The differences, those that nobody can repair for now left to people, each with the reason. A machine's parts and
    its node wait with it."""
    wanted = {r.key: r.fields for r in expected.resources(_INFRA)} if missing else {}
    stuck = {s.key: why for s in observed.resources(_INFRA, "server") if (why := _stuck(s))}
    reasons: dict[int, str] = {}
    for d in differences:
        if d.actionable and d.component is _INFRA and (why := _held(d, stuck, observed) or _lost(d, wanted, missing)):
            reasons[id(d)] = why
    machines = {d.key.name: (d, reasons[id(d)]) for d in differences if id(d) in reasons and d.key.kind == "server"}
    for d in differences:
        if d.actionable and id(d) not in reasons and (follows := _follows(d, machines)):
            reasons[id(d)] = follows
    return tuple(replace(d, action=Action.NONE, why=reasons[id(d)]) if id(d) in reasons else d for d in differences)


def notices(missing: Missing) -> tuple[Difference, ...]:
    """What is gone though what was made of it runs on. Of images each machine tells for itself."""
    return tuple(_gone(kind, name, why) for (kind, name), why in sorted(missing.items()) if kind != "image")


def _gone(kind: str, name: str, why: str) -> Difference:
    cls, none, level = Class.NOTICE, Action.NONE, Severity.MEDIUM
    return Difference(_INFRA, Key(kind.replace(" ", "_"), name), "", name, None, None, cls, none, level, why)


def narrowed(
    before: Sequence[Difference], after: Sequence[Difference], missing: Missing, flavors: Collection[str]
) -> bool:
    """Is there something of the infrastructure that a run must not touch, or can't even look up? `flavors` are those
    that the cloud has, as far as it tells."""
    if flavors and any(_of_a_gone_flavor(d, flavors) for d in after):
        return True
    held = (d for d, left in zip(before, after, strict=True) if d.actionable and not left.actionable)
    return bool(missing) or any(d.component is _INFRA for d in held)


def _of_a_gone_flavor(d: Difference, flavors: Collection[str]) -> bool:
    """Does a machine keep a flavor that the cloud has no more?"""
    kept = (d.key.kind, d.field) == ("server", "flavor") and not d.actionable
    return kept and d.cls is not Class.NOTICE and d.live not in flavors


def _held(d: Difference, stuck: Mapping[Key, str], observed: Observed) -> str:
    """Why the state of its server holds this; empty where it does not."""
    if d.key.kind != "server" or d.key not in stuck or not _held_by_state(d, observed):
        return ""
    return stuck[d.key] if d.field == "status" else f"waits: {stuck[d.key]}"


def _lost(d: Difference, wanted: Mapping[Key, Fields], missing: Missing) -> str:
    """What this needs and the cloud does not have; empty for nothing."""
    if d.action is Action.DELETE:
        return ""
    names = _named(d, wanted.get(d.key, {}))
    return next((f"waits: {missing[name]}" for name in names if name in missing), "")


def _held_by_state(d: Difference, observed: Observed) -> bool:
    """Does the state of this server hold this change? One that is locked takes none, and one in some states may go."""
    live = next((s for s in observed.resources(_INFRA, "server") if s.key == d.key and s.id in ("", d.id)), None)
    if live is None:
        return False
    goes = d.action in (Action.DELETE, Action.REPLACE)
    return live.fields.get(LOCKED) is True or not (goes and live.fields.get("status") in _MAY_GO)


def _stuck(server: Resource) -> str:
    state, name = str(server.fields.get("status")), server.name
    if state == DELETING:
        return "the server is being deleted: once Nova has removed it, it is made anew"
    if state in _STATES:
        what, command = _STATES[state]
        other = "wait until Nova removes it" if state == SOFT_DELETED else "delete it"
        return f"the server {what}: `{command.format(name)}` ends that; or {other}, and it is made anew"
    if server.fields.get(LOCKED) is True:
        return f"the server is locked, and Nova takes no change of it: `openstack server unlock {name}`"
    return ""


def _named(d: Difference, fields: Fields) -> Iterable[tuple[str, str]]:
    """What has to be there for this: what the field names; for a whole resource everything that it is made from."""
    whole = not d.field or d.action is Action.REPLACE
    for (kind, field), word in _NAMING.items():
        if kind == d.key.kind and (whole or field == d.field):
            yield from ((word, name) for name in _texts(fields.get(field)))


def _texts(value: Value) -> tuple[str, ...]:
    return tuple(str(v) for v in value) if isinstance(value, tuple) else () if value is None else (str(value),)


def _follows(d: Difference, machines: Mapping[str, tuple[Difference, str]]) -> str:
    """Why a part of a machine that waits, or its node, waits with it."""
    cause, why = machines.get(d.key.name, (None, ""))
    if cause is None:
        return ""
    if d.component is _KUBE:
        return f"waits for its server ({why.removeprefix('waits: ')})" if d.field != "provider_id" else ""
    joins = not d.field and d.action is Action.CREATE
    goes = cause.action is Action.DELETE and d.action is Action.DELETE
    if d.component is _INFRA and d.key.kind in PARTS and (joins or goes or d.field == "server"):
        return f"waits for its server ({why.removeprefix('waits: ')})"
    return ""
