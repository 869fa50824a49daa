"""Stand-in for the hypervisor, and a user with a key: what tests of the sandbox's machines share."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid5

from reconciler import process
from reconciler.ports import Task
from reconciler.sandbox.machines import Machines

PORT = 2222


class Silent:
    def total(self, units: float) -> None: ...
    def advance(self, units: float = 1) -> None: ...
    def status(self, text: str) -> None: ...
    def log(self, text: str) -> None: ...

    @contextlib.contextmanager
    def task(self, title: str) -> Iterator[Task]:
        yield self


class Fleet:
    """Stands where the hypervisor stands: writes machine files, and logs in as a user would."""

    def __init__(self, root: Path, bin: Path) -> None:
        self.root = root
        self.bin = bin
        self.machines = Machines(root, bin=bin, progress=Silent())
        self.network = f"127.{random.randint(1, 254)}.{random.randint(0, 255)}"
        self.addresses: dict[str, str] = {}
        self.key = root / "key"
        (root / "machines").mkdir()
        process.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], timeout=30)

    def put(self, name: str, *, power: str = "on", boots: int = 0) -> None:
        path = self.file(name)
        content = {
            "id": self.id(name),
            "name": name,
            "address": self.address(name),
            "port": PORT,
            "user": "cloud",
            "authorized_keys": [self.key.with_suffix(".pub").read_text().strip()],
            "power": power,
            "boots": boots,
            "metadata": {},
        }
        path.with_suffix(".new").write_text(json.dumps(content))
        path.with_suffix(".new").rename(path)
        if power == "on":
            wait_until(lambda: self.ssh(name, "true", check=False).exit_code == 0, 10, f"{name} to answer")

    def delete(self, name: str) -> None:
        self.file(name).unlink()

    def crash(self) -> None:
        pid = int((self.root / "run/machines.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{pid}/cmdline").read_bytes(), 5, "the daemon to die")

    def id(self, name: str) -> str:
        return str(uuid5(UUID(int=0), name))

    def address(self, name: str) -> str:
        """By the number at the end of its name, unless `addresses` says otherwise."""
        return self.addresses.get(name) or f"{self.network}.{int(name.rpartition('-')[2])}"

    def home(self, name: str) -> Path:
        return self.root / "machines.d" / self.id(name)

    def ssh(
        self, name: str, command: str, *, stdin: str | None = None, options: tuple[str, ...] = (), check: bool = True
    ) -> process.Completed:
        return process.run(
            ["ssh", *self.ssh_options(PORT, "-p"), *options, f"cloud@{self.address(name)}", command],
            timeout=60,
            stdin=stdin,
            check=check,
        )

    def ssh_options(self, port: int, flag: str) -> list[str]:
        unknown = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes"]
        return [flag, str(port), "-i", str(self.key), *(word for option in unknown for word in ("-o", option))]

    def running(self, name: str | None = None) -> list[int]:
        """Pids of what runs on a machine, or on any and for all of them. A scan of its own, by the home folder:
        asking the code under test would prove nothing."""
        home = self.home(name) if name else self.root
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _mentions(pid, bytes(home))]

    def file(self, name: str) -> Path:
        return self.root / "machines" / f"{self.id(name)}.json"


def _mentions(pid: int, folder: bytes) -> bool:
    if pid == os.getpid():
        return False
    try:
        told = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
    return any(value == folder or value.startswith(folder + b"/") for _, _, value in (e.partition(b"=") for e in told))


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.05)
