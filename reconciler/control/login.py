"""Which command line logs a person in to one of a cluster's machines."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from ..errors import Invalid, Permanent, Transient
from ..model.desired import Cluster
from ..model.resource import Resource, Unknown
from ..ports import Logins
from ..report.values import some
from ..spec.load import DesiredCluster
from ..spec.render.kubernetes import Hosts, inventory
from ..spec.render.machines import machines
from . import host_keys
from .recognise import recognised
from .toolkit import Toolkit


def command_line(
    desired: DesiredCluster, machine: str, command: Sequence[str], tools: Toolkit, logins: Logins
) -> list[str]:
    """ssh's arguments for a machine, given by its whole name or without the cluster's. Asks the cloud where it is.
    Raises Invalid for a machine that git does not have, Permanent for one without a server, Transient where the cloud
    does not say, and what the cloud and the key raise."""
    cluster = desired.cluster
    name = _named(cluster, machine)
    servers = servers_of(cluster, tools)
    live = inventory(cluster, Hosts(servers))
    host_keys.pin(cluster, servers, tools, names=[name])
    argv = logins.login(cluster.name, live, name, command)
    if argv is None:
        raise Permanent(
            f"{name} has no server in the cloud", hint=f"reconciler plan {cluster.name} says what is missing"
        )
    return argv


def _named(cluster: Cluster, machine: str) -> str:
    names = [m.name for m in machines(cluster)]
    for candidate in (machine, f"{cluster.name}-{machine}"):
        if candidate in names:
            return candidate
    near = get_close_matches(machine, names, n=1) or get_close_matches(f"{cluster.name}-{machine}", names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"its machines are {some(names)}"
    raise Invalid(f"cluster {cluster.name!r} has no machine {machine!r}", hint=hint)


def servers_of(cluster: Cluster, tools: Toolkit) -> Sequence[Resource]:
    """The cluster's live servers. Raises Transient where the cloud does not say, and what the cloud raises."""
    snapshot = tools.cloud(cluster.spec.cloud).observe((cluster.name,))
    state = tools.terraform_state(tools.workspace(cluster.name))
    listing = recognised(cluster, snapshot.of(cluster.name), state)["server"]
    if isinstance(listing, Unknown):
        raise Transient(f"the cloud does not say where the machines are: {listing.reason}", hint=listing.hint)
    return listing.resources
