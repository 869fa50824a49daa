"""Asking strangers: only hosts that may be asked, at the address that was judged, and so much of it in so much time."""

from __future__ import annotations

import hashlib
import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.adapters.helm.archives import Archives
from reconciler.adapters.helm.web import Target, Unreachable, Web
from reconciler.errors import Invalid, Permanent, Transient
from reconciler.model.hosts import Hosts
from reconciler.ports import Archive

MIB = 1 << 20
HERE = Hosts.of("127.0.0.1")


class Server:
    """Answers with what `pages` has by path: a body, a place to go to, or what a function writes."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.pages: dict[str, bytes | str | Callable[[Any], None]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                page = outer.pages.get(self.path)
                if callable(page):
                    page(self)
                elif isinstance(page, str):
                    self.send_response(302)
                    self.send_header("Location", page)
                    self.end_headers()
                else:
                    self.send_response(404 if page is None else 200)
                    self.send_header("Content-Length", str(len(page or b"")))
                    self.end_headers()
                    self.wfile.write(page or b"")

            def log_message(self, *_: object) -> None: ...

        self.httpd = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.origin = f"{address}:{self.httpd.server_address[1]}"
        self.url = f"http://{self.origin}"
        self.thread = threading.Thread(target=self.httpd.serve_forever, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.httpd.shutdown()
        self.httpd.server_close()
        self.thread.join()


@pytest.fixture(autouse=True)
def no_proxy_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.stop()


@pytest.fixture
def metadata() -> Iterator[Server]:
    """Plays what nobody may be sent to."""
    made = Server("127.0.0.9")
    made.pages["/secret"] = b"canary"
    yield made
    made.stop()


def test_what_is_named_is_asked(server: Server) -> None:
    server.pages["/a?b=c"] = b"hello"
    answer = Web(HERE).get(f"{server.url}/a?b=c", MIB)
    assert (answer.status, answer.body) == (200, b"hello")
    assert Web(HERE).get(f"{server.url}/lost", MIB).status == 404


@pytest.mark.parametrize("hosts", [Hosts(), Hosts.of("*"), Hosts.of("charts.example.org"), Hosts.of("127.0.0.1:1")])
def test_loopback_that_is_not_named_is_not_asked(server: Server, hosts: Hosts) -> None:
    port = server.origin.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost.", "LOCALHOST"):
        for scheme in ("http", "https"):
            with pytest.raises(Invalid, match=r"public address|not among") as caught:
                Web(hosts).get(f"{scheme}://{host}:{port}/", MIB)
            assert "fetch: {hosts: [" in (caught.value.hint or "")
    assert server.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.org/", "file:///etc/passwd", "https://", "https:///x", "https://user:word@a.org/", "https://a@b.org/",
        "https://a.org:99999/", "https://a b.org/", "https://a.org\\@127.0.0.1/", "https://a..org/", "//a.org/x", "",
        "https://[::1/", "https://a.org:x/", "https://[fe80::1%25eth0]:x/", "gopher://a",
    ],
)  # fmt: skip
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(Invalid, match="is no address to fetch from") as caught:
        Web(Hosts.of("*")).get(url, MIB)
    assert "word" not in caught.value.message


def test_a_redirect_is_judged_like_any_address(server: Server, metadata: Server) -> None:
    server.pages["/away"] = f"{metadata.url}/secret"
    server.pages["/sly"] = f"//{metadata.origin}/secret"
    server.pages["/there"] = "/here"
    server.pages["/here"] = b"here"
    for path in ("/away", "/sly"):
        with pytest.raises(Invalid, match=r"127\.0\.0\.9"):
            Web(HERE).get(f"{server.url}{path}", MIB)
    assert metadata.asked == []
    assert Web(HERE).get(f"{server.url}/there", MIB).body == b"here"
    both = Hosts.of("127.0.0.1", "127.0.0.9")
    assert Web(both).get(f"{server.url}/away", MIB).body == b"canary", "named, it is used"


def test_redirects_end(server: Server) -> None:
    server.pages["/a"] = "/a"
    with pytest.raises(Invalid, match="leads from one address to the next"):
        Web(HERE).get(f"{server.url}/a", MIB)
    assert len(server.asked) < 10


def test_a_token_goes_to_the_first_host_only(server: Server, metadata: Server) -> None:
    server.pages["/a"] = "/b"
    server.pages["/b"] = f"{metadata.url}/secret"
    Web(Hosts.of("127.0.0.1", "127.0.0.9")).get(f"{server.url}/a", MIB, token="canary", accept="x/y")
    assert [headers["authorization"] for _, headers in server.asked] == ["Bearer canary"] * 2
    assert "authorization" not in metadata.asked[0][1]
    assert metadata.asked[0][1]["accept"] == "x/y"


def test_the_address_that_was_judged_is_the_one_that_is_asked(
    server: Server, metadata: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that stands for something else at the second question (DNS rebinding)."""
    questions: list[str] = []

    def answers(host: str, port: int, **_: object) -> list[Any]:
        questions.append(host)
        address = "127.0.0.1" if len(questions) == 1 else "127.0.0.9"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, *_, **more: answers(host, port, **more))
    server.pages["/"] = b"judged"
    port = server.origin.rpartition(":")[2]
    create = socket.create_connection

    def connect(address: tuple[str, int], *rest: Any) -> socket.socket:
        made = socket.socket()  # without another question
        made.settimeout(rest[0])
        made.connect(address)
        return made

    monkeypatch.setattr(socket, "create_connection", connect)
    assert Web(Hosts.of("charts.example.org")).get(f"http://charts.example.org:{port}/", MIB).body == b"judged"
    assert create is not connect
    assert questions == ["charts.example.org"]
    assert server.asked[0][1]["host"] == f"charts.example.org:{port}"
    assert metadata.asked == []


def test_of_several_addresses_those_that_may_be_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def answers(host: str, port: int, *rest: Any, **more: Any) -> Any:
        if host != "charts.example.org":
            return real(host, port, *rest, **more)
        return [(socket.AF_INET, 1, 6, "", (address, port)) for address in ("169.254.169.254", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", answers)
    server.pages["/"] = b"x"
    port = server.origin.rpartition(":")[2]
    assert Web(HERE).get(f"http://charts.example.org:{port}/", MIB).body == b"x"


def test_plain_http_only_where_the_host_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, 1, 6, "", ("8.8.8.8", 80))])
    with pytest.raises(Invalid, match="is not https://"):
        Web(Hosts()).get("http://charts.example.org/", MIB)


def test_more_than_is_wanted(server: Server) -> None:
    def without_an_end(handler: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(10_000):
                handler.wfile.write(b"x" * MIB)
        except OSError:
            pass

    server.pages.update({"/known": b"x" * (MIB + 1), "/unknown": without_an_end, "/fits": b"x" * MIB})
    for path in ("/known", "/unknown"):
        with pytest.raises(Invalid, match="sends more than 1 MiB"):
            Web(HERE).get(f"{server.url}{path}", MIB)
    assert len(Web(HERE).get(f"{server.url}/fits", MIB).body) == MIB


@pytest.mark.parametrize("part", ["status", "headers", "body", "chunks"])
def test_who_sends_a_byte_now_and_again_is_cut_off(server: Server, part: str) -> None:
    ended = threading.Event()

    def slowly(handler: Any) -> None:
        start = {
            "status": b"", "headers": b"HTTP/1.1 200 OK\r\nX: ", "body": b"HTTP/1.1 200 OK\r\n\r\n",
            "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        }[part]  # fmt: skip
        piece = b"1\r\nx\r\n" if part == "chunks" else b"x"
        try:
            handler.wfile.write(start)
            while not ended.wait(0.05):
                handler.wfile.write(piece)
        except OSError:
            pass

    server.pages["/"] = slowly
    started = time.monotonic()
    with pytest.raises(Unreachable, match=r"no answer within 0\.5 s"):
        Web(HERE, seconds=0.5).get(f"{server.url}/", MIB)
    assert time.monotonic() - started < 5
    ended.set()


@pytest.mark.parametrize(
    "answer",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", b"HTTP/1.1 999999 x\r\n\r\n"],
)
def test_what_is_no_answer(server: Server, answer: bytes) -> None:
    server.pages["/"] = lambda handler: handler.wfile.write(answer)
    with pytest.raises(Unreachable, match="can't be reached"):
        Web(HERE).get(f"{server.url}/", MIB)


class TestProxy:
    """A machine whose way out is a proxy: what it is asked for is judged before."""

    def test_it_is_asked_for_what_is_named(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", f"http://user:word@{server.origin}")
        server.pages["http://charts.invalid/x"] = b"by proxy"
        assert Web(Hosts.of("charts.invalid")).get("http://charts.invalid/x", MIB).body == b"by proxy"
        path, headers = server.asked[0]
        assert (path, headers["proxy-authorization"]) == ("http://charts.invalid/x", "Basic dXNlcjp3b3Jk")
        monkeypatch.setenv("no_proxy", "charts.invalid")
        with pytest.raises(Unreachable, match=r"charts\.invalid"):
            Web(Hosts.of("charts.invalid")).get("http://charts.invalid/x", MIB)

    @pytest.mark.parametrize("host", ["charts.invalid", "169.254.169.254", "10.0.0.1"])
    def test_it_is_not_asked_for_what_nobody_knows_to_be_public(
        self, server: Server, monkeypatch: pytest.MonkeyPatch, host: str
    ) -> None:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, server.url)
        with pytest.raises(Invalid, match="public address"):
            Web(Hosts()).get(f"https://{host}/x", MIB)
        assert server.asked == []

    def test_a_tunnel_is_made_for_https(self, monkeypatch: pytest.MonkeyPatch) -> None:
        heard: list[bytes] = []
        with socket.create_server(("127.0.0.1", 0)) as listening:

            def serve() -> None:
                peer, _ = listening.accept()
                with peer:
                    heard.append(peer.recv(4096))
                    peer.sendall(b"HTTP/1.1 403 No\r\n\r\n")

            thread = threading.Thread(target=serve)
            thread.start()
            monkeypatch.setenv("https_proxy", f"127.0.0.1:{listening.getsockname()[1]}")
            with pytest.raises(Unreachable):
                Web(Hosts.of("charts.invalid")).get("https://charts.invalid/x", MIB)
            thread.join()
        assert heard[0].startswith(b"CONNECT charts.invalid:443 HTTP/1.")

    def test_loopback_needs_no_proxy(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        server.pages["/"] = b"x"
        assert Web(HERE).get(f"{server.url}/", MIB).body == b"x"


class TestArchives:
    """What becomes of all that where a chart is wanted."""

    CONTENT = b"an archive"

    def archive(self, repository: str, content: bytes = CONTENT) -> Archive:
        return Archive(repository, "web", "1.0.0", hashlib.sha256(content).hexdigest())

    def index(self, server: Server, url: str, path: str = "") -> None:
        entries = {"web": [{"version": "1.0.0", "urls": [url]}]}
        server.pages[f"{path}/index.yaml"] = yaml.safe_dump({"entries": entries}).encode()

    def registry(self, server: Server, content: bytes = CONTENT, tag: str = "1.0.0") -> None:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        layer = {"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "digest": digest}
        server.pages[f"/v2/charts/web/manifests/{tag}"] = json.dumps({"layers": [{"mediaType": "x"}, layer]}).encode()
        server.pages[f"/v2/charts/web/blobs/{digest}"] = content

    def test_an_archive_is_fetched_once_and_kept(self, server: Server, tmp_path: Path) -> None:
        self.index(server, "web.tgz", "/charts")
        server.pages["/charts/web.tgz"] = self.CONTENT
        archives, wanted = Archives(tmp_path / "kept", Web(HERE)), self.archive(f"{server.url}/charts/")
        for _ in range(2):
            place = archives.ensure(wanted, tmp_path)
            assert place
            assert place.read_bytes() == self.CONTENT
        assert [path for path, _ in server.asked] == ["/charts/index.yaml", "/charts/web.tgz"]
        assert Archives(tmp_path / "kept", None).ensure(wanted, tmp_path) == place
        assert Archives(tmp_path / "other", None).ensure(wanted, tmp_path) is None

    @pytest.mark.parametrize(
        "url", ["http://127.0.0.9:{port}/secret", "//127.0.0.9:{port}/secret", "https://127.0.0.9/"]
    )
    def test_an_index_leads_nowhere_else(self, server: Server, metadata: Server, tmp_path: Path, url: str) -> None:
        self.index(server, url.format(port=metadata.origin.rpartition(":")[2]))
        with pytest.raises(Invalid, match=r"127\.0\.0\.9"):
            Archives(tmp_path, Web(HERE)).ensure(self.archive(server.url), tmp_path)
        assert metadata.asked == []

    def test_another_content_is_refused_and_not_kept(self, server: Server, tmp_path: Path) -> None:
        self.index(server, "web.tgz")
        server.pages["/web.tgz"] = b"something else"
        with pytest.raises(Permanent, match="is not the archive that is pinned") as caught:
            Archives(tmp_path, Web(HERE)).ensure(self.archive(server.url), tmp_path)
        assert hashlib.sha256(b"something else").hexdigest() in (caught.value.hint or "")
        assert list(tmp_path.iterdir()) == []

    def test_a_registry_gives_the_layer_that_is_the_chart(self, server: Server, tmp_path: Path) -> None:
        self.registry(server)
        wanted = self.archive(f"oci://{server.origin}/charts")
        place = Archives(tmp_path, Web(HERE)).ensure(wanted, tmp_path)
        assert place
        assert place.read_bytes() == self.CONTENT

    def test_an_index_may_lead_to_a_registry(self, server: Server, tmp_path: Path) -> None:
        self.index(server, f"oci://{server.origin}/charts/web:1.0.0")
        self.registry(server)
        assert Archives(tmp_path, Web(HERE)).ensure(self.archive(server.url), tmp_path)

    def test_a_registry_that_wants_a_token(self, server: Server, tmp_path: Path) -> None:
        self.registry(server)
        pages = dict(server.pages)

        def guarded(path: str) -> Callable[[Any], None]:
            def answer(handler: Any) -> None:
                let_in = handler.headers.get("Authorization") == "Bearer everybody"
                page = pages[path]
                assert isinstance(page, bytes)
                handler.send_response(200 if let_in else 401)
                realm = f'Bearer realm="{server.url}/token",service="s",scope="repository:charts/web:pull"'
                handler.send_header("WWW-Authenticate", realm)
                handler.end_headers()
                handler.wfile.write(page if let_in else b"")

            return answer

        server.pages = {path: guarded(path) for path in pages}
        server.pages["/token?service=s&scope=repository%3Acharts%2Fweb%3Apull"] = b'{"token": "everybody"}'
        assert Archives(tmp_path, Web(HERE)).ensure(self.archive(f"oci://{server.origin}/charts"), tmp_path)

    @pytest.mark.parametrize("way", ["token", "blob", "manifest"])
    def test_a_registry_leads_nowhere_else(self, server: Server, metadata: Server, tmp_path: Path, way: str) -> None:
        self.registry(server)
        manifest, blob = (next(path for path in server.pages if part in path) for part in ("manifests", "blobs"))
        if way == "token":

            def refuse(handler: Any) -> None:
                handler.send_response(401)
                handler.send_header("WWW-Authenticate", f'Bearer realm="{metadata.url}/secret"')
                handler.end_headers()

            server.pages[manifest] = refuse
        else:
            server.pages[blob if way == "blob" else manifest] = f"{metadata.url}/secret"
        with pytest.raises(Invalid, match=r"127\.0\.0\.9"):
            Archives(tmp_path, Web(HERE)).ensure(self.archive(f"oci://{server.origin}/charts"), tmp_path)
        assert metadata.asked == []

    @pytest.mark.parametrize(
        "manifest", [b"", b"[]", b"{}", b'{"layers": 1}', b'{"layers": [{"mediaType": []}]}', b"[" * 9999]
    )
    def test_what_is_no_chart(self, server: Server, tmp_path: Path, manifest: bytes) -> None:
        server.pages["/v2/charts/web/manifests/1.0.0"] = manifest
        with pytest.raises(Permanent, match="is no Helm chart"):
            Archives(tmp_path, Web(HERE)).ensure(self.archive(f"oci://{server.origin}/charts"), tmp_path)

    def test_errors_say_whether_a_retry_can_help(self, server: Server, tmp_path: Path) -> None:
        archives = Archives(tmp_path, Web(HERE))
        with pytest.raises(Permanent, match="answers 404"):
            archives.ensure(self.archive(server.url), tmp_path)
        self.index(server, "web.tgz")
        with pytest.raises(Permanent, match="none in that version"):
            archives.ensure(Archive(server.url, "web", "2.0.0", "0"), tmp_path)
        server.pages["/web.tgz"] = lambda handler: handler.send_error(503)
        with pytest.raises(Transient, match="answers 503"):
            archives.ensure(self.archive(server.url), tmp_path)
        with pytest.raises(Transient, match="can't be had"):
            archives.ensure(self.archive("http://127.0.0.1:9"), tmp_path)


def test_an_address_is_written_as_it_is_asked_for() -> None:
    assert Target.of("https://Example.ORG./a b?c=d e#f").url == "https://example.org/a%20b?c=d%20e"
    assert Target.of("https://[::1]:8443").url == "https://[::1]:8443/"
