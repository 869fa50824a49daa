"""The server: listens with mutual TLS, looks at cloud and git in the background, and pushes what was decided."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import grpc

from ...errors import Invalid, ReconcilerError, Transient, mistake
from ...model.autoscale import Live
from ...model.resource import Fields, Known, Listing, Resource, Unknown
from .book import Book
from .desk import Desk, Ground
from .journal import Journal
from .service import Service, Terms
from .wire import externalgrpc_pb2_grpc as pb_grpc

T = TypeVar("T")
_WORKERS = 8  # calls answered at once: each takes well under a millisecond
_CALLS = 256  # at once, waiting ones included: more are refused
# One autoscaler comes, by one connection. Who reaches the port and has no certificate holds a place for three seconds.
_LIMITS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_allowed_incoming_connections", 64),
    ("grpc.server_handshake_timeout_ms", 3000),
    ("grpc.max_connection_idle_ms", 600_000),
    ("grpc.max_concurrent_streams", 128),
    ("grpc.max_receive_message_length", 1024 * 1024),
    ("grpc.max_metadata_size", 16 * 1024),
)
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0  # seconds between two tries to push


@dataclass(frozen=True, slots=True)
class Seen:
    """One look: servers of the cluster by git's names, nodes, flavors; what the last cycle failed with and where."""

    servers: Listing
    nodes: Listing
    flavors: Listing
    failure: str = ""
    failed_commit: str = ""


@dataclass(frozen=True, slots=True)
class Tls:
    """Files: our certificate and key, and the authority that signed the client's."""

    certificate: Path
    key: Path
    authority: Path

    def credentials(self) -> grpc.ServerCredentials:
        """Raises Invalid for a file that can't be read."""
        try:
            pair, authority = (self.key.read_bytes(), self.certificate.read_bytes()), self.authority.read_bytes()
        except OSError as error:
            hint = "`reconciler autoscaler certificates DIR` makes them"
            raise Invalid(f"cannot read {error.filename}: {error.strerror}", hint=hint) from None
        return grpc.ssl_server_credentials([pair], root_certificates=authority, require_client_auth=True)


@dataclass
class Server:
    """One cluster's. `look` observes and may raise; `tell` is told what happens, once for each new thing. `tls` None is
    plain text, for loopback only. `poll` is in seconds. `cordon` is told which nodes leave, so that no pod goes there
    any more: Cluster Autoscaler's own mark is taken off when it starts anew. `mark` says of each researcher's session
    whether it may be moved."""

    book: Book
    journal: Journal
    look: Callable[[Ground], Seen]
    tell: Callable[[str], None]
    address: str
    tls: Tls | None
    poll: float = 10.0
    terms: Terms = field(default_factory=Terms)
    cordon: Callable[[Collection[str]], None] = lambda _: None
    mark: Callable[[], None] = lambda: None
    port: int = field(default=0, init=False)
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _soon: threading.Event = field(default_factory=threading.Event, init=False)
    _said: dict[str, str] = field(default_factory=dict, init=False)

    def start(self) -> None:
        """Read git, look once, then listen. Raises Invalid when git's state or the address is wrong; Transient when the
        remote can't be reached: who knows no target must not answer with one."""
        check_address(self.address, plain=self.tls is None)
        credentials = self.tls.credentials() if self.tls else None
        self.desk = Desk(self.journal, self.book.ground(), fresh=max(60.0, 6 * self.poll))
        self._see()
        self._grpc = grpc.server(
            ThreadPoolExecutor(_WORKERS, thread_name_prefix="rpc"), options=_LIMITS, maximum_concurrent_rpcs=_CALLS
        )
        pb_grpc.add_CloudProviderServicer_to_server(  # type: ignore[no-untyped-call]
            Service(self.desk, self.terms, self._soon.set), self._grpc
        )
        self.port = _bound(self._grpc, self.address, credentials)
        self._threads = [
            threading.Thread(target=t, name=t.__name__, daemon=True) for t in (self._watch, self._push, self._hold)
        ]
        for thread in self._threads:
            thread.start()
        self._grpc.start()

    def stop(self, grace: float = 10.0) -> None:
        """Answer what was asked, push what can be pushed, and leave the rest to the journal."""
        self._grpc.stop(1.0).wait()
        self._stop.set()
        self._soon.set()
        self.desk.waiting.set()
        self.desk.moved.set()
        for thread in self._threads:
            thread.join(grace)
        self.journal.close()

    def _watch(self) -> None:
        while not self._stop.is_set():
            self._soon.wait(self.poll)
            self._soon.clear()
            if not self._stop.is_set():
                self._see()
                self._stop.wait(min(self.poll, 2.0))  # however often it is asked for, the cloud has its peace

    def _see(self) -> None:
        ground = self._guarded("git", lambda: self.book.read(self.desk)) or Ground(self.desk.cluster)
        seen = self._guarded("cloud", lambda: self.look(ground))
        if seen is None:
            return
        if self._guarded("nodes", lambda: _answered(seen.nodes)):
            self._guarded("sessions", self._marked)
        failed = self._guarded("git", lambda: self.book.machines(seen.failed_commit)) if seen.failed_commit else None
        self.desk.sees(live(seen, failed or frozenset()), ground)

    def _push(self) -> None:
        wait = _FIRST_WAIT
        while True:
            self.desk.waiting.wait()
            pushed = self._guarded("push", lambda: self.book.publish(self.desk) or "nothing")
            if self._stop.is_set():
                return
            if pushed is None:
                self._stop.wait(wait)
                wait = min(_LONGEST_WAIT, wait * 2)
                continue
            wait = _FIRST_WAIT
            if pushed != "nothing":
                self.tell(f"committed {pushed[:12]}")

    def _hold(self) -> None:
        """Cordon what leaves as soon as it was decided, and what left before this process began."""
        held: frozenset[str] | None = None
        while not self._stop.is_set():
            leaving = self.desk.leaving
            if leaving != held and self._guarded("cordon", partial(self._cordoned, leaving)):
                held = leaving
            self.desk.moved.wait(None if leaving == held else self.poll)
            self.desk.moved.clear()

    def _marked(self) -> bool:
        self.mark()
        return True

    def _cordoned(self, leaving: Collection[str]) -> bool:
        self.cordon(leaving)
        return True

    def _guarded(self, what: str, do: Callable[[], T]) -> T | None:
        """What it returns; None where it fails, which is told once until it is something else."""
        try:
            found = do()
        except ReconcilerError as error:
            said = "; ".join([error.message, *(str(p) for p in getattr(error, "problems", ())), error.hint or ""])
        except Exception as error:  # a thread that dies leaves a server that lies
            said = mistake(error)
        else:
            if self._said.pop(what, None):
                self.tell(f"{what}: works again")
            return found
        if self._said.get(what) != said:
            self._said[what] = said
            self.tell(f"{what}: {said.rstrip('; ')}")
        return None


def live(seen: Seen, failed: frozenset[str]) -> Live:
    """A look as the autoscaler's decisions take it."""
    servers = _by_name(seen.servers, lambda r: (r.id, r.fields))
    nodes = _by_name(seen.nodes, lambda r: str(r.fields.get("provider_id") or ""))
    flavors: Mapping[str, Fields] = _by_name(seen.flavors, lambda r: r.fields) or {}
    return Live(servers, nodes, flavors, seen.failure, failed)


def _answered(listing: Listing) -> bool:
    """Raises Transient with the reason where it could not be asked."""
    if isinstance(listing, Unknown):
        raise Transient(listing.reason, hint=listing.hint)
    return True


def check_address(address: str, *, plain: bool) -> tuple[str, int]:
    """Host and port. Raises Invalid for what is none, and for plain text that leaves the machine."""
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdigit() or int(port) > 65535:
        raise Invalid(f"{address!r} is no address", hint="write HOST:PORT, such as 0.0.0.0:8086")
    if plain and not _loopback(host):
        hint = "use certificates (`reconciler autoscaler certificates DIR`), or listen on 127.0.0.1"
        raise Invalid(f"plain text on {address} could be read and forged by others", hint=hint)
    return host, int(port)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bound(server: Any, address: str, credentials: grpc.ServerCredentials | None) -> int:
    """Bind and return the port. Raises Invalid where somebody else has it."""
    try:
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
    except RuntimeError:
        port = 0
    if not port:
        hint = "another server may have it; --address names another one; the certificates must be PEM files"
        raise Invalid(f"cannot listen on {address}", hint=hint)
    return int(port)


V = TypeVar("V")


def _by_name(listing: Listing, value: Callable[[Resource], V]) -> dict[str, V] | None:
    return {r.name: value(r) for r in listing.resources} if isinstance(listing, Known) else None
