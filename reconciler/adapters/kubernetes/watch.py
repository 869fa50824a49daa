"""Watches what is ours on many API servers at once, on one thread: an event says that a cluster should be looked at.

Only metadata travels, for every cluster of one API over one connection, on a stream for each kind. A stream starts from
a list, goes on from its version, lets the server say how far it is (bookmarks), and lists again when the server has
forgotten that version (410): what changed in between is found by comparing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlencode

from ...errors import Permanent
from ...ports import Api, Gate, as_it_is
from .connection import CONNECT_SECONDS, credentials, open_kubeconfig
from .fields import PART_OF
from .http2 import Answer, Broken, Http2, connect
from .kinds import root
from .ours import copied
from .witness import Witness, echo, witnessed

_NODES = "v1/Node"
_COPIES = ("v1/Endpoints", "discovery.k8s.io/v1/EndpointSlice")  # kinds that controllers make with a Service's labels
_WATCH_SECONDS = (240, 360)  # the server ends a watch after so long; not all of them together
_SILENCE_SECONDS = 150.0  # a bookmark comes about once a minute: a stream that is silent for longer is dead
_RETRY_SECONDS = (0.5, 60.0)
_REFUSED_SECONDS = 300.0  # no right to watch this, or no such kind: asked again now and then
_ANSWER_SECONDS = 30.0
_PING_SECONDS = 10.0
_GONE, _REFUSALS = 410, (401, 403, 404, 405)
_AS = "application/json;as={};v=v1;g=meta.k8s.io,application/json"
_ITEM, _LIST = _AS.format("PartialObjectMetadata"), _AS.format("PartialObjectMetadataList")


class _Gone(Exception):
    """The server has forgotten the version we know."""


class _Refused(Exception):
    """It will say the same the next time."""


class KubernetesWatches:
    """Implements ports.Watcher. `seen` is called with a cluster and what happened, from the thread of the watches.
    `gate` says how kubeconfigs may be read."""

    def __init__(self, seen: Callable[[str, str], None], gate: Gate = as_it_is) -> None:
        self._seen = seen
        self._gate = gate
        self._apis: dict[str, _Watched] = {}
        self._wanted: dict[str, tuple[Api, ...]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def follow(self, cluster: str, apis: Sequence[Api]) -> None:
        """Watch these for a cluster, and nothing else for it any more. Returns at once."""
        wanted = tuple(api for api in apis if api.kubeconfig.is_file())
        asyncio.run_coroutine_threadsafe(self._follow(cluster, wanted), self._running())

    def streams(self) -> int:
        return sum(api.open for api in tuple(self._apis.values()))

    def close(self) -> None:
        if self._loop is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop = self._thread = None

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._starting:  # the first cycles of many clusters end together
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="watches", daemon=True)
                self._thread.start()
            return self._loop

    async def _follow(self, cluster: str, wanted: tuple[Api, ...]) -> None:
        if self._wanted.get(cluster) == wanted and all(_key(api) in self._apis for api in wanted):
            return
        self._wanted[cluster] = wanted
        keys = {_key(api): api for api in wanted}
        for key, watched in tuple(self._apis.items()):
            if key not in keys and watched.leave(cluster):
                del self._apis[key]
                await watched.close()
        for key, api in keys.items():
            if key not in self._apis:
                self._apis[key] = _Watched(api, self._seen, self._gate)
            self._apis[key].join(cluster, api)

    async def _end(self) -> None:
        apis = tuple(self._apis.values())
        self._apis.clear()
        await asyncio.gather(*(api.close() for api in apis))


def _key(api: Api) -> str:
    """One API is watched once, however many clusters are on it and wherever their kubeconfigs lie."""
    try:
        content = api.kubeconfig.read_bytes()
    except OSError:
        content = str(api.kubeconfig).encode()
    return hashlib.sha256(content + str(api.context).encode()).hexdigest()


@dataclass
class _Stream:
    """One kind on one API. `known` is what was seen of each object, by uid."""

    kind: str
    task: asyncio.Task[None] | None = None
    known: dict[str, Witness] = field(default_factory=dict)
    version: str = ""
    listed: bool = False


class _Watched:
    """One API server: who is on it, and a stream for each kind that any of them has. Lives on the watches' loop."""

    def __init__(self, api: Api, seen: Callable[[str, str], None], gate: Gate) -> None:
        self._api = api
        self._gate = gate
        self._seen = seen
        self._kinds: dict[str, frozenset[str]] = {}
        self._owners: set[str] = set()
        self._streams: dict[str, _Stream] = {}
        self._connection: Http2 | None = None
        self._configuration: Any = None
        self._opening = asyncio.Lock()
        self._plurals: dict[str, dict[str, str]] = {}
        self.open = 0

    def join(self, cluster: str, api: Api) -> None:
        self._kinds[cluster] = api.kinds
        if api.nodes:
            self._owners.add(cluster)
        self._arrange()

    def leave(self, cluster: str) -> bool:
        """Say whether nobody is left."""
        self._kinds.pop(cluster, None)
        self._owners.discard(cluster)
        self._arrange()
        return not self._kinds

    async def close(self) -> None:
        left = {stream.task for stream in self._streams.values() if stream.task}
        self._streams.clear()
        while left:  # once is not enough: asyncio.wait_for of Python 3.11 may lose a cancellation (bpo-37658)
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=0.2)
        if self._connection is not None:
            self._connection.close()

    def _arrange(self) -> None:
        wanted = {kind for kinds in self._kinds.values() for kind in kinds} | ({_NODES} if self._owners else set())
        for kind in wanted - self._streams.keys():
            stream = self._streams[kind] = _Stream(kind)
            stream.task = asyncio.get_running_loop().create_task(self._keep(stream))
        for kind in self._streams.keys() - wanted:
            if task := self._streams.pop(kind).task:
                task.cancel()

    async def _keep(self, stream: _Stream) -> None:
        """List and watch as long as it is wanted; wait longer after each failure."""
        failures = 0
        while self._streams.get(stream.kind) is stream:
            pause = 0.0
            try:
                if not stream.version:
                    await self._list(stream)
                async for event in self._watch(stream):
                    failures = 0
                    self._took(stream, event)
                failures = 0
            except _Gone:
                stream.version = ""
                failures += 1
            except (_Refused, RecursionError):  # or what nests too deeply to be read, which stays so for a while
                stream.version = ""
                pause = _REFUSED_SECONDS
            except Exception:  # a stream that ends is never made again: a mistake of ours is tried again, too
                failures += 1
                self._plurals.clear()  # the API may come back as another version
            low, high = _RETRY_SECONDS
            pause = pause or (min(high, low * 2.0 ** min(failures - 1, 10)) if failures else 0.0)
            if pause:
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret

    async def _list(self, stream: _Stream) -> None:
        """Everything there is; after a gap, what is not as it was known is told."""
        there: dict[str, tuple[dict[str, Any], Witness]] = {}
        more, version = "", ""
        path, query = await self._place(stream.kind)
        while True:
            page = await self._json(path, {**query, "limit": "500", **({"continue": more} if more else {})})
            for metadata in (item["metadata"] for item in page.get("items") or ()):
                if self._concerned(stream, metadata):
                    there[metadata["uid"]] = (metadata, witnessed(metadata))
            version = page["metadata"].get("resourceVersion", "")
            more = page["metadata"].get("continue") or ""
            if not more:
                break
        if stream.listed:
            for uid, (metadata, now) in there.items():
                before = stream.known.get(uid)
                if before != now and not echo(before, now):
                    self._tell(stream.kind, metadata, "changed")
            for uid, before in stream.known.items():
                if uid not in there:
                    self._tell_whose(stream.kind, before.part_of, before.name, "deleted")
        stream.known = {uid: now for uid, (_, now) in there.items()}
        stream.version, stream.listed = version, True

    async def _watch(self, stream: _Stream) -> AsyncIterator[dict[str, Any]]:
        path, query = await self._place(stream.kind)
        seconds = random.randint(*_WATCH_SECONDS)  # noqa: S311 - jitter, no secret
        asked = {
            **query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": stream.version,
            "timeoutSeconds": str(seconds),
        }
        async with self._get(path, asked, _ITEM) as answer:
            self.open += 1
            try:
                while line := await asyncio.wait_for(answer.body.readline(), _SILENCE_SECONDS):
                    yield json.loads(line)
            finally:
                self.open -= 1

    def _took(self, stream: _Stream, event: Mapping[str, Any]) -> None:
        what, found = event["type"], event["object"]
        if what == "ERROR":
            if found.get("code") == 410:
                raise _Gone
            raise Broken(str(found.get("code" if stream.kind == "Secret" else "message")))
        metadata = found["metadata"]
        stream.version = metadata.get("resourceVersion", stream.version)
        if what == "BOOKMARK" or not self._concerned(stream, metadata):
            return
        if what == "DELETED":
            stream.known.pop(metadata["uid"], None)
            self._tell(stream.kind, metadata, "deleted")
            return
        before, now = stream.known.get(metadata["uid"]), witnessed(metadata)
        stream.known[metadata["uid"]] = now
        if before != now and not echo(before, now):
            self._tell(stream.kind, metadata, "changed" if before else "added")

    def _concerned(self, stream: _Stream, metadata: Mapping[str, Any]) -> bool:
        """Is it somebody's who is here? Others may have objects on the same API, and a Service's labels are copied to
        its Endpoints; what was concerned once stays so, whatever its books say by now."""
        if stream.kind == _NODES:
            return True
        part_of = str((metadata.get("labels") or {}).get(PART_OF, ""))
        mine = part_of.rpartition(".")[0] in self._kinds
        copy = stream.kind in _COPIES and metadata["uid"] not in stream.known and copied(metadata)
        return mine and not copy

    def _tell(self, kind: str, metadata: Mapping[str, Any], what: str) -> None:
        if any(owner.get("controller") for owner in metadata.get("ownerReferences") or ()):
            return
        name = "/".join(n for n in (metadata.get("namespace"), metadata["name"]) if n)
        self._tell_whose(kind, (metadata.get("labels") or {}).get(PART_OF, ""), name, what)

    def _tell_whose(self, kind: str, part_of: str, name: str, what: str) -> None:
        short = kind.rpartition("/")[2]
        concerned: Iterable[str] = self._owners if kind == _NODES else {part_of.rpartition(".")[0]} & self._kinds.keys()
        for cluster in concerned:
            self._seen(cluster, f"{short} {name} {what}")

    async def _place(self, kind: str) -> tuple[str, dict[str, str]]:
        """The path of a kind's collection over all namespaces, and what of it is ours."""
        if kind == _NODES:
            return "/api/v1/nodes", {}
        version, _, name = kind.rpartition("/")
        if version not in self._plurals:
            answer = await self._json(root(version), {})
            self._plurals[version] = {r["kind"]: r["name"] for r in answer.get("resources", ()) if "/" not in r["name"]}
        if name not in self._plurals[version]:
            self._plurals.pop(version)  # its definition may be applied at any time
            raise _Refused
        return f"{root(version)}/{self._plurals[version][name]}", {"labelSelector": PART_OF}

    async def _json(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        async with self._get(path, query, _LIST) as answer:
            return cast("dict[str, Any]", json.loads(await asyncio.wait_for(answer.body.read(), _ANSWER_SECONDS)))

    @asynccontextmanager
    async def _get(self, path: str, query: Mapping[str, str], accept: str) -> AsyncIterator[Answer]:
        connection = await self._opened()
        # off the loop: a plugin that renews a token is a program
        told = await asyncio.get_running_loop().run_in_executor(None, credentials, self._configuration)
        headers = {"accept": accept, "user-agent": "reconciler", **{k.lower(): v for k, v in told.items()}}
        answer = connection.get(f"{path}?{urlencode(query)}" if query else path, headers.items())
        try:
            status = await asyncio.wait_for(answer.status, _ANSWER_SECONDS)
            if status == _GONE:
                raise _Gone
            if status in _REFUSALS:
                raise _Refused
            if status >= 300:
                raise Broken(f"{path}: HTTP {status}")
            yield answer
        except TimeoutError:  # this request's own slowness, or a peer that went without a word
            if not await connection.alive(_PING_SECONDS):
                connection.abort("the server does not answer")
            raise
        finally:
            connection.drop(answer)

    async def _opened(self) -> Http2:
        """The one connection, made again when it was lost."""
        async with self._opening:
            if self._connection is None or self._connection.lost:
                loop = asyncio.get_running_loop()
                self._configuration, context = await loop.run_in_executor(None, _load, self._api, self._gate)
                self._connection = await connect(self._configuration.host, context, CONNECT_SECONDS)
            return self._connection


def _load(api: Api, gate: Gate) -> tuple[Any, ssl.SSLContext]:
    """The kubeconfig as the client library reads it, and TLS as it says. Raises Permanent."""
    configuration = open_kubeconfig(api.kubeconfig, api.context, gate)
    if not configuration.host.startswith("https"):
        raise Permanent(f"{configuration.host} is not https", hint="its objects are looked at every now and then")
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert or None)
    if not configuration.verify_ssl:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return configuration, context
