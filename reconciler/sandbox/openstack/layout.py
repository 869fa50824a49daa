"""Where everything of one cloud lies and listens, and the configuration files that tell the services so."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from pathlib import Path
from string import Template

from .environment import GUEST

SERVICES = ("keystone", "glance", "placement", "neutron", "nova")
EXTRAS = ("cinder", "octavia")
PORTS = len(SERVICES) + len(EXTRAS)
_CONFIGURATIONS = {"glance": "glance-api"}
_PATHS = {"keystone": "/v3", "nova": "/v2.1", "cinder": "/v3"}
_TYPES = {
    "keystone": ("identity",),
    "glance": ("image",),
    "placement": ("placement",),
    "neutron": ("network",),
    "nova": ("compute",),
    "cinder": ("block-storage", "volumev3"),  # the second is what Terraform's provider looks for
    "octavia": ("load-balancer",),
}
_FOLDERS = (
    "etc",
    "db",
    "log",
    "run",
    "lock",
    "machines",
    "images/staging",
    "images/tasks",
    "state/nova",
    "state/neutron",
    "state/cinder",
)


@dataclass(frozen=True, slots=True)
class Layout:
    """A cloud's folder, address and first port: service N of SERVICES + EXTRAS listens on `base_port` + N."""

    root: Path
    host: str
    base_port: int
    machine_network: str
    extras: tuple[str, ...] = ()

    @property
    def services(self) -> tuple[str, ...]:
        """What this cloud runs."""
        return SERVICES + self.extras

    @property
    def is_configured(self) -> bool:
        return all(self._configuration(service).exists() for service in self.services)

    def port(self, service: str) -> int:
        return self.base_port + (SERVICES + EXTRAS).index(service)

    def url(self, service: str) -> str:
        """As the service catalogue has it."""
        return f"http://{self.host}:{self.port(service)}{_PATHS.get(service, '')}"

    @property
    def endpoints(self) -> dict[str, str]:
        """The service catalogue: URL by service type."""
        return {kind: self.url(service) for service in self.services for kind in _TYPES[service]}

    def log(self, service: str) -> Path:
        return self.root / "log" / f"{service}.log"

    def pid(self, service: str) -> Path:
        return self.root / "run" / f"{service}.pid"

    def configure(self, venv: Path, password: str) -> None:
        """Write every service's configuration; `password` is the administrator's. Existing keys are kept."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in _FOLDERS:
            (self.root / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        values = {
            "root": str(self.root),
            "venv": str(venv),
            "host": self.host,
            "auth_url": self.url("keystone"),
            "glance_url": self.url("glance"),
            "placement_url": self.url("placement"),
            "machine_network": self.machine_network,
            "password": password,
        }
        values["login"] = _template("login").substitute(values)
        common = _template("common").substitute(values)
        for service in self.services:
            path = self._configuration(service)
            write_private(path, common + _template(path.stem).substitute(values))
        # Nova reads its pipeline from the first of its two configuration files, which has this name
        (self.root / "etc/api-paste.ini").write_bytes((venv / "etc/nova/api-paste.ini").read_bytes())
        self._keys()

    def _configuration(self, service: str) -> Path:
        return self.root / f"etc/{_CONFIGURATIONS.get(service, service)}.conf"

    def _keys(self) -> None:
        """Keystone's own: 0 is the next key, 1 the one in use. A cloud's tokens are worth nothing at another's."""
        for folder in ("tokens", "receipts", "credentials"):
            place = self.root / "keys" / folder
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            for number in ("0", "1"):
                if not (place / number).exists():
                    write_private(place / number, base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())


def write_private(path: Path, text: str) -> None:
    """Replace a file with one that only its owner can read; never half a file."""
    half = path.with_name(f".{path.name}.tmp")
    half.unlink(missing_ok=True)
    half.touch(mode=0o600)
    half.write_text(text)
    half.replace(path)


def _template(name: str) -> Template:
    return Template((GUEST / "conf" / f"{name}.conf").read_text())


def kept_extras(root: Path) -> set[str]:
    """The optional services that the cloud in `root` was made with."""
    return {service for service in EXTRAS if (root / f"etc/{service}.conf").exists()}
