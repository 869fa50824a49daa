"""The sandbox as one thing: OpenStack, machines, and the settings that point the reconciler at them."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from .. import process
from ..errors import Permanent
from ..ports import Progress
from ..toolchain import Toolbox
from .kubespray import PLAYBOOKS
from .machines import Machines
from .openstack import PORTS, Cloud

IMAGE = ("etcd", "etcdctl", "etcdutl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok")
CLOUD = "sandbox"
OPENSHIFT = "moc"


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that should be running."""

    name: str
    where: str
    up: bool


class Sandbox:
    """Everything lies below `root`; what can be shared between sandboxes lies in `cache`. `extras` names services that
    its OpenStack is to have beyond the usual ("cinder", "octavia"); it keeps those it once had."""

    def __init__(
        self, root: Path, *, toolbox: Toolbox, cache: Path, progress: Progress, extras: Sequence[str] = ()
    ) -> None:
        self.root = root.resolve()
        self._extras = extras
        self._toolbox = toolbox
        self._cache = cache
        self._progress = progress

    config = property(lambda self: self.root / "reconciler.yaml", doc="Settings for RECONCILER_CONFIG.")
    clouds_yaml = property(lambda self: self.root / "clouds.yaml", doc="All the reconciler is told of the cloud.")
    ssh_key = property(lambda self: self.root / "id_ed25519", doc="The private key of every machine.")

    @property
    def public_key(self) -> str:
        """The public half, as desired/ wants it."""
        return " ".join(self.ssh_key.with_suffix(".pub").read_text().split()[:2])

    def up(self) -> None:
        """Make what is missing, start what is not running, and return when all of it answers."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._toolbox.ensure(*IMAGE)
        self._key()
        self.machines.up()
        self.cloud.up()
        self._settings()

    def down(self) -> None:
        """End everything that was started, in any state it may be in."""
        if not self.root.exists():
            return
        self.cloud.down()
        self.machines.down()

    def wipe(self) -> None:
        """Delete the folder. Raises Permanent when it is not a sandbox's."""
        if not self.root.exists():
            return
        if not self._places.exists():
            raise Permanent(f"{self.root} is not a sandbox", hint="delete it by hand if you are sure")
        shutil.rmtree(self.root)

    def status(self) -> list[Part]:
        """Every service and machine."""
        if not self._places.exists():
            return []
        services = [Part(s.name, s.url, s.alive and s.responds) for s in self.cloud.status()]
        return services + [Part(m.name, f"{m.address}:{m.port}", m.answers) for m in self.machines.status()]

    @cached_property
    def cloud(self) -> Cloud:
        """The OpenStack services."""
        place = self._place
        return Cloud(
            self.root,
            cache=self._cache,
            base_port=int(place["port"]),
            machine_network=str(place["network"]),
            progress=self._progress,
            extras=self._extras,
        )

    @cached_property
    def machines(self) -> Machines:
        """The SSH hosts behind Nova's servers."""
        return Machines(self.root, bin=self.machines_bin, progress=self._progress)

    @property
    def machines_bin(self) -> Path:
        """The programs a machine's image has installed."""
        return self._toolbox.bin_dir(*IMAGE)

    @property
    def _places(self) -> Path:
        return self.root / "sandbox.json"

    @cached_property
    def _place(self) -> dict[str, Any]:
        """Ports and addresses of this sandbox's own, so that several run side by side: by its path, and kept for as
        long as nobody else takes them while it is down."""
        if self._places.exists():
            kept = dict(json.loads(self._places.read_text()))
            if _all_free(kept["port"]) or (self.root / "run" / "keystone.pid").exists():
                return kept
        seed = int.from_bytes(hashlib.sha256(str(self.root).encode()).digest()[:4], "big")
        chosen = {
            "port": _free_ports(20000 + seed % 8000),
            "network": f"127.{16 + seed % 200}.{seed // 200 % 250}.0/24",
        }
        self._places.write_text(json.dumps(chosen))
        return chosen

    def _key(self) -> None:
        if not self.ssh_key.exists():
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "sandbox", "-f", self.ssh_key]
            process.run(argv, timeout=30)

    def _settings(self) -> None:
        """Point the reconciler at the sandbox. Everything else is as with any other cloud."""
        settings = {
            "clouds": str(self.clouds_yaml),
            "sshKey": str(self.ssh_key),
            "terraform": {"keepsDisk": True},  # also in a CI job: nothing of it is needed afterwards
            "kubespray": str(PLAYBOOKS),
            "state": str(self.root / "state"),
            "cache": str(self._cache),
            "openshift": {OPENSHIFT: {"cluster": "demo"}},
        }
        self.config.write_text(f"# made by: {Path(sys.argv[0]).name} sandbox up\n" + yaml.safe_dump(settings))


def _free_ports(start: int) -> int:
    """The first of some neighbouring ports that are all free now."""
    for first in range(start, start + 5000, PORTS):
        if _all_free(first):
            return first
    raise Permanent("no free ports on 127.0.0.1", hint="is another sandbox running? reconciler sandbox down")


def _all_free(first: int) -> bool:
    for port in range(first, first + PORTS):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return False
    return True
