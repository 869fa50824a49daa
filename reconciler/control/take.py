"""Takes what already runs into git's hands: says it as a first cluster.yaml, and checks that nothing would change.

The check is the one that every cycle makes: the file is loaded, rendered, and compared with what is live. What is left
becomes a rule that leaves it as it is, or a reason to begin suspended. The cloud is only read.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..engine.diff import diff
from ..engine.ignore import ignored
from ..errors import Invalid, Transient
from ..model.change import Action, Difference
from ..model.naming import IN_STATE, NAME
from ..model.resource import Component, Expected, Kinds, Known, Observed, Resource, Unknown
from ..model.rules import meaning
from ..ports import CloudSnapshot, Ids
from ..spec.found import Choice, Guesses, Left, Members, candidates, describe, marked, members, text
from ..spec.load import FLEET, FOLDER, DesiredCluster, load
from ..spec.render.infrastructure import infrastructure
from ..spec.render.terraform import REPLACING, address, association
from .recognise import recognised

# Where a project has none of it, the cluster has none either; where it can't be listed, floating IPs tell.
_BALANCING = ("load_balancer", "listener", "pool", "monitor", "member")
# Fields that say whose a resource is: an apply puts them back and touches nothing else.
_MARKS = ("tag", "description")
# What Terraform leaves alone where a rule does (spec/render/terraform.py: kept).
_KEPT = {
    "server": ("flavor", "image", "availability_zone", "metadata."),
    "port": ("security_groups", "allowed_address_pairs"),
    "subnet": ("dns_servers",),
}
_FOREIGN = (
    "These machines were not made by terraform/openstack-cluster, which would call them otherwise and give them ports, "
    "groups and metadata of its own: they can't be taken over without a change. So nothing is changed for now. "
    "Without the rules below, reconciler plan says what git would make instead: new machines beside them."
)
_MORE = "Not all of what is live can be left as it is: see the rules below, and decide before this goes."


@dataclass(frozen=True)
class Taken:
    """A first cluster.yaml. `live` are the ids of what Terraform's state should know, by address; `left` what a rule
    leaves as it is; `suspended` says why nothing may be applied yet, empty where it may. `there` is what is live, under
    git's names."""

    file: str
    text: str
    notes: tuple[str, ...]
    desired: DesiredCluster
    live: Mapping[str, str]
    left: tuple[Difference, ...]
    suspended: str
    unmarked: tuple[str, ...]
    there: tuple[Resource, ...] = ()


class Undecided(Invalid):
    """Nothing of the project is the cluster's by itself; `choices` are what it could be, in words and as a choice."""

    def __init__(self, message: str, hint: str, choices: Sequence[tuple[str, Choice]]) -> None:
        super().__init__(message, hint=hint)
        self.choices = tuple(choices)


def taken(
    name: str, cloud: str, snapshot: CloudSnapshot, files: Mapping[str, bytes], choice: Choice, guesses: Guesses
) -> Taken:
    """What runs as the cluster `name`, ready to be written. `files` are the repository's.

    Raises Undecided when no machine is the cluster's; Transient when something could not be listed, since what is not
    seen is not absent; Invalid when what was found can't be said at all.
    """
    kinds = _seen(snapshot, name)
    found = members(name, kinds, choice)
    if not found.kinds:
        raise _undecided(name, cloud, kinds, choice)
    described = describe(name, cloud, kinds, found, guesses)
    file = f"{FOLDER}/{name}/cluster.yaml"
    desired = _loaded(file, text(name, described.spec, described.notes, ()), files)
    if not found.ours:
        made = text(name, described.spec, (*described.notes, *_renamed(found)), _LEFT_ALONE, suspend=_FOREIGN)
        again = _loaded(file, made, files)
        return Taken(file, made, described.notes, again, {}, (), _FOREIGN, found.unmarked)
    live = _addresses(desired, found)
    seen = recognised(desired.cluster, kinds, Ids(live))
    differences = _differences(desired, seen)
    rules = tuple(dict.fromkeys(_rule(d) for d in differences))
    suspended = _MORE if any(not _harmless(d) for d in differences) else ""
    made = text(name, described.spec, described.notes, rules, suspend=suspended)
    again = _loaded(file, made, files)
    left = ignored(differences, again.cluster.spec.ignore)
    there = tuple(r for listing in seen.values() if isinstance(listing, Known) for r in listing.resources)
    return Taken(file, made, described.notes, again, live, left, suspended, found.unmarked, there)


_LEFT_ALONE = (
    Left("", "", "made by hand: nothing of it is changed", "infrastructure"),
    Left("", "", "made by hand: nothing of it is changed", "kubernetes"),
)


def _seen(snapshot: CloudSnapshot, name: str) -> Kinds:
    kinds = snapshot.of(name)
    for kind, listing in kinds.items():
        if isinstance(listing, Unknown) and kind not in _BALANCING:
            raise Transient(f"{kind} could not be listed: {listing.reason}", hint=listing.hint)
    return kinds


def _undecided(name: str, cloud: str, kinds: Kinds, choice: Choice) -> Undecided:
    choices = candidates(kinds)
    known = marked(kinds)
    told = [f"clusters that machines name: {', '.join(known)}"] if known else []
    told += [line for line, _ in choices[:10]]
    asked = " as you chose" if choice != Choice() else ""
    hint = "; ".join(told) or "there is no machine in this project, or this credential sees none"
    return Undecided(f"no machine of cloud {cloud!r} is cluster {name!r}{asked}", f"say which: {hint}", choices)


def _loaded(file: str, made: str, files: Mapping[str, bytes]) -> DesiredCluster:
    """The cluster as every cycle would load it. Raises Invalid, with the lines of what can't be said."""
    mine = {FLEET: files[FLEET]} if FLEET in files else {}
    (desired,) = load({**mine, file: made.encode()}, lambda _: True)
    return desired


def _renamed(found: Members) -> Iterator[str]:
    names = ", ".join(sorted(s.name for s in found.of("server")))
    yield f"the machines are called {names}; of the groups below they are numbered in this order"


def _addresses(desired: DesiredCluster, found: Members) -> dict[str, str]:
    """Where each live resource belongs in Terraform's state. What has no name of its own is found by what it is of."""
    made: dict[str, str] = {}
    for want in infrastructure(desired.cluster):
        live = next((r for r in found.of(want.kind) if r.name == want.name), None) or _nameless(want, found)
        if live is not None:
            made[address(want.kind, want.name)] = live.id
            if want.kind == "floating_ip" and any(live.fields.get(f) for f in ("server", "load_balancer")):
                made[association(want.name)] = live.id
    return made


def _nameless(want: Resource, found: Members) -> Resource | None:
    if want.kind == "security_group_rule":
        said = meaning(want.fields)
        return next((r for r in found.of(want.kind) if meaning(r.fields) == said), None)
    key = {"floating_ip": "server", "router_interface": "subnet"}.get(want.kind)
    if key is None or want.fields.get(key) is None:
        return None
    return next((r for r in found.of(want.kind) if r.fields.get(key) == want.fields[key]), None)


def _differences(desired: DesiredCluster, seen: Kinds) -> tuple[Difference, ...]:
    """What a cycle would find different, once the state knows what is live."""
    mine = Component.INFRASTRUCTURE
    wanted = tuple(
        replace(r, fields={**r.fields, NAME: r.name, IN_STATE: True}) for r in infrastructure(desired.cluster)
    )
    found = diff(Expected({mine: wanted}), Expected({}), Observed({mine: seen}), replacing=REPLACING)
    return tuple(d for d in found if d.component is mine)


def _rule(d: Difference) -> Left:
    """A rule that leaves the difference as it is. Marks are many and mean one thing."""
    if d.field in _MARKS:
        return Left("*", d.field, "the mark is missing here; an apply that changes something else puts it back")
    if d.field.startswith("metadata."):
        return Left("server *", d.field, "not on these machines; an apply leaves it so")
    resource = glob.escape(str(d.key))
    if d.field:
        return Left(resource, d.field, f"was found so: {str(d.live)[:80]}")
    said = "was found, and can't be said above" if d.action is Action.DELETE else "was not found"
    return Left(resource, "", said)


def _harmless(d: Difference) -> bool:
    """Whether a rule alone keeps it as it is, whatever else is applied."""
    if d.field in _MARKS:
        return True
    if not d.field:
        return d.action is Action.DELETE or d.key.kind in ("security_group_rule", "floating_ip")
    return any(d.field == f or (f.endswith(".") and d.field.startswith(f)) for f in _KEPT.get(d.key.kind, ()))
