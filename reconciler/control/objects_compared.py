"""A cluster's Kubernetes objects as git has them, compared with every API that serves them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from ..errors import Invalid
from ..model.naming import IN_STATE
from ..model.presence import Nothing, Presence
from ..model.resource import Component, Expected, Key, Known, Listing, Resource, Unknown
from ..ports import Comparison, Ids, Manifest
from ..spec import wiring
from ..spec.load import DesiredCluster
from ..spec.namespaces import unmade
from ..spec.render import objects
from ..spec.wiring import Outputs
from .served import Served, served
from .toolkit import Access, Toolkit

# As whom Terraform's kubectl provider applies: it can't be told another name.
AS = {Component.APPLICATIONS: "kubectl"}

# apiVersion/Kind as the API server takes them; a record may say anything.
_TYPE = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[a-z0-9]+/[A-Z][A-Za-z0-9]*")


def part_of(cluster: str, component: Component) -> str:
    """The ApplySet an object belongs to, as a label value."""
    return f"{cluster}.{component}"


@dataclass(frozen=True)
class Rendered:
    """Every Kubernetes object the cluster wants, by component and target, and how a workload's are arranged.
    `waiting` are the applications, by target, that need what is not known yet, each with what that is; none of their
    objects is among `manifests`, and the ones that may be live from before are `held`."""

    manifests: Mapping[Component, Mapping[str, tuple[Manifest, ...]]]
    own: objects.Arranged
    waiting: Mapping[str, tuple[Resource, ...]]
    held: Mapping[str, frozenset[Key]]


def render(
    desired: DesiredCluster, files: Mapping[str, bytes], known: Outputs, today: datetime.date | None = None
) -> Rendered:
    """Render everything that is known. Raises Invalid with every mistake of the manifests."""
    own = objects.arranged(desired, files, today)
    targets = {app.spec.target for app in desired.applications}
    apps: dict[str, dict[Key, Manifest]] = {target: {} for target in targets}
    waiting: dict[str, list[Resource]] = {target: [] for target in targets}
    held: dict[str, set[Key]] = {target: set() for target in targets}
    for app in desired.applications:
        wired, target = wiring.wire(desired, app, known), app.spec.target
        made = {objects.key(m): m for m in objects.application(wired.app, wired.secrets)}
        if wired.waits:
            waiting[target].append(Resource("Application", app.name, target=target, waits=wired.waits))
            held[target] |= made.keys()
        else:
            apps[target].update(made)
    manifests = {
        Component.WORKLOADS: {"": own.manifests},
        Component.APPLICATIONS: {target: tuple(found.values()) for target, found in apps.items()},
    }
    left = {target: frozenset(keys - apps[target].keys()) for target, keys in held.items()}
    return Rendered(manifests, own, {target: tuple(found) for target, found in waiting.items()}, left)


@dataclass(frozen=True)
class Compared:
    """A component on every API that serves it: what is live, and what is expected there, by target; and, before there
    is an API of the cluster's own, the namespaces that nothing in git makes."""

    expected: tuple[Resource, ...]
    live: Mapping[str, Listing]
    served: Mapping[str, Served]
    unmade: frozenset[str] = frozenset()


def compared(
    desired: DesiredCluster,
    component: Component,
    made: Rendered,
    tools: Toolkit,
    applied: Expected,
    presence: Presence,
) -> Compared:
    """Compare with every API that serves the component. Each resource found remembers its target. What waits is
    compared with nothing. `presence` says of the cluster's own API whether it is there."""
    manifests, apps = made.manifests[component], component is Component.APPLICATIONS
    waves = {} if apps else made.own.waves
    expected: list[Resource] = []
    live: dict[str, Listing] = {}
    on: dict[str, Served] = {}
    own = tools.api(desired.name)
    before = _on_known_targets(desired.name, applied.resources(component), {*manifests, *tools.openshift}, tools)
    for target in sorted({*manifests, *(r.target for r in before)}):
        access = openshift(desired, target, tools) if target else own
        known = [r for r in before if r.target == target and _TYPE.fullmatch(r.type)]
        wanted = manifests.get(target, ())
        there = presence if access.kubeconfig == own.kubeconfig else None
        group = part_of(desired.name, component)
        found = _ask(tools, access, group, wanted, known, AS.get(component, ""), there)
        placed = served(found.expected, wanted, waves)
        expected += (replace(r, target=target) for r in placed.expected)
        if target in manifests:
            on[target] = placed
        held = made.held.get(target, frozenset()) if apps else frozenset()
        kept = tools.terraform_state(tools.workspace(desired.name, f"applications-{target}")) if apps else None
        for kind, listing in found.live.items():
            live[kind] = _merged(live.get(kind, Known()), _on(target, listing, held, kept))
        if apps and (waiting := made.waiting.get(target)):
            expected += waiting
            live.setdefault("Application", Known())
    not_made = unmade(manifests.get("", ())) if isinstance(presence, Nothing) else frozenset()
    return Compared(tuple(expected), live, on, not_made)


def _on_known_targets(
    cluster: str, before: Sequence[Resource], targets: Collection[str], tools: Toolkit
) -> list[Resource]:
    """What was applied, by a record that anybody may have written: a target that neither git nor the settings know is
    no reason to stop."""
    for target in sorted({r.target for r in before if r.target} - {*targets}):
        tools.progress.log(
            f"warning: {cluster} was applied to the OpenShift {target!r} by its record, which is not known"
        )
    return [r for r in before if not r.target or r.target in targets]


def _on(target: str, listing: Listing, held: Collection[Key], kept: Ids | None) -> Listing:
    """What is on a target, those excepted that are `held` back; each says whether Terraform's state here knows it."""
    if isinstance(listing, Unknown):
        return listing
    ours = (r for r in listing.resources if r.key not in held)
    if kept is None or kept.shared:
        return Known(tuple(replace(r, target=target) for r in ours))
    known = kept.by_address
    return Known(
        tuple(replace(r, target=target, fields={**r.fields, IN_STATE: objects.address(r.key) in known}) for r in ours)
    )


def _merged(one: Listing, other: Listing) -> Listing:
    if isinstance(one, Known) and isinstance(other, Known):
        return Known(one.resources + other.resources)
    return one if isinstance(one, Unknown) else other


def openshift(desired: DesiredCluster, target: str, tools: Toolkit) -> Access:
    """The API an application goes to. Raises Invalid, at the application's line, for a target nobody knows."""
    if target in tools.openshift:
        return tools.openshift[target]
    known = ", ".join(sorted(tools.openshift)) or "none"
    hint = f"name it in the settings under openshift: (there: {known})"
    problems = [
        desired.problem("Application", app.name, ("spec", "target"), f"there is no OpenShift {target!r}", hint)
        for app in desired.applications
        if app.spec.target == target
    ]
    raise Invalid(f"cluster {desired.name!r} deploys to an OpenShift that is not set up", problems=problems)


def _ask(
    tools: Toolkit,
    access: Access,
    group: str,
    manifests: Sequence[Manifest],
    before: Sequence[Resource],
    manager: str,
    presence: Presence | None,
) -> Comparison:
    if isinstance(presence, Nothing):
        return Comparison(tuple(objects.resource(m) for m in manifests), {m["kind"]: Known() for m in manifests})
    if not access.kubeconfig.exists():
        missing = Unknown(f"there is no kubeconfig {access.kubeconfig}", "the settings say where it lies")
        reason = presence if isinstance(presence, Unknown) else missing
        names = {*(r.kind for r in before), *(m["kind"] for m in manifests)}
        return Comparison((), dict.fromkeys(sorted(names), reason))
    return tools.kubernetes(access).compare(group, manifests, before, manager)
