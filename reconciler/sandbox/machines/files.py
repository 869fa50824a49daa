"""What Nova and the machines agree on: the files that say which machines exist, and where everything of them lies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Nobody here may change the real root folder, so a machine's is its home: what root reads as a script means that one.
_SUDO = r"""#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
[ "$*" = "sh -s" ] || exec "$@"
paths='etc/(kubernetes|etcd|ssl/etcd|ssh)|var/lib/(etcd|kubelet|cloud)|usr/local/bin/k8s-certs-renew'
sed -E "s#(^|[^A-Za-z0-9_./-])/($paths)#\1$HOME/\2#g" | sh -s
"""
# A machine's services are those its boot scripts start.
_SYSTEMCTL = r"""#!/bin/sh
verb=$1
for unit; do :; done
case "$verb $unit" in
"stop etcd") exec "$HOME/bin/service" stop etcd >/dev/null ;;
"start etcd") exec "$HOME/boot.d/10-etcd" >/dev/null ;;
"cat etcd" | "is-active kubelet" | "restart kubelet") ;;
*) echo "there is no $unit to $verb here" >&2; exit 1 ;;
esac
"""
# And its kubelet follows the manifests of static pods at the moment somebody asks what runs.
_CRICTL = r"""#!/bin/sh
[ "$1" = ps ] || exit 0
name=${4#^}
name=${name%$}
if [ -e "$HOME/etc/kubernetes/manifests/$name.yaml" ]; then
    "$HOME/boot.d/20-control-plane" >&2 && echo "$name"
else
    "$HOME/bin/service" stop "$name" >&2
fi
"""


@dataclass(frozen=True, slots=True)
class MachineFile:
    """One server as the hypervisor wrote it down. `boots` counts its reboots."""

    id: str
    name: str
    address: str
    port: int
    user: str
    authorized_keys: tuple[str, ...]
    on: bool
    boots: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders below the sandbox's root that have to do with machines."""

    root: Path

    @property
    def machines(self) -> Path:
        return self.root / "machines"

    @property
    def homes(self) -> Path:
        return self.root / "machines.d"

    @property
    def pid(self) -> Path:
        return self.root / "run/machines.pid"

    @property
    def ready(self) -> Path:
        return self.root / "run/machines.ready"

    @property
    def log(self) -> Path:
        return self.root / "log/machines.log"

    @property
    def root_bin(self) -> Path:
        """Programs by which a machine's user is its root."""
        return self.root / "machines.bin"

    def make(self) -> None:
        for folder in (self.machines, self.homes, self.pid.parent, self.log.parent, self.root_bin):
            folder.mkdir(parents=True, exist_ok=True)
        for name, text in (("sudo", _SUDO), ("systemctl", _SYSTEMCTL), ("crictl", _CRICTL)):
            program = self.root_bin / name
            program.write_text(text)
            program.chmod(0o755)

    def read(self) -> dict[str, MachineFile]:
        """Return every machine by id. A file that goes away meanwhile is a server that went away meanwhile.

        Raises ValueError naming the file when one can't be understood: unknown must not be read as deleted.
        """
        found: dict[str, MachineFile] = {}
        for path in sorted(self.machines.glob("*.json")):
            try:
                machine = _parse(json.loads(path.read_text()))
            except FileNotFoundError:
                continue
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path} is not a machine: {error!r}") from error
            found[machine.id] = machine
        return found


def _parse(raw: Mapping[str, object]) -> MachineFile:
    keys = raw["authorized_keys"]
    if not isinstance(keys, list):
        raise TypeError("authorized_keys must be a list")
    return MachineFile(
        id=str(raw["id"]),
        name=str(raw["name"]),
        address=str(raw["address"]),
        port=int(str(raw["port"])),
        user=str(raw["user"]),
        authorized_keys=tuple(str(key) for key in keys),
        on=raw["power"] == "on",
        boots=int(str(raw.get("boots", 0))),
    )
