"""Three layers in, differences out: what git says now, what was last applied, what is live."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..model.change import LEAVING, Action, Class, Difference
from ..model.naming import CERTIFICATE, IN_STATE, going
from ..model.resource import Component, Expected, Fields, Key, Kinds, Known, Observed, Resource, Unknown, Value
from .added import added_severity
from .severity import exposes, severity

Replacing = frozenset[tuple[str, str]]
# What people's data goes with: left alone when git no longer names it, and deleted by hand by somebody who means it.
# The API server deletes every object of a kind with its definition, whoever made them.
_HOLDS_DATA = ("PersistentVolumeClaim", "Namespace", "CustomResourceDefinition")
_LEFT = "is in no desired state; it may hold data and is left alone (delete it by hand)"
# Its own account's rights in a namespace (manifests/reconciler/rights.yaml), as the adapter tells them.
_OWN_RIGHTS = {"roleRef.name": "reconciler-namespace", "subjects": ("ServiceAccount reconciler-system/reconciler",)}
_LEFT_RIGHTS = (
    "is in no desired state; by it the reconciler sees what is left in its namespace, and it is left alone (it goes "
    "with the namespace)"
)
_DONE = "was applied and is gone, as a finished Job with ttlSecondsAfterFinished goes: done until its manifest changes"
# The word that is said before such a Job is run perhaps a second time.
MAYBE_DONE = (
    "is not there, and nothing is recorded of this cluster's workloads: whether it ran and went by its "
    "ttlSecondsAfterFinished can't be known, so it runs, perhaps again"
)
# Somebody has to take the finalizers off; to delete it again, or to wait for it, helps nobody.
_HELD = "{}: nothing more is done about it here (whoever owns them takes them off: is its controller running?)"
_GOES = "{}: git wants it, so it is made anew once it is gone (whoever owns its finalizers takes them off)"
_LOST = "exists, and Terraform's state does not know it (it is imported)"
_CHANGED = {Class.DRIFT: "was changed outside git", Class.PENDING: "git changed and was not applied yet"}
# Nova's word for a server that will not come back by itself.
_BROKEN = ("server", "status", "ERROR")
# What follows from the live side and not from git: when it is another now, nobody changed git.
_DERIVED: Replacing = frozenset({("node", "provider_id")})


def diff(
    expected: Expected, applied: Expected, observed: Observed, *, replacing: Replacing = frozenset()
) -> tuple[Difference, ...]:
    """Every difference, worst first. `replacing` names the (kind, field) pairs whose change builds a thing anew.

    The result does not depend on the order of the input.
    """
    found: list[Difference] = []
    for component in Component:
        found += _component(component, expected, applied, observed.kinds(component), replacing)
    return tuple(sorted(found, key=lambda d: d.order))


def meant(wanted: Iterable[Resource], live: Iterable[Resource]) -> tuple[Resource, ...]:
    """One live resource for each key: of several of one name the one that is more as desired, never a namesake."""
    asked = {resource.key: resource for resource in wanted}
    by_key: dict[Key, list[Resource]] = {}
    for resource in live:
        by_key.setdefault(resource.key, []).append(resource)
    return tuple(_ranked(asked.get(key), twins)[0] for key, twins in by_key.items())


def _component(
    component: Component, expected: Expected, applied: Expected, kinds: Kinds, replacing: Replacing
) -> Iterator[Difference]:
    wanted = _by_kind(expected.resources(component))
    before = {resource.key: resource for resource in applied.resources(component)}
    forgotten = not before and any(_is_live(want, kinds) for kind in wanted.values() for want in kind.values())
    for kind in sorted({*wanted, *kinds} - {CERTIFICATE}):  # nobody wants one: engine/certificates.py judges them
        listing = kinds.get(kind, Unknown("was not observed"))
        if isinstance(listing, Unknown):
            yield _unknown(component, kind, listing)
        else:
            yield from _kind(component, wanted.get(kind, {}), before, listing.resources, replacing, forgotten)


def _is_live(want: Resource, kinds: Kinds) -> bool:
    listing = kinds.get(want.kind)
    return isinstance(listing, Known) and any(r.key == want.key for r in listing.resources)


def _by_kind(resources: Iterable[Resource]) -> Mapping[str, Mapping[Key, Resource]]:
    kinds: dict[str, dict[Key, Resource]] = {}
    for resource in resources:
        kinds.setdefault(resource.kind, {})[resource.key] = resource
    return kinds


def _kind(
    component: Component,
    wanted: Mapping[Key, Resource],
    before: Mapping[Key, Resource],
    live: Sequence[Resource],
    replacing: Replacing,
    forgotten: bool,
) -> Iterator[Difference]:
    by_key: dict[Key, list[Resource]] = {}
    for resource in sorted(live, key=lambda r: (r.key, r.id)):
        by_key.setdefault(resource.key, []).append(resource)
    for key, want in wanted.items():
        if want.waits:
            yield _waits(component, want)
            continue
        twins = by_key.pop(key, [])
        if not twins:
            yield _missing(component, want, before.get(want.key), forgotten)
            continue
        first, *extra = _ranked(want, twins)
        if since := going(first.fields):
            yield _goes(component, want, before.get(want.key), first, since)
        else:
            yield from _fields(component, want, before.get(want.key), first, replacing)
        yield from (_extra(component, twin, None, "a second one of this name") for twin in extra)
    for resources in by_key.values():
        for resource in resources:
            yield _extra(component, resource, before.get(resource.key))


def _ranked(want: Resource | None, twins: Iterable[Resource]) -> list[Resource]:
    """Of two live resources of one name, the one that is more as desired is the one we mean."""
    fields = want.fields if want else {}
    return sorted(twins, key=lambda r: (-sum(r.fields.get(n) == value for n, value in fields.items()), r.id))


def _unknown(component: Component, kind: str, listing: Unknown) -> Difference:
    why = f"could not be observed: {listing.reason}"
    key = Key(kind, "*")
    level = severity(component, kind, "", Class.UNKNOWN, Action.NONE, {})
    return Difference(component, key, "", None, None, None, Class.UNKNOWN, Action.NONE, level, why)


def _waits(component: Component, want: Resource) -> Difference:
    """Nothing is to be done about it yet, and nothing is said of what is live."""
    cls, none = Class.PENDING, Action.NONE
    level = severity(component, want.kind, "", cls, none, {})
    return Difference(component, want.key, "", "present", None, None, cls, none, level, f"waits for {want.waits}")


def _missing(component: Component, want: Resource, before: Resource | None, forgotten: bool) -> Difference:
    drifted = before is not None and _asked(before) == _asked(want)
    if before is not None and drifted and want.fleeting and before.within == want.within:
        return _done(component, want)
    cls = Class.DRIFT if drifted else Class.PENDING
    why = "was applied and is gone" if before is not None else "is in git and not there yet"
    if before is None and want.fleeting and forgotten:
        why = MAYBE_DONE
    level = severity(component, want.kind, "", cls, Action.CREATE, want.fields)
    return Difference(
        component, want.key, "", "present", "present" if before else None, None, cls, Action.CREATE, level, why
    )


def _goes(component: Component, want: Resource, before: Resource | None, live: Resource, since: str) -> Difference:
    """Somebody deleted what git wants, and it is held: whatever is done to it goes with it, and nothing keeps it."""
    cls, none, applied = Class.DRIFT, Action.NONE, "present" if before else None
    level = severity(component, want.kind, "", cls, none, want.fields)
    return Difference(
        component, want.key, "", "present", applied, LEAVING, cls, none, level, _GOES.format(since), live.id
    )


def _done(component: Component, want: Resource) -> Difference:
    said, none = Class.IGNORED, Action.NONE
    level = severity(component, want.kind, "", said, none, want.fields)
    return Difference(component, want.key, "", "present", "present", None, said, none, level, _DONE)


def _extra(component: Component, live: Resource, before: Resource | None, why: str = "") -> Difference:
    """Live and not desired: removed from git since it was applied (pending), or nobody's (unmanaged). What Terraform's
    state is known not to hold was never applied by it, whatever the record says: who may write that could hide it."""
    if live.fields.get(IN_STATE) is False:
        before = None
    if kept := _kept(live):
        said, none = Class.IGNORED, Action.NONE
        level = severity(component, live.kind, "", said, none, live.fields)
        return Difference(component, live.key, "", None, None, "present", said, none, level, kept, live.id)
    cls = Class.PENDING if before is not None else Class.UNMANAGED
    reason = why or (
        "was removed from git" if before is not None else "belongs to this cluster and is in no desired state"
    )
    level = severity(component, live.kind, "", cls, Action.DELETE, live.fields)
    applied = "present" if before is not None else None
    if since := going(live.fields):
        none, held = Action.NONE, _HELD.format(since)
        return Difference(component, live.key, "", None, applied, LEAVING, cls, none, level, held, live.id)
    return Difference(component, live.key, "", None, applied, "present", cls, Action.DELETE, level, reason, live.id)


def _kept(live: Resource) -> str:
    """Why something nobody wants any more is left alone all the same; empty where it is not."""
    if live.kind in _HOLDS_DATA:
        return _LEFT
    own = live.kind == "RoleBinding" and all(live.fields.get(name) == value for name, value in _OWN_RIGHTS.items())
    return _LEFT_RIGHTS if own else ""


def _fields(
    component: Component, want: Resource, before: Resource | None, live: Resource, replacing: Replacing
) -> Iterator[Difference]:
    applied = before.fields if before else {}
    dropped = {} if want.digest else dict.fromkeys(_dropped(want.fields, applied, live.fields))
    for name, value in sorted({**want.fields, **dropped}.items()):
        now = live.fields.get(name)
        if now == value:
            continue
        if name in live.added:
            yield _added(component, want, live, name)
            continue
        cls = Class.DRIFT if _was_applied(want, before, name, value) else Class.PENDING
        action = (
            Action.REPLACE if (want.kind, name) in replacing or (want.kind, name, now) == _BROKEN else Action.UPDATE
        )
        level = severity(component, want.kind, name, cls, action, want.fields, exposes(name, value, now))
        owner = live.owners.get(name)
        why = (_LOST if name == IN_STATE else _CHANGED[cls]) + (f"; owned by {owner}" if owner else "")
        was = applied.get(name) if not want.digest else (value if cls is Class.DRIFT else None)
        yield Difference(component, want.key, name, value, was, now, cls, action, level, why, live.id, owner=owner)


def _added(component: Component, want: Resource, live: Resource, name: str) -> Difference:
    """A field that somebody added to an object of ours: in no file of git, and by no controller known for it."""
    addition, value = live.added[name], live.fields.get(name)
    level = added_severity(want.kind, name, value)
    why = f"was added outside git; set by {addition.owner}" if addition.owner else "was added outside git, in our name"
    return Difference(
        component, want.key, name, want.fields.get(name), None, value, Class.UNMANAGED, Action.UPDATE, level, why,
        live.id, owner=addition.owner, set_at=addition.time,
    )  # fmt: skip


def _dropped(want: Fields, applied: Fields, live: Fields) -> Iterator[str]:
    """Entries of mappings (labels.x) that git no longer names are taken back; any other field is then nobody's."""
    return (name for name in applied if "." in name and name not in want and name in live)


def _was_applied(want: Resource, before: Resource | None, name: str, value: Value) -> bool:
    if before is None:
        return False
    if (want.kind, name) in _DERIVED:
        return name in before.fields
    return before.digest == want.digest if want.digest else before.fields.get(name) == value


def _asked(resource: Resource) -> tuple[str, Fields]:
    if resource.digest:
        return resource.digest, {}
    return "", {name: value for name, value in resource.fields.items() if (resource.kind, name) not in _DERIVED}
