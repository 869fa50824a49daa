"""A real remote, a real clone and a real server over gRPC; the cloud alone is made up, and says what a test wants."""

from __future__ import annotations

import datetime
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import yaml

from reconciler.adapters.git import GitRepository
from reconciler.errors import ReconcilerError
from reconciler.model.resource import Fields, Known, Listing, Resource, Unknown
from reconciler.serve.autoscaler import Book, Journal, Seen, Server, Tls, certificates
from reconciler.serve.autoscaler.desk import Ground
from reconciler.serve.autoscaler.wire import externalgrpc_pb2_grpc as pb_grpc
from tests.unit.examples import CLUSTER

BOUNDED = CLUSTER.replace("count: 2", "count: 2\n      min: 1\n      max: 5")
GROUPS = BOUNDED.replace(
    "  access:\n",
    "    - name: gpu\n      count: 0\n      min: 0\n      max: 2\n      flavor: g1.large\n"
    "      labels: {research.moc/gpu: a100}\n      taints: [{key: gpu, value: 'yes', effect: NoSchedule}]\n"
    "    - name: fixed\n      count: 1\n      flavor: m1.large\n  access:\n",
)
AUTHOR = ("reconciler", "reconciler@localhost")
FLAVORS: dict[str, Fields] = {
    "m1.large": {"vcpus": 4, "ram": 8192, "disk": 40},
    "g1.large": {"vcpus": 8, "ram": 65536, "disk": 100, "extra_specs.pci_passthrough:alias": "a100:2"},
}


def git(*argv: str | Path) -> str:
    return subprocess.run(["git", *map(str, argv)], check=True, capture_output=True, text=True).stdout


@dataclass
class Cloud:
    """What is live."""

    servers: dict[str, tuple[str, Fields]] = field(default_factory=dict)
    nodes: dict[str, str] = field(default_factory=dict)
    failure: str = ""
    failed_commit: str = ""
    down: ReconcilerError | None = None
    apart: bool = False  # the Kubernetes API alone does not answer
    calls: int = 0

    def boot(self, *names: str, joined: bool = True, **fields: Any) -> None:
        for name in names:
            group = name.split("-")[1]
            said = {"status": "ACTIVE", "metadata.reconciler.group": group, **fields}
            self.servers[name] = (uuid_of(name), said)
            if joined:
                self.nodes[name] = f"openstack:///{uuid_of(name)}"

    def look(self, _: Ground) -> Seen:
        self.calls += 1
        if self.down:
            return Seen(Unknown("down"), Unknown("down"), Unknown("down"))
        nodes = {n: Resource("node", n, {"provider_id": p}) for n, p in self.nodes.items()}
        return Seen(
            _listing("server", {n: Resource("server", n, f, i) for n, (i, f) in self.servers.items()}),
            Unknown("no answer") if self.apart else _listing("node", nodes),
            _listing("flavors", {n: Resource("flavors", n, f) for n, f in FLAVORS.items()}),
            self.failure,
            self.failed_commit,
        )


def _listing(kind: str, found: dict[str, Resource]) -> Listing:
    return Known(tuple(found.values()))


def uuid_of(name: str) -> str:
    """A server's id, the same for the same name."""
    return f"00000000-0000-4000-8000-{abs(hash_of(name)):012x}"


def hash_of(name: str) -> int:
    return int.from_bytes(name.encode()[-6:], "big") & ((1 << 48) - 1)


@dataclass
class Place:
    """A remote with one cluster, and clones of it."""

    root: Path
    remote: Path

    @classmethod
    def make(cls, root: Path, text: str = GROUPS) -> Place:
        remote = root / "remote.git"
        git("init", "-q", "--bare", "-b", "main", remote)
        place = cls(root, remote)
        seed = place.clone("seed")
        (seed / "desired" / "demo").mkdir(parents=True)
        (seed / "desired" / "demo" / "cluster.yaml").write_text(text)
        place.commit("first")
        return place

    def clone(self, name: str) -> Path:
        folder = self.root / name
        git("clone", "-q", self.remote, folder)
        return folder

    def commit(self, message: str) -> None:
        """People commit what lies in the first clone, and push it."""
        seed = self.root / "seed"
        git("-C", seed, "add", "-A")
        git("-C", seed, "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-q", "-m", message)
        git("-C", seed, "push", "-q", "origin", "HEAD:main")

    def edit(self, old: str, new: str) -> None:
        """People change the cluster's file, again when somebody pushed meanwhile."""
        seed = self.root / "seed"
        file = seed / "desired" / "demo" / "cluster.yaml"
        for left in reversed(range(10)):
            git("-C", seed, "fetch", "-q", "origin", "main")
            git("-C", seed, "reset", "-q", "--hard", "origin/main")
            text = file.read_text()
            assert old in text
            file.write_text(text.replace(old, new, 1))
            try:
                self.commit("people")
            except subprocess.CalledProcessError:
                if not left:
                    raise
            else:
                return

    def file(self, ref: str = "main") -> dict[str, list[int]]:
        """The machines of each group, as the remote has them."""
        said = yaml.safe_load(git("-C", self.remote, "show", f"{ref}:desired/demo/autoscale.yaml"))
        return {g["name"]: g["machines"] for g in said["spec"]["nodeGroups"]}

    def log(self, ref: str = "main") -> list[str]:
        """Messages, newest first."""
        return [m.strip() for m in git("-C", self.remote, "log", "--format=%B%x00", ref).split("\0") if m.strip()]

    def server(self, cloud: Cloud, clone: str = "bot", **more: Any) -> Server:
        folder = self.root / clone
        if not folder.exists():
            self.clone(clone)
        repository = GitRepository(folder, author=AUTHOR)
        state = Path(more.pop("state", self.root / "state"))
        book = Book(repository, "demo", "main", more.pop("proposal", ""))
        tell = more.pop("tell", lambda _: None)
        given = {"poll": 0.5, "address": "127.0.0.1:0", "tls": None, **more}
        return Server(book=book, journal=Journal(state), look=cloud.look, tell=tell, **given)


@contextmanager
def running(server: Server) -> Iterator[Any]:
    """The server started, and a client's stub."""
    server.start()
    channel = channel_to(server)
    try:
        yield stub_of(channel)
    finally:
        channel.close()
        server.stop()


def stub_of(channel: Any) -> Any:
    return pb_grpc.CloudProviderStub(channel)  # type: ignore[no-untyped-call]


def channel_to(server: Server, client: Path | None = None) -> Any:
    place = f"127.0.0.1:{server.port}"
    if client is None:
        return grpc.insecure_channel(place)
    authority, key, chain = ((client / name).read_bytes() for name in ("ca.crt", "client.key", "client.crt"))
    return grpc.secure_channel(place, grpc.ssl_channel_credentials(authority, key, chain))


def make_certificates(folder: Path, host: str = "127.0.0.1") -> Tls:
    certificates.make(folder, host, days=1, now=datetime.datetime.now(datetime.UTC))
    return Tls(folder / "server.crt", folder / "server.key", folder / "ca.crt")


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait for a condition."""
    import time

    end = time.monotonic() + seconds
    while True:
        if found := condition():
            return found
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)
