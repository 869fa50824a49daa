"""One project of one cloud: every list call once, side by side, for all clusters in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ...errors import ReconcilerError
from ...model.resource import Known, Listing, Resource, Unknown
from ...ports import CloudSnapshot
from . import normalise
from .login import connect, explain
from .normalise import Names

_CALLS: dict[str, Callable[[Any], Any]] = {
    "servers": lambda c: c.compute.servers(details=True, microversion=_microversion(c)),
    "server_groups": lambda c: c.compute.server_groups(),
    "keypairs": lambda c: c.compute.keypairs(),
    "flavors": lambda c: c.compute.flavors(details=False),
    "networks": lambda c: c.network.networks(),
    "subnets": lambda c: c.network.subnets(),
    "routers": lambda c: c.network.routers(),
    "ports": lambda c: c.network.ports(),
    "security_groups": lambda c: c.network.security_groups(),
    "floating_ips": lambda c: c.network.ips(),
    "images": lambda c: c.image.images(),
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
}
_DELETE: dict[str, Callable[[Any, str], Any]] = {
    "server": lambda c, id: c.compute.delete_server(id),
    "server_group": lambda c, id: c.compute.delete_server_group(id),
    "keypair": lambda c, id: c.compute.delete_keypair(id),
    "floating_ip": lambda c, id: c.network.delete_ip(id),
    "port": lambda c, id: c.network.delete_port(id),
    "security_group_rule": lambda c, id: c.network.delete_security_group_rule(id),
    "security_group": lambda c, id: c.network.delete_security_group(id),
    "router": lambda c, id: c.network.delete_router(id),
    "subnet": lambda c, id: c.network.delete_subnet(id),
    "network": lambda c, id: c.network.delete_network(id),
}


class OpenStackCloud:
    """Implements ports.Cloud. `timeout` is in seconds and holds for each request."""

    def __init__(self, name: str, *, clouds_file: Path | None, timeout: float) -> None:
        self._name = name
        self._clouds_file = clouds_file
        self._timeout = timeout
        self._connection: Any = None

    @property
    def connection(self) -> Any:
        """The connection, logged in at its first use and kept: the token is shared by every call."""
        if self._connection is None:
            self._connection = connect(self._name, self._clouds_file, self._timeout)
        return self._connection

    def observe(self, clusters: Sequence[str]) -> CloudSnapshot:
        answers = self._list_all()
        names = _names(answers)
        makers: dict[str, Callable[[], Any]] = {
            "network": lambda: normalise.networks(answers["networks"]),
            "subnet": lambda: normalise.subnets(answers["subnets"], names),
            "router": lambda: normalise.routers(answers["routers"], names),
            "router_interface": lambda: normalise.router_interfaces(
                answers["ports"], normalise.routers(answers["routers"], names), names
            ),
            "security_group": lambda: normalise.security_groups(answers["security_groups"]),
            "security_group_rule": lambda: normalise.security_group_rules(answers["security_groups"], names),
            "port": lambda: normalise.ports(answers["ports"], names),
            "floating_ip": lambda: normalise.floating_ips(
                answers["floating_ips"], {p.id: p for p in answers["ports"]}, names
            ),
            "keypair": lambda: normalise.keypairs(answers["keypairs"], clusters),
            "server_group": lambda: normalise.server_groups(answers["server_groups"], clusters),
            "server": lambda: normalise.servers(answers["servers"], answers["server_groups"], answers["ports"], names),
        }
        kinds = {kind: _listing(_NEEDS[kind], answers, make) for kind, make in makers.items()}
        return CloudSnapshot(kinds, *(_catalogue(answers, key) for key in ("flavors", "images", "networks")))

    def prune(self, kind: str, id: str) -> None:
        import openstack.exceptions as sdk

        try:
            if kind == "router_interface":
                port = self.connection.network.get_port(id)
                self.connection.network.remove_interface_from_router(port.device_id, port_id=id)
            else:
                _DELETE[kind](self.connection, id)
            if kind == "server":
                self.connection.compute.wait_for_delete(self.connection.compute.get_server(id), interval=0.5, wait=300)
        except sdk.NotFoundException:
            return
        except Exception as error:
            raise explain(self._name, error) from error

    def _list_all(self) -> dict[str, Any]:
        connection = self.connection
        with ThreadPoolExecutor(max_workers=len(_CALLS), thread_name_prefix="openstack") as pool:
            running: dict[str, Future[Any]] = {
                name: pool.submit(_fetch, call, connection) for name, call in _CALLS.items()
            }
            return {name: self._answer(future) for name, future in running.items()}

    def _answer(self, future: Future[Any]) -> Any:
        try:
            return future.result()
        except Exception as error:
            said = error if isinstance(error, ReconcilerError) else explain(self._name, error)
            return Unknown(said.message, said.hint)


def _microversion(connection: Any) -> str | None:
    """Servers as of 2.73 have all we compare. What newer ones add costs Nova a query for every server: half as much
    again for a list of 50."""
    from openstack.utils import maximum_supported_microversion

    found: str | None = maximum_supported_microversion(connection.compute, "2.73")
    return found


def _fetch(call: Callable[[Any], Any], connection: Any) -> list[Any]:
    return list(call(connection))


def _names(answers: dict[str, Any]) -> Names:
    def by_id(key: str) -> dict[str, str]:
        found = answers[key]
        return {} if isinstance(found, Unknown) else {item.id: item.name for item in found}

    return Names(by_id("networks"), by_id("subnets"), by_id("security_groups"), by_id("servers"), by_id("images"))


def _listing(needs: Sequence[str], answers: dict[str, Any], make: Callable[[], Any]) -> Listing:
    for need in needs:
        if isinstance(answers[need], Unknown):
            return answers[need]  # type: ignore[no-any-return]
    return Known(tuple(sorted(make(), key=lambda r: (r.name, r.id))))


def _catalogue(answers: dict[str, Any], key: str) -> Listing:
    found = answers[key]
    if isinstance(found, Unknown):
        return found
    return Known(tuple(Resource(key, item.name, {}, item.id) for item in sorted(found, key=lambda i: (i.name, i.id))))
