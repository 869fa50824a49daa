"""What people do to clusters behind git's back, done with their own tools, for the demo and the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import process


class Mischief:
    """Acts on the cloud of `clouds_yaml` with the user's own rights."""

    def __init__(self, clouds_yaml: Path, cloud: str = "sandbox") -> None:
        from openstack.config.loader import OpenStackConfig
        from openstack.connection import Connection

        config = OpenStackConfig(config_files=[str(clouds_yaml)], load_envvars=False)
        self.connection: Any = Connection(config=config.get_one(cloud=cloud))

    def delete_server(self, name: str) -> None:
        """As by a click in the dashboard; returns when it is gone."""
        server = self.connection.compute.find_server(name, ignore_missing=False)
        self.connection.compute.delete_server(server)
        self.connection.compute.wait_for_delete(server, interval=0.2, wait=60)

    def open_to_the_world(self, group: str, port: int) -> None:
        """Add a rule that lets everybody in."""
        found = self.connection.network.find_security_group(group, ignore_missing=False)
        self.connection.network.create_security_group_rule(
            security_group_id=found.id,
            direction="ingress",
            ethertype="IPv4",
            protocol="tcp",
            port_range_min=port,
            port_range_max=port,
            remote_ip_prefix="0.0.0.0/0",
        )

    def servers(self) -> list[str]:
        """The names of all servers, as the cloud has them."""
        return sorted(server.name for server in self.connection.compute.servers())


def kubectl(binary: Path, kubeconfig: Path, *argv: str) -> str:
    """Run kubectl as a person at a shell would, and return what it said."""
    return process.run([binary, f"--kubeconfig={kubeconfig}", *argv], timeout=60).stdout
