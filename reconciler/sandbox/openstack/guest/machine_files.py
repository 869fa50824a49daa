"""The files that tell the machines' daemon which servers exist: one a server, complete at every moment."""

import ipaddress
import json
import os
import threading
from pathlib import Path

PORT = 2222
USER = "cloud"
_lock = threading.RLock()  # all hypervisors live in this process, and nobody else writes here


def console_log(folder, id):
    """What a machine has written to its console: that it boots, and, as cloud-init does once the machine made it, its
    public host key."""
    key = Path(folder).with_name("machines.d") / id / ".ssh/ssh_host_ed25519_key.pub"
    lines = ["[    0.000000] Linux version 6.12.0 (sandbox)", f"[    1.204511] cloud-init[512]: instance {id}"]
    if key.exists():
        begin, end = (f"-----{word} SSH HOST KEY KEYS-----" for word in ("BEGIN", "END"))
        lines += [begin, key.read_text().strip(), end]
    return "".join(f"{line}\r\n" for line in lines).encode()


class MachineFiles:
    """`network` is the range addresses are taken from (never its .0, .1 or last)."""

    def __init__(self, folder, network):
        self._folder = Path(folder)
        self._network = ipaddress.ip_network(network)
        self._folder.mkdir(parents=True, exist_ok=True)

    def add(self, id, wanted_address=None, **fields):
        """Write a machine down, unless it is already, and return its address: `wanted_address` if that is free."""
        with _lock:
            known = self._read(id)
            if known is not None:
                return known["address"]
            address = self._free(wanted_address)
            fixed = {"id": id, "address": address, "port": PORT, "user": USER, "power": "on", "boots": 0}
            self._write(fixed | fields)
            return address

    def change(self, id, **fields):
        with _lock:
            known = self._read(id)
            if known is not None:
                self._write(known | fields)

    def reboot(self, id):
        with _lock:
            known = self._read(id)
            if known is not None:
                self._write(known | {"boots": known["boots"] + 1, "power": "on"})

    def remove(self, id):
        with _lock:
            self._path(id).unlink(missing_ok=True)

    def keep_only(self, ids):
        """Forget machines whose server went away while nobody looked, and halves of files."""
        with _lock:
            for path in self._folder.iterdir():
                if path.suffix != ".json" or path.stem not in ids:
                    path.unlink()

    def _free(self, wanted):
        taken = {json.loads(path.read_text())["address"] for path in self._folder.glob("*.json")}
        hosts = [str(host) for host in self._network.hosts()][1:]  # .1 is a gateway's, by custom
        if wanted in hosts and wanted not in taken:
            return wanted
        free = next((host for host in hosts if host not in taken), None)
        if free is None:
            raise RuntimeError(f"no address is left in {self._network}: {len(taken)} machines")
        return free

    def _path(self, id):
        return self._folder / f"{id}.json"

    def _read(self, id):
        try:
            return json.loads(self._path(id).read_text())
        except FileNotFoundError:
            return None

    def _write(self, machine):
        path = self._path(machine["id"])
        half = path.with_suffix(".tmp")
        half.write_text(json.dumps(machine, indent=1))
        os.replace(half, path)
