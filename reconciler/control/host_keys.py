"""The host keys of a cluster's machines: from a verified record bound to the server's id, else from the console's log
in Nova, else the one that answered first here.

What is known is pinned before ssh starts, so that no first answer is believed of a machine that somebody vouched for.
Only machines that nothing is known of here are asked about. The memory is a file of this machine, and one of the
observed branch for the others (decision 0085).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .. import files, interrupt
from ..engine import host_keys
from ..errors import Permanent, Transient
from ..model.change import Difference
from ..model.desired import Cluster
from ..model.host_key import Source, Vouched, machines, parse
from ..model.resource import Resource, Unknown
from ..ports import Place, Repository
from ..spec.render.hosts import address as address_of
from ..spec.render.machines import machines as all_machines
from ..spec.yaml import Unreadable
from ..yaml_text import dump
from . import shapes
from .toolkit import Toolkit

RECORD = "hosts.yaml"
_MEMORY = "host-keys.yaml"
_BOOT_SECONDS = 30.0  # how long a machine that just started may take until it has printed its keys
_POLL_SECONDS, _LONGEST_POLL = 1.0, 4.0
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Remembered:
    """The keys of one server, the address it had then ("" where that is not known), and whether its console was asked:
    once is enough where that said nothing."""

    vouched: Vouched
    address: str = ""
    asked: bool = False


def pin(
    cluster: Cluster,
    servers: Sequence[Resource],
    tools: Toolkit,
    *,
    names: Collection[str] | None = None,
    booting: Collection[str] = (),
) -> None:
    """Insist from now on on what is known of the live `servers`: of those called `names` and the bastion before them,
    of all without it. Waits up to half a minute for those that are `booting` and have a console. Raises Transient where
    that can't be written."""
    if not servers:
        return
    known, everywhere = remembered(tools.state, cluster.name), _places(cluster, servers)
    live, patient = {server.id for server in servers}, {server.id for server in servers if server.name in booting}
    if earlier := _earlier(known, live, everywhere):
        tools.kubespray.forget(cluster.name, sorted(earlier))
    meant = {*(names or ()), *(m.name for m in all_machines(cluster) if m.role == "bastion")}
    ids = {server.id for server in servers if names is None or server.name in meant}
    places = {id: place for id, place in everywhere.items() if id in ids}
    answered = _answered(cluster, everywhere, tools)
    vouched = _vouched(known, recorded(tools.repository, cluster.name), everywhere)
    unasked = [id for id in places if id not in vouched and not (id in answered and id in known and known[id].asked)]
    if unasked:
        vouched |= _consoles(cluster, unasked, patient - answered.keys(), tools)
    # another key where these were pinned before was written there by a person of this machine
    by_hand = {id for id, v in vouched.items() if id in answered and id in known and known[id].vouched.keys == v.keys}
    changed = {id: v for id, v in vouched.items() if answered.get(id) != v and id not in by_hand}
    if changed:
        tools.kubespray.pin(cluster.name, {everywhere[id]: v for id, v in changed.items()})
    looked_at = {**{id: v for id, v in answered.items() if id in ids}, **vouched}
    after = {id: Remembered(v, everywhere[id][0], asked=True) for id, v in looked_at.items()}
    _write(tools.state, cluster.name, {**{id: k for id, k in known.items() if id in live}, **after}, known)


def learned(cluster: Cluster, servers: Sequence[Resource], tools: Toolkit) -> Mapping[str, Remembered]:
    """What is known here of the live servers, by id, with the keys that ssh learned since. Asks nobody."""
    known, places = remembered(tools.state, cluster.name), _places(cluster, servers)
    met = {id: place for id, place in places.items() if id not in known or known[id].vouched.source is Source.CONTACT}
    live = {server.id for server in servers}
    earlier = _earlier(known, live, places)  # a key there may be of who was there before
    first = {
        id: Remembered(vouched, places[id][0], asked=id in known and known[id].asked)
        for id, vouched in (_answered(cluster, met, tools) if met else {}).items()
        if places[id][0] not in earlier
    }
    with contextlib.suppress(Transient):  # what can't be kept is learned again
        _write(tools.state, cluster.name, {**known, **first}, known)
    return {**{id: k for id, k in known.items() if id in live and id not in met}, **first}


def notices(cluster: Cluster, servers: Sequence[Resource], tools: Toolkit) -> tuple[Difference, ...]:
    """Of which machines the key is only the one that answered first here, until a verified record has it."""
    known, record = learned(cluster, servers, tools), recorded(tools.repository, cluster.name)
    names = {server.id: server.name for server in servers}
    return host_keys.notices({names[id]: k.vouched for id, k in known.items() if id not in record})


def text(cluster: Cluster, servers: Sequence[Resource], tools: Toolkit, there: bytes = b"") -> str:
    """What is to be recorded of the live servers; "" for nothing. What a record says that is `there` stands, if it is
    verified; else what is known here does, and what only others know is kept where nobody believes it for our sake: who
    signs must not vouch for what somebody else pushed."""
    known = learned(cluster, servers, tools) if servers else remembered(tools.state, cluster.name)
    live = {server.id for server in servers}  # none: who can't be listed is remembered as it was
    theirs = {id: k for id, k in read(there, lambda _: None).items() if id in live or not live}
    if tools.repository.verified():
        return written({**known, **theirs})
    if tools.repository.signing:
        return written(known)
    same = {id for id, k in theirs.items() if id in known and known[id].vouched.keys == k.vouched.keys}
    return written({**theirs, **{id: k for id, k in known.items() if id not in same}})


def record_files(
    cluster: Cluster | None, servers: Sequence[Resource], tools: Toolkit, there: Mapping[str, bytes]
) -> Mapping[str, str]:
    """The file of the record beside what the cluster's folder has there, by path; none for nothing, and none for a
    cluster that ends."""
    if cluster is None:
        return {}
    path = f"{cluster.name}/{RECORD}"
    content = text(cluster, servers, tools, there.get(path, b""))
    return {path: content} if content else {}


def recorded(repository: Repository, cluster: str) -> Mapping[str, Vouched]:
    """The keys by server id that the observed branch vouches for; none where records are not verified, as anybody may
    have pushed them."""
    if not repository.verified():
        return {}
    path = f"{cluster}/{RECORD}"
    content = repository.observed(cluster).get(path, b"")
    keys = read(content, lambda why: repository.disregard(path, content, why))
    return {id: Vouched(k.vouched.keys, Source.RECORD) for id, k in keys.items()}


def remembered(state: Path, cluster: str) -> dict[str, Remembered]:
    """What this machine knows, by server id."""
    try:
        return read((state / cluster / _MEMORY).read_bytes(), lambda _: None)
    except OSError:
        return {}


def read(content: bytes, doubt: shapes.Doubt) -> dict[str, Remembered]:
    """The keys of a record by server id. A server with anything that is no host key is left out, a record that can't be
    read counts as none, and `doubt` hears why."""
    try:
        shaped = shapes.read(shapes.HOST_KEYS, RECORD, content, {})
    except Unreadable as error:
        doubt(str(error))
        return {}
    result = {}
    for id, entry in shaped.items():
        parsed = [parse(line) for line in entry.keys]
        keys = machines([key for key in parsed if key])
        if None in parsed or not keys:
            doubt(f"{RECORD}: the keys of {id} are no host keys of one machine")
            continue
        result[id] = Remembered(Vouched(keys, Source[entry.source.upper()]), entry.address, entry.asked)
    return result


def _vouched(
    known: Mapping[str, Remembered], record: Mapping[str, Vouched], places: Mapping[str, Place]
) -> dict[str, Vouched]:
    """What counts without asking anybody: the record, else what is remembered. Of a first contact that is so only for
    a server that answers elsewhere since: its key goes with it; else ssh's own list has it, or a person took it out."""
    keys = {}
    for id, (address, _) in places.items():
        if id in record:
            keys[id] = record[id]
        elif id in known and (known[id].vouched.source is not Source.CONTACT or known[id].address not in ("", address)):
            keys[id] = known[id].vouched
    return keys


def _consoles(cluster: Cluster, ids: Sequence[str], patient: Collection[str], tools: Toolkit) -> dict[str, Vouched]:
    """What the servers' consoles say, all asked side by side; those that are `patient` again until they are through."""
    cloud, deadline = tools.cloud(cluster.spec.cloud), time.monotonic() + _BOOT_SECONDS
    vouched: dict[str, Vouched] = {}
    waiting, wait = list(ids), _POLL_SECONDS
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="console") as pool:
        while waiting:
            logs = dict(zip(waiting, pool.map(cloud.console, waiting), strict=True))
            for id, log in logs.items():
                if isinstance(log, str) and (keys := host_keys.of_console(log)):
                    vouched[id] = Vouched(keys, Source.CONSOLE)
            if unread := {log.reason for log in logs.values() if isinstance(log, Unknown)}:
                tools.progress.log(f"consoles that can't be read: {'; '.join(sorted(unread)[:3])}")
            waiting = [
                id for id, log in logs.items() if id in patient and isinstance(log, str) and not host_keys.printed(log)
            ]
            if time.monotonic() > deadline:
                break
            if waiting:
                interrupt.check()
                interrupt.wait(wait)
                wait = min(_LONGEST_POLL, wait * 2)
    return vouched


def _earlier(known: Mapping[str, Remembered], live: Collection[str], places: Mapping[str, Place]) -> set[str]:
    """Addresses at which another key is right now: of a server that is gone (one that is made again has another id),
    and of one that answers elsewhere since, as its floating IP was moved or given to another one."""
    holders = {address: id for id, (address, _) in places.items()}
    theirs = {k.address for id, k in known.items() if holders.get(k.address) == id}
    left = {k.address for id, k in known.items() if id not in live or id in places or k.address in holders}
    return left - theirs - {""}


def _answered(cluster: Cluster, places: Mapping[str, Place], tools: Toolkit) -> dict[str, Vouched]:
    """The keys that ssh insists on here, by the server's id."""
    keys = tools.kubespray.host_keys(cluster.name, tuple(places.values()))
    return {id: keys[place] for id, place in places.items() if place in keys}


def _places(cluster: Cluster, servers: Iterable[Resource]) -> dict[str, Place]:
    """Where the servers answer, by id; without those that have no address, or none that is one."""
    port = cluster.spec.ssh.port
    places = {}
    for server in servers:
        try:
            at = address_of(server, "address")
        except Permanent:
            continue
        if at:
            places[server.id] = (at, port)
    return places


def _write(state: Path, cluster: str, after: Mapping[str, Remembered], before: Mapping[str, Remembered]) -> None:
    if after == before:
        return
    file = state / cluster / _MEMORY
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise files.unwritable(file, error) from None
    files.write(file, dump({id: _plain(k) | ({"asked": True} if k.asked else {}) for id, k in sorted(after.items())}))


def written(known: Mapping[str, Remembered]) -> str:
    """The record of these servers, by id; "" for none."""
    return dump({id: _plain(k) for id, k in sorted(known.items())}) if known else ""


def _plain(known: Remembered) -> dict[str, object]:
    entry: dict[str, object] = {"keys": [str(key) for key in known.vouched.keys]}
    entry["source"] = known.vouched.source.name.lower()
    return entry | ({"address": known.address} if known.address else {})
