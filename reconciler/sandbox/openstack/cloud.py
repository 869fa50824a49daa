"""The cloud as one thing that is up or down."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

import yaml

from ...ports import Progress
from .environment import Environment, locked
from .layout import EXTRAS, Layout, kept_extras, write_private
from .schema import Schema
from .seed import ADMIN_CLOUD, admin_file, seed
from .services import Services, ServiceStatus


class Cloud:
    """Keystone, Glance, Placement, Neutron and Nova in `root`, on `host`, on neighbouring ports from `base_port`.

    `cache` keeps what all clouds share (the Python environment and empty databases). Nova gives each server an
    address in `machine_network` and a file below `root`/machines. `extras` names further services ("cinder",
    "octavia"); a cloud keeps those it once had.
    """

    def __init__(
        self,
        root: Path,
        *,
        cache: Path,
        host: str = "127.0.0.1",
        base_port: int,
        progress: Progress,
        machine_network: str = "127.10.0.0/24",
        extras: Sequence[str] = (),
    ) -> None:
        self.root = root.resolve()
        self.clouds_yaml = self.root / "clouds.yaml"
        self.admin_clouds_yaml = self.root / "admin-clouds.yaml"
        wanted = {*extras, *kept_extras(self.root)}
        ordered = tuple(service for service in EXTRAS if service in wanted)
        self._layout = Layout(self.root, host, base_port, machine_network, ordered)
        self._environment = Environment(cache, progress)
        self._schema = Schema(self._environment, progress)
        self._services = Services(self._layout, self._environment, progress)
        self._progress = progress

    def up(self) -> None:
        """Make what is missing, start what does not run, and return when all of it answers and has its first content.

        Raises Permanent when a package can't be had, a port is taken or a service ends; Transient when it takes too
        long.
        """
        if self._is_up():
            return
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(self.root / "run" / "openstack.lock"):
            if self._is_up():
                return
            self._environment.ensure()
            if not self._layout.is_configured:
                self._services.stop()  # those that run know nothing of the new ones
            if not any(service.alive for service in self.status()):
                self._prepare()
            self._services.start()
            if not self._is_seeded():
                with self._progress.task("setting up the research project"):
                    seed(self.root, self._layout.url("keystone"))

    def down(self) -> None:
        """End every service, whatever state the cloud is in. What it holds stays."""
        self._services.stop()

    def stop(self, *names: str) -> None:
        """End some services, as an outage would; `up` starts them again."""
        if names:
            self._services.stop(names)

    def status(self) -> list[ServiceStatus]:
        """Every service, whether it runs or not."""
        return self._services.status()

    def _prepare(self) -> None:
        password = self._password()
        write_private(self.admin_clouds_yaml, admin_file(self._layout.url("keystone"), password))
        self._layout.configure(self._environment.venv, password)
        self._schema.copy_to(self._layout, password)

    def _is_up(self) -> bool:
        return self._is_seeded() and all(service.responds for service in self.status())

    def _is_seeded(self) -> bool:
        """A credential for another port is as good as none."""
        return self.clouds_yaml.exists() and self._layout.url("keystone") in self.clouds_yaml.read_text()

    def _password(self) -> str:
        """The administrator's: made once."""
        if not self.admin_clouds_yaml.exists():
            return secrets.token_urlsafe(24)
        return str(yaml.safe_load(self.admin_clouds_yaml.read_text())["clouds"][ADMIN_CLOUD]["auth"]["password"])
