"""One project of one cloud: every list call once, side by side, for all clusters in it."""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from ...errors import Permanent, ReconcilerError, Transient
from ...model.login import Login
from ...model.naming import REBOOTED
from ...model.quota import Quota
from ...model.resource import Known, Listing, Resource, Unknown
from ...ports import CloudSnapshot, Touched
from . import addresses, balancers, changes, conditions, consoles, images, normalise, quotas
from .containers import BackupContainers
from .login import connect, explain
from .normalise import Names
from .resolve import written

_CALLS: dict[str, Callable[[Any], Any]] = {
    "servers": lambda c: c.compute.servers(details=True, microversion=_microversion(c)),
    "server_groups": lambda c: c.compute.server_groups(),
    "keypairs": lambda c: c.compute.keypairs(),
    "flavors": lambda c: c.compute.flavors(details=True),
    "networks": lambda c: c.network.networks(),
    "subnets": lambda c: c.network.subnets(),
    "routers": lambda c: c.network.routers(),
    "ports": lambda c: c.network.ports(),
    "security_groups": lambda c: c.network.security_groups(),
    "floating_ips": lambda c: c.network.ips(),
    "images": lambda c: c.image.images(),
    "volumes": lambda c: c.block_storage.volumes(details=True),
    "volume_types": lambda c: c.block_storage.types(),
    "load_balancers": lambda c: c.load_balancer.load_balancers(),
    "listeners": lambda c: c.load_balancer.listeners(),
    "pools": lambda c: c.load_balancer.pools(),
    "monitors": lambda c: c.load_balancer.health_monitors(),
}
# What not every cloud has: where the catalogue has no such service, there is nothing of its kind.
_OPTIONAL = {
    **dict.fromkeys(("volumes", "volume_types"), "block-storage"),
    **dict.fromkeys(("load_balancers", "listeners", "pools", "monitors"), "load-balancer"),
}
# What each kind is made from besides its own list: without these, its fields cannot be told.
_NEEDS: dict[str, tuple[str, ...]] = {
    "network": ("networks",),
    "subnet": ("subnets", "networks"),
    "router": ("routers", "networks"),
    "router_interface": ("ports", "routers", "subnets", "networks"),
    "security_group": ("security_groups",),
    "security_group_rule": ("security_groups",),
    "port": ("ports", "networks", "subnets", "security_groups", "servers"),
    "floating_ip": ("floating_ips", "ports", "networks", "servers"),
    "keypair": ("keypairs",),
    "server_group": ("server_groups",),
    "server": ("servers", "server_groups", "ports", "images"),
    "load_balancer": ("load_balancers", "floating_ips", "subnets"),
    "listener": ("listeners", "load_balancers", "pools"),
    "pool": ("pools", "load_balancers"),
    "monitor": ("monitors", "pools", "load_balancers"),
    "member": ("members", "pools", "load_balancers", "ports", "servers"),
}
_CATALOGUES = ("networks", "volume_types")
_DELETE: dict[str, Callable[[Any, str], Any]] = {
    "server": lambda c, id: c.compute.delete_server(id),
    "server_group": lambda c, id: c.compute.delete_server_group(id),
    "keypair": lambda c, id: c.compute.delete_keypair(id),
    "floating_ip": lambda c, id: c.network.delete_ip(id),
    "load_balancer": lambda c, id: c.load_balancer.delete_load_balancer(id, cascade=True),
    "listener": lambda c, id: c.load_balancer.delete_listener(id),
    "pool": lambda c, id: c.load_balancer.delete_pool(id),
    "monitor": lambda c, id: c.load_balancer.delete_health_monitor(id),
    "member": lambda c, id: c.load_balancer.delete_member(id.partition("/")[2], id.partition("/")[0]),
    "port": lambda c, id: c.network.delete_port(id),
    "security_group_rule": lambda c, id: c.network.delete_security_group_rule(id),
    "security_group": lambda c, id: c.network.delete_security_group(id),
    "router": lambda c, id: c.network.delete_router(id),
    "subnet": lambda c, id: c.network.delete_subnet(id),
    "network": lambda c, id: c.network.delete_network(id),
}
# What is deleted some time after it was asked for: a load balancer takes no other change until then.
_AWAITED: dict[str, Callable[[Any, str], Any]] = {
    "server": lambda c, id: c.compute.get_server(id),
    "load_balancer": lambda c, id: c.load_balancer.get_load_balancer(id),
    "listener": lambda c, id: c.load_balancer.get_listener(id),
    "pool": lambda c, id: c.load_balancer.get_pool(id),
    "monitor": lambda c, id: c.load_balancer.get_health_monitor(id),
    "member": lambda c, id: c.load_balancer.get_member(id.partition("/")[2], id.partition("/")[0]),
}
_PROJECT_ID = re.compile(r"[0-9A-Za-z_-]{1,255}")  # Keystone's are 32 or 64 characters of these long
_GONE_SECONDS = 300.0
_POLL_SECONDS = 0.5


class OpenStackCloud:
    """Implements ports.Cloud. `timeout` is in seconds and holds for each request. Not `alone`: nothing counts but what
    lies beside `clouds_file`, for the usual places are also others'."""

    def __init__(self, name: str, *, clouds_file: Path | None, timeout: float, alone: bool = True) -> None:
        self._name = name
        self._alone = alone
        self._clouds_file = clouds_file
        self._timeout = timeout
        self._entered: tuple[Any, Login] | None = None
        self._written: tuple[int, ...] = ()

    @property
    def connection(self) -> Any:
        """The connection, logged in at its first use and kept while clouds.yaml is what it was: the token is shared by
        every call."""
        return self._enter()[0]

    def login(self) -> Login:
        """How we are logged in, for whoever does after us. Raises as `observe` does."""
        return self._enter()[1]

    def _enter(self) -> tuple[Any, Login]:
        if self._entered is None or self._written != written(self._entered[0].config):
            self._entered = connect(self._name, self._clouds_file, self._timeout, alone=self._alone)
            self._written = written(self._entered[0].config)
        return self._entered

    def observe(self, clusters: Sequence[str]) -> CloudSnapshot:
        answers = self._list_all()
        makers = _makers(answers, clusters)
        kinds = {kind: _listing(_NEEDS[kind], answers, make) for kind, make in makers.items()}
        networks, types = (_catalogue(answers, key) for key in _CATALOGUES)
        usable = _listing(("images",), answers, lambda: images.usable(answers["images"]))
        flavors = _listing(("flavors",), answers, lambda: normalise.flavors(answers["flavors"]))
        return CloudSnapshot(kinds, flavors, usable, networks, types, _blind(answers, clusters))

    def project(self) -> str:
        """The id of the project that the login leads to: the same for every login to it. Raises as `observe` does;
        Permanent where the cloud names none."""
        try:
            id_ = self.connection.current_project_id
        except Exception as error:
            raise error if isinstance(error, ReconcilerError) else explain(self._name, error) from error
        if not isinstance(id_, str) or not _PROJECT_ID.fullmatch(id_):
            raise Permanent(
                f"cloud {self._name!r} does not say which project it logs us in to, and only so it could be told who "
                "else applies there",
                hint="log in to a project: by an application credential, or with project_name in clouds.yaml",
            )
        return id_

    def prune(self, kind: str, id: str) -> None:
        import openstack.exceptions as sdk

        try:
            if kind == "router_interface":
                port = self.connection.network.get_port(id)
                self.connection.network.remove_interface_from_router(port.device_id, port_id=id)
            else:
                _DELETE[kind](self.connection, id)
            self._await_gone(kind, id)
        except sdk.NotFoundException:
            return
        except Exception as error:
            raise error if isinstance(error, ReconcilerError) else explain(self._name, error) from error

    def join(self, port: str, subnet: str) -> None:
        try:
            addresses.join(self.connection.network, port, subnet)
        except Exception as error:
            raise error if isinstance(error, ReconcilerError) else explain(self._name, error) from error

    def _await_gone(self, kind: str, id: str) -> None:
        """Ask until the SDK's NotFoundException says so; Octavia may go on showing what it deleted as DELETED."""
        deadline = time.monotonic() + _GONE_SECONDS
        while kind in _AWAITED:
            found = _AWAITED[kind](self.connection, id)
            if "DELETED" in (getattr(found, "provisioning_status", ""), getattr(found, "status", "")):
                return
            if time.monotonic() > deadline:
                raise Transient(f"{kind} {id} is deleted, but not gone after {_GONE_SECONDS:g} s")
            time.sleep(_POLL_SECONDS)

    def reboot(self, server: str) -> None:
        """Reboot a server, hard, and write down when. Returns once it runs again. Raises Transient when it is gone or
        does not come back within 5 minutes."""
        compute, now = self.connection.compute, datetime.datetime.now(datetime.UTC)
        try:
            compute.set_server_metadata(server, **{REBOOTED: now.isoformat(timespec="seconds")})
            compute.reboot_server(server, "HARD")
            compute.wait_for_server(compute.get_server(server), interval=0.5, wait=300)
        except Exception as error:
            raise explain(self._name, error) from error

    def console(self, server: str) -> str | Unknown:
        """What the server wrote to its console: one request."""
        try:
            return consoles.log(self.connection, server)
        except Exception as error:
            said = error if isinstance(error, ReconcilerError) else explain(self._name, error)
            return Unknown(said.message, said.hint)

    def backups(self) -> BackupContainers:
        """Its object storage, for snapshots. Asks nobody yet."""
        return BackupContainers(self._name, lambda: self.connection)

    def quota(self) -> Quota:
        """What the project may have, and has: three requests, and up to five of Octavia. What can't be asked is left
        out."""
        return quotas.quota(self.connection)

    def touched(self, since: datetime.datetime) -> tuple[Touched, ...]:
        """The servers that changed since then, deleted ones included: one request. Raises as `observe` does."""
        try:
            return changes.touched(self.connection, since)
        except Exception as error:
            raise error if isinstance(error, ReconcilerError) else explain(self._name, error) from error

    def _list_all(self) -> dict[str, Any]:
        connection = self.connection
        there = {service: bool(connection.endpoint_for(service)) for service in set(_OPTIONAL.values())}
        calls = {name: call for name, call in _CALLS.items() if there.get(_OPTIONAL.get(name, ""), True)}
        with ThreadPoolExecutor(max_workers=len(calls), thread_name_prefix="openstack") as pool:
            running = {name: pool.submit(_fetch, call, connection) for name, call in calls.items()}
            answers = {name: self._answer(running[name]) if name in running else [] for name in _CALLS}
            answers["members"] = self._members(pool, answers)
            answers["servers"] = self._completed(answers)
        return answers

    def _completed(self, answers: Mapping[str, Any]) -> Any:
        """Nova's list does not say why a server found no host, and lacks those that can still be restored, whose name
        and port are kept."""
        servers, ports = answers["servers"], answers["ports"]
        if isinstance(servers, Unknown):
            return servers
        servers = conditions.with_faults(servers, self._server)
        if isinstance(ports, Unknown):
            return servers
        return [*servers, *conditions.unlisted((p for p in ports if normalise.tagged(p)), servers, self._server)]

    def _server(self, id: str) -> Any:
        """A server by its id; None where there is none, or nobody says."""
        try:
            return self.connection.compute.get_server(id)
        except Exception:
            return None

    def _members(self, pool: ThreadPoolExecutor, answers: Mapping[str, Any]) -> Any:
        """Octavia lists members one pool at a time: only those of our own pools are asked for. Returns them by the
        pool's id."""
        if isinstance(answers["pools"], Unknown) or isinstance(answers["load_balancers"], Unknown):
            return {}
        owned = balancers.ours(answers["load_balancers"])
        mine = [p.id for p in answers["pools"] if any(b["id"] in owned for b in p.loadbalancers or ())]
        asked = {id: pool.submit(_fetch, partial(_members_of, id), self.connection) for id in mine}
        found = {id: self._answer(future) for id, future in asked.items()}
        return next((answer for answer in found.values() if isinstance(answer, Unknown)), found)

    def _answer(self, future: Future[Any]) -> Any:
        try:
            return future.result()
        except Exception as error:
            said = error if isinstance(error, ReconcilerError) else explain(self._name, error)
            return Unknown(said.message, said.hint)


def _members_of(pool: str, connection: Any) -> Any:
    return connection.load_balancer.members(pool)


def _microversion(connection: Any) -> str | None:
    """Servers as of 2.73 have all we compare. What newer ones add costs Nova a query for every server: half as much
    again for a list of 50."""
    from openstack.utils import maximum_supported_microversion

    found: str | None = maximum_supported_microversion(connection.compute, "2.73")
    return found


def _fetch(call: Callable[[Any], Any], connection: Any) -> list[Any]:
    return list(call(connection))


def _makers(answers: Mapping[str, Any], clusters: Sequence[str]) -> dict[str, Callable[[], Any]]:
    """How each kind's resources are made. Called only when all it needs is known."""
    a, names = answers, _names(answers)

    def octavia() -> dict[str, Any]:
        return {} if isinstance(a["load_balancers"], Unknown) else balancers.ours(a["load_balancers"])

    def disks() -> dict[str, Any]:
        volumes = [] if isinstance(a["volumes"], Unknown) else a["volumes"]
        return normalise.root_disks((s for s in a["servers"] if normalise.on_a_volume(s, clusters)), volumes)

    return {
        "network": lambda: normalise.networks(a["networks"]),
        "subnet": lambda: normalise.subnets(a["subnets"], names),
        "router": lambda: normalise.routers(a["routers"], names),
        "router_interface": lambda: normalise.router_interfaces(
            a["ports"], normalise.routers(a["routers"], names), names
        ),
        "security_group": lambda: normalise.security_groups(a["security_groups"]),
        "security_group_rule": lambda: normalise.security_group_rules(a["security_groups"], names),
        "port": lambda: normalise.ports(a["ports"], names),
        "floating_ip": lambda: normalise.floating_ips(
            a["floating_ips"], {p.id: p for p in a["ports"]}, names, octavia()
        ),
        "keypair": lambda: normalise.keypairs(a["keypairs"], clusters),
        "server_group": lambda: normalise.server_groups(a["server_groups"], clusters),
        "server": lambda: normalise.servers(a["servers"], a["server_groups"], a["ports"], disks(), names),
        "load_balancer": lambda: balancers.load_balancers(a["load_balancers"], a["floating_ips"], names),
        "listener": lambda: balancers.listeners(a["listeners"], octavia(), a["pools"]),
        "pool": lambda: balancers.pools(a["pools"], octavia()),
        "monitor": lambda: balancers.monitors(a["monitors"], octavia(), a["pools"]),
        "member": lambda: balancers.members(a["members"], octavia(), a["pools"], a["ports"], names),
    }


def _blind(answers: Mapping[str, Any], clusters: Sequence[str]) -> dict[str, dict[str, Unknown]]:
    """What not every cloud has is missed only where something stands on it: volumes by machines that have one as their
    root disk, load balancers by floating IPs that lead to one."""
    volumes, octavia = answers["volumes"], answers["load_balancers"]
    found: dict[str, dict[str, Unknown]] = {}
    if isinstance(volumes, Unknown) and not isinstance(answers["servers"], Unknown):
        owners = {normalise.on_a_volume(server, clusters) for server in answers["servers"]}
        found["server"] = dict.fromkeys(owners, volumes)
    if isinstance(octavia, Unknown) and not any(isinstance(answers[k], Unknown) for k in ("floating_ips", "ports")):
        owners = normalise.with_a_balancer(answers["floating_ips"], answers["ports"])
        found["floating_ip"] = dict.fromkeys(owners, octavia)
    return found


def _names(answers: Mapping[str, Any]) -> Names:
    def by_id(key: str) -> dict[str, str]:
        found = answers[key]
        return {} if isinstance(found, Unknown) else {item.id: item.name for item in found}

    return Names(by_id("networks"), by_id("subnets"), by_id("security_groups"), by_id("servers"), by_id("images"))


def _listing(needs: Sequence[str], answers: Mapping[str, Any], make: Callable[[], Any]) -> Listing:
    for need in needs:
        if isinstance(answers[need], Unknown):
            return answers[need]  # type: ignore[no-any-return]
    return Known(tuple(sorted(make(), key=lambda r: (r.name, r.id))))


def _catalogue(answers: Mapping[str, Any], key: str) -> Listing:
    found = answers[key]
    if isinstance(found, Unknown):
        return found
    return Known(tuple(Resource(key, item.name, {}, item.id) for item in sorted(found, key=lambda i: (i.name, i.id))))
