"""Ends a cluster: one look at what there still is of it, the plan of it, and what this machine remembers forgotten.

Nothing that git says is needed for it but the cluster's name and place: a flavor or an image that is gone keeps no
cluster alive.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from .. import files
from ..engine import destroy
from ..engine.destroy import CLAIM, Wish
from ..engine.guard import Facts
from ..errors import ReconcilerError
from ..model.desired import Cluster
from ..model.plan import Plan
from ..model.presence import Nothing, Presence
from ..model.resource import Component, Expected, Kinds, Known, Observed, Resource, Unknown
from ..ports import Manifest
from ..spec.load import DesiredCluster
from ..spec.render import objects
from ..spec.render.machines import CONTROL_PLANE_GROUP
from ..spec.wiring import Outputs
from .objects_compared import Rendered, compared, render
from .own_api import running
from .presence import at_hand
from .recognise import recognised
from .sight import Sight
from .survey import Survey
from .toolkit import Toolkit

_ON_KUBERNETES = (Component.WORKLOADS, Component.APPLICATIONS)
# Of a cluster's folder of state: who holds it, and which commits were reached.
_EMPTIED = "emptied"
_STAYS = ("lock", "lease", "lease-seen", "reached")


def wish_of(cluster: Cluster) -> Wish | None:
    """What git says of the cluster's end; None where it is to live."""
    spec = cluster.spec
    return Wish(volumes=spec.destroy_volumes) if spec.lifecycle == "destroy" else None


def look(
    desired: DesiredCluster, content: Mapping[str, bytes], tools: Toolkit, applied: Expected, survey: Survey
) -> Sight:
    """What there is of a cluster, beside nothing that is wanted. `content` is the commit's. Raises what
    Cloud.observe raises."""
    snapshot, shared = survey.of(desired.cluster.spec.cloud)
    ids = tools.terraform_state(tools.workspace(desired.name))
    infrastructure = recognised(desired.cluster, snapshot.of(desired.name), ids)
    there = _presence(desired, infrastructure, tools)
    absent = isinstance(there, Nothing)
    wanted = _kinds_of(desired, content, applied)
    nothing = Rendered(
        {Component.WORKLOADS: {"": ()}, Component.APPLICATIONS: {app.spec.target: () for app in desired.applications}},
        objects.Arranged((), {}, {}),
        {},
        {},
    )
    kinds = {c: dict(compared(desired, c, nothing, tools, wanted, there).live) for c in _ON_KUBERNETES}
    outliving = () if absent else _outliving(desired, tools, there)
    if isinstance(outliving, Unknown):
        kinds[Component.WORKLOADS][CLAIM] = outliving
    observed = Observed({Component.INFRASTRUCTURE: infrastructure, **kinds})
    working = running(desired.name, tools, there)
    left = () if isinstance(outliving, Unknown) else outliving
    return Sight(Expected({}), observed, shared=shared, sessions=working, outliving=left)


def plan(desired: DesiredCluster, commit: str, sight: Sight, wish: Wish, facts: Facts) -> Plan:
    """The steps that are left of a cluster's end, guarded."""
    named = destroy.digest(desired.name, desired.cluster.spec.model_dump(mode="json"), wish.volumes)
    return destroy.plan(desired.name, commit, sight.observed, sight.outliving, wish, facts, named=named)


def forget(state: Path, cluster: str) -> None:
    """What this machine remembers of a cluster that is no more: a later one of its name is another. Who may apply it,
    and from which commit, stays."""
    folder = state / cluster
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.name in _STAYS:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def _presence(desired: DesiredCluster, infrastructure: Kinds, tools: Toolkit) -> Presence:
    """Is there certainly nothing to ask a Kubernetes for (any more)? Where none of its control plane is left; where it
    was seen empty and its control plane has begun to go, so that what is left of it may not answer; and where the
    machines say so. Without a kubeconfig here it is fetched from them."""
    servers = infrastructure.get("server", Unknown("was not listed"))
    if isinstance(servers, Known):
        members = _control_plane(desired, servers.resources)
        if not members or _began(desired, tools, servers.resources, members):
            return Nothing()
    return at_hand(desired.cluster, tools, infrastructure)


def _control_plane(desired: DesiredCluster, servers: Sequence[Resource]) -> set[str]:
    prefix = f"{desired.name}-{CONTROL_PLANE_GROUP}-"
    return {s.id for s in servers if s.name.startswith(prefix)}


def begin(desired: DesiredCluster, tools: Toolkit, sight: Sight) -> None:
    """Write down on which servers the cluster was when its machines began to go: nothing is left on it by then. Raises
    Transient when that can't be written."""
    servers = sight.observed.resources(Component.INFRASTRUCTURE, "server")
    members = _control_plane(desired, servers)
    if members and not _began(desired, tools, servers, members):
        said = {"servers": sorted(s.id for s in servers), "controlPlane": sorted(members)}
        files.write(tools.state / desired.name / _EMPTIED, json.dumps(said))


def _began(desired: DesiredCluster, tools: Toolkit, servers: Sequence[Resource], members: set[str]) -> bool:
    """Is this what is left of the machines it was seen empty on? Any other one may have been made since, to be used."""
    try:
        said = json.loads((tools.state / desired.name / _EMPTIED).read_bytes())
        before, then = set(said["servers"]), set(said["controlPlane"])
    except (OSError, ValueError, LookupError, TypeError):
        return False
    return {s.id for s in servers} <= before and members < then


def _kinds_of(desired: DesiredCluster, content: Mapping[str, bytes], applied: Expected) -> Expected:
    """Which kinds of objects there may be: those of the record, and those of git as far as they can be rendered."""
    known = {c: list(applied.resources(c)) for c in _ON_KUBERNETES}
    with contextlib.suppress(ReconcilerError):
        made = render(desired, content, Outputs())
        for component, by_target in made.manifests.items():
            for target, manifests in by_target.items():
                known[component] += [_typed(m, target) for m in manifests]
    return Expected({component: tuple(resources) for component, resources in known.items()})


def _typed(manifest: Manifest, target: str) -> Resource:
    made = objects.resource(manifest)
    return replace(made, type=f"{manifest['apiVersion']}/{manifest['kind']}", target=target)


def _outliving(desired: DesiredCluster, tools: Toolkit, there: Presence) -> tuple[Resource, ...] | Unknown:
    return there if isinstance(there, Unknown) else tools.kubernetes(tools.api(desired.name)).outliving()
