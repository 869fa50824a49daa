"""Is a cluster's Kubernetes there? A kubeconfig that this machine does not have says nothing about that: the machines
are asked. Only they, or there being none, can say that nothing is there."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..errors import ReconcilerError
from ..model.desired import Cluster
from ..model.presence import Installed, Nothing, Presence, Traces
from ..model.resource import Kinds, Known, Listing, Resource, Unknown
from ..report.values import some
from ..spec import kubeconfig
from ..spec.render.kubernetes import reached
from ..spec.render.machines import CONTROL_PLANE_GROUP, ETCD_GROUP, Role, machines
from . import installed, regain
from .regain import Machines
from .toolkit import Toolkit
from .ways_in import balancer_of

_MEMBERS = ("control-plane", "etcd")


def presence(
    cluster: Cluster,
    tools: Toolkit,
    infrastructure: Kinds,
    nodes: Listing | None,
    awaited: Collection[str] = (),
) -> Presence:
    """Whether there is a Kubernetes, and its kubeconfig here if it can be had. `infrastructure` is what is live in the
    cloud under git's names; `nodes` what the API says by the kubeconfig that is here, None where there is none;
    `awaited` are machines that were made just now. No machine is asked where nothing is missing. Raises Transient
    where a file of ours can't be written.
    """
    if isinstance(nodes, Known):
        installed.ended(tools.state, cluster.name)
        return Installed()
    servers = infrastructure.get("server", Unknown("was not asked for"))
    dead, outdated = _dead(cluster, tools, servers), _outdated(cluster, tools, infrastructure)
    if nodes is not None and not (dead or outdated or _lacks(cluster, tools, nodes)):
        return Installed()
    given = bool(tools.given(cluster.name))  # then another one would be of no use
    fetches = nodes is None or outdated or (nodes.refused and not given)
    members = _of(cluster, "control-plane") if dead else _members(cluster)
    seen = _by_asking(cluster, tools, infrastructure, members, awaited, fetches=fetches)
    if nodes is None:
        return seen
    if nodes.refused and not given:
        regain.note(tools, cluster.name)
    if nodes.refused and not dead:
        return seen if isinstance(seen, Installed) else Installed()  # somebody answers there, so something is
    return Installed() if isinstance(seen, Unknown) else seen  # why its nodes are unknown is the better reason


def at_hand(cluster: Cluster, tools: Toolkit, infrastructure: Kinds) -> Presence:
    """The same for who only needs the kubeconfig: one that is here is good enough, if its address is one of today."""
    here = tools.api(cluster.name).kubeconfig.exists()
    if here and not _outdated(cluster, tools, infrastructure):
        return Installed()
    seen = presence(cluster, tools, infrastructure, None)
    return Installed() if here and isinstance(seen, Unknown) else seen


def learn(cluster: Cluster, tools: Toolkit, infrastructure: Kinds, nodes: Listing, seen: Presence) -> None:
    """Write down on which servers control plane and etcd are, where that is not known here: from the nodes'
    providerIDs, and from what the machines say where a providerID says nothing. Where one of them says nothing at all,
    nothing is written: half of it would have the other half installed again."""
    servers = infrastructure.get("server")
    if not (isinstance(nodes, Known) and isinstance(servers, Known) and isinstance(seen, Installed)):
        return
    joined = {n.name: str(n.fields.get("provider_id") or "").rpartition("/")[2] for n in nodes.resources}
    live = {s.name: s for s in servers.resources}
    if before := installed.installed_on(tools.state, cluster.name):
        _correct(cluster, Machines(cluster, tools, infrastructure, live), before, joined)
        return
    open_questions = [m for m in _members(cluster) if not joined.get(m) and (m in joined or m in _of(cluster, "etcd"))]
    silent = [m for m in open_questions if m in live and m not in seen.traces]
    traces = {**seen.traces, **Machines(cluster, tools, infrastructure, live).traces(silent)}
    if any(isinstance(traces.get(m), Unknown) for m in open_questions):
        return
    hosts = {name: joined[name] for name in _members(cluster) if joined.get(name)}
    hosts |= _by_traces(open_questions, live, traces, joined)
    if hosts:
        installed.write(tools.state, cluster.name, hosts)


def _correct(cluster: Cluster, machines: Machines, before: Mapping[str, str], joined: Mapping[str, str]) -> None:
    """Another machine may have replaced or added members since the note was written here: whoever joined on the server
    that is live is installed there, and a machine of etcd's own that has its data is, too."""
    live = machines.servers
    now = {name: live[name].id for name in _members(cluster) if name in live and joined.get(name) == live[name].id}
    etcd = [name for name in _of(cluster, "etcd") if name in live and before.get(name, live[name].id) != live[name].id]
    answers = machines.traces(etcd) if etcd else {}
    now |= {name: live[name].id for name, answer in answers.items() if isinstance(answer, Traces) and answer.etcd}
    if any(before.get(name) != id for name, id in now.items()):
        installed.write(machines.tools.state, cluster.name, {**before, **now})


def _by_traces(
    names: Collection[str],
    live: Mapping[str, Resource],
    traces: Mapping[str, Traces | Unknown],
    joined: Collection[str],
) -> dict[str, str]:
    """Of these members, the servers they are on. One that etcd or the API knows, and whose machine has nothing of it,
    was on a server that is gone: nobody knows its id any more."""
    known = {member for t in traces.values() if isinstance(t, Traces) for member in t.members}
    hosts: dict[str, str] = {}
    for name in names:
        answer = traces.get(name)
        if isinstance(answer, Traces) and answer.any:
            hosts[name] = live[name].id
        elif f"etcd-{name}" in known or name in joined:
            hosts[name] = ""
    return hosts


def _members(cluster: Cluster) -> list[str]:
    return [m.name for m in machines(cluster) if m.role in _MEMBERS]


def _of(cluster: Cluster, role: Role) -> list[str]:
    return [m.name for m in machines(cluster) if m.role == role]


def _dead(cluster: Cluster, tools: Toolkit, servers: Listing) -> bool:
    """Is every control-plane machine that it was installed on, as far as is known here, gone? Another machine may have
    replaced them one by one: those that are there now have the last word."""
    if isinstance(servers, Unknown):
        return False
    prefix = f"{cluster.name}-{CONTROL_PLANE_GROUP}-"
    known = installed.installed_on(tools.state, cluster.name)
    before = {id for name, id in known.items() if name.startswith(prefix)}
    return bool(before) and before.isdisjoint({s.id for s in servers.resources})


def _outdated(cluster: Cluster, tools: Toolkit, infrastructure: Kinds) -> bool:
    """Does the kubeconfig that was fetched here name an address that no control plane has any more? Another machine may
    have replaced the one that had it."""
    there, file = infrastructure.get("server"), tools.kubespray.kubeconfig(cluster.name)
    unseen = cluster.spec.api_load_balancer and not isinstance(infrastructure.get("load_balancer"), Known)
    if tools.given(cluster.name) or unseen or not isinstance(there, Known):
        return False
    try:
        at, balancer = kubeconfig.read(file.name, file.read_bytes()).server, balancer_of(cluster, infrastructure)
        places = {reached(cluster, [server], balancer) for server in there.resources} | {reached(cluster, [], balancer)}
    except (OSError, ReconcilerError):  # there is none, or an address that is none: who uses them says so
        return False
    return at not in places


def _lacks(cluster: Cluster, tools: Toolkit, nodes: Unknown) -> bool:
    """Of an API that says nothing: could the machines say more than is known here?"""
    if nodes.refused:
        return regain.may_ask_again(tools, cluster.name)
    return not tools.given(cluster.name) and not installed.installed_on(tools.state, cluster.name)


def _by_asking(
    cluster: Cluster,
    tools: Toolkit,
    infrastructure: Kinds,
    names: Collection[str],
    awaited: Collection[str],
    *,
    fetches: bool,
) -> Presence:
    """What those machines say that are called `names`. With `fetches`, the kubeconfig is fetched from one that has
    it."""
    name, servers = cluster.name, infrastructure.get("server", Unknown("was not asked for"))
    if isinstance(servers, Unknown):
        return _unknown(name, f"the cloud does not say which machines it has: {servers.reason}", servers.hint)
    live = {s.name: s for s in servers.resources}
    members = [member for member in names if member in live]
    there = Machines(cluster, tools, infrastructure, live)
    traces = there.traces(members, [member for member in members if member in awaited])
    parts, silent = _parts(traces), _silent(traces)
    began_here = {(part, live[part].id) for part in parts} <= installed.begun(tools.state, name)
    if parts and not silent and began_here and not there.living(_having(traces)):
        return Nothing()  # it never came to its end: where an API lives, another machine may have gone on with it
    if parts and not fetches:
        return Installed(traces=traces)
    having = offering(cluster, live, traces)
    if not isinstance(having, list):
        return having
    try:
        there.kubeconfig(having)
    except ReconcilerError as error:
        return _unknown(name, f"none could be fetched: {error.message}", error.hint)
    return Installed(regained=True, traces=traces)


def offering(
    cluster: Cluster, live: Collection[str], traces: Mapping[str, Traces | Unknown]
) -> list[str] | Nothing | Unknown:
    """What the answers of a cluster's machines come to: who of control plane and etcd has a kubeconfig to give, Nothing
    where certainly nothing is there, else why nobody knows. `live` are the names of its servers."""
    name, named = cluster.name, _members(cluster)
    answers = {member: traces[member] for member in named if member in traces}
    if having := _having(answers):
        return having
    if silent := _silent(answers):
        return _unknown(name, silent.reason, silent.hint)
    if parts := _parts(answers):
        hint = (
            "an installation that did not end goes on where it was begun; else look there (reconciler ssh): etcd's "
            "data may be all that is left of a cluster; what nobody needs any more goes with its server"
        )
        return _unknown(name, f"{some(parts)} has a part of a Kubernetes and no admin.conf", hint)
    prefixes = tuple(f"{name}-{group}-" for group in (CONTROL_PLANE_GROUP, ETCD_GROUP))
    if others := sorted(other for other in live if other.startswith(prefixes) and other not in named):
        hint = "name them in git again, or delete their servers"
        return _unknown(name, f"{some(others)} may have its control plane: git does not name them", hint)
    return Nothing()


def _silent(traces: Mapping[str, Traces | Unknown]) -> Unknown | None:
    """Why one of them says nothing."""
    return next((answer for answer in traces.values() if isinstance(answer, Unknown)), None)


def _having(traces: Mapping[str, Traces | Unknown]) -> list[str]:
    """Who has a kubeconfig to give."""
    return [member for member, answer in traces.items() if isinstance(answer, Traces) and answer.kubeconfig]


def _parts(traces: Mapping[str, Traces | Unknown]) -> list[str]:
    return sorted(member for member, answer in traces.items() if isinstance(answer, Traces) and answer.any)


def _unknown(cluster: str, reason: str, hint: str | None) -> Unknown:
    cure = f"or put {cluster}.yaml into the folder `kubeconfigs` of the settings"
    return Unknown(f"there is no kubeconfig of {cluster} here, and {reason}", f"{hint}; {cure}" if hint else cure)
