"""The daemon's door, asked over real connections: who is let in, how much, how fast, and what is never said."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import hmac
import http.client
import ipaddress
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from reconciler.errors import Permanent
from reconciler.serve import http as door_module
from reconciler.serve.access import Access, Proxy
from reconciler.serve.connections import Limits
from reconciler.serve.http import Door, Hook, Server

SECRET = b"between the forge and us"
PUSH = json.dumps({"ref": "refs/heads/main", "after": "f" * 40}).encode()
LIMIT = 64 * 1024 * 2


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str


@dataclass
class Client:
    """A server, and requests to it."""

    door: Door
    pushed: list[tuple[str, str]] = field(default_factory=list)
    missed: list[float] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    server: Server | None = None
    port: int = 0
    listen: str = "127.0.0.1"
    cut: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)

    def start(self) -> None:
        door = replace(
            self.door,
            hooks=[replace(h, pushed=lambda ref, commit: self.pushed.append((ref, commit))) for h in self.door.hooks],
            missed=lambda: self.missed.append(time.monotonic()),
            answered=lambda status, _: self.answered.append(status),
            cut=lambda reason, _: self.cut.append(reason),
            refused=lambda status, _: self.refused.append(status),
            trouble=self.trouble.append,
        )
        self.server = Server(door, self.listen, 0)
        self.port = self.server.start()

    def ask(
        self, method: str, path: str, body: bytes | None = None, *, source: str = "127.0.0.1", **headers: str
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30, source_address=(source, 0))
        try:
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())
        finally:
            connection.close()

    def deliver(self, body: bytes = PUSH, signature: str | None = None, **headers: str) -> Answer:
        signed = signed_by(SECRET, body) if signature is None else signature
        told = {"Content_Type": "application/json", "X_GitHub_Event": "push", "X_Hub_Signature_256": signed, **headers}
        return self.ask("POST", "/webhook", body, **{k: v for k, v in told.items() if v})


def signed_by(secret: bytes, body: bytes) -> str:
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


DOOR = Door(
    hooks=(Hook(lambda: SECRET, lambda _ref, _commit: None),),
    missed=lambda: None,
    status=lambda: {"clusters": []},
    metrics=lambda: b"reconciler_watches 0\n",
    metrics_type="text/plain; version=0.0.4",
    ready=lambda: "",
    answered=lambda _status, _delivery: None,
    max_bytes=LIMIT,
)


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    changed = getattr(request, "param", {})
    made = Client(replace(DOOR, **changed), listen=changed["access"].address if "access" in changed else "127.0.0.1")
    made.start()
    try:
        yield made
    finally:
        assert made.server
        made.server.stop()


def test_a_signed_push_is_accepted_and_told(client: Client) -> None:
    assert client.deliver().status == 202
    assert client.pushed == [("refs/heads/main", "f" * 40)]


def test_an_old_delivery_that_comes_again_is_the_same_question_again(client: Client) -> None:
    assert [client.deliver().status for _ in range(3)] == [202] * 3
    assert set(client.pushed) == {("refs/heads/main", "f" * 40)}


def test_a_ping_is_answered_and_other_events_are_nothing_to_do(client: Client) -> None:
    assert client.deliver(b"{}", X_GitHub_Event="ping").status == 200
    assert client.deliver(b"{}", X_GitHub_Event="issues").status == 202
    assert client.pushed == []


@pytest.mark.parametrize(
    "signature", ["", "sha256=", "sha256=" + "0" * 64, "sha1=" + "0" * 40, "nonsense", "\xff" * 200]
)
def test_a_bad_signature_gets_401_and_is_told_to_nobody(client: Client, signature: str) -> None:
    assert client.deliver(signature=signature).status == 401
    assert client.pushed == []


def test_gitlab_s_token_is_taken(client: Client) -> None:
    told = {"X_Gitlab_Event": "Push Hook", "X_Gitlab_Token": SECRET.decode(), "Content_Type": "application/json"}
    assert client.ask("POST", "/webhook", PUSH, **told).status == 202
    assert client.ask("POST", "/webhook", PUSH, **{**told, "X_Gitlab_Token": "no"}).status == 401


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"ref": 1}'])
def test_what_is_signed_and_no_payload_gets_400(client: Client, body: bytes) -> None:
    assert client.deliver(body).status == 400


def test_methods_paths_and_types(client: Client) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        answer = client.ask(method, "/webhook")
        assert (answer.status, answer.headers.get("Allow")) == (405, "POST")
    assert client.ask("POST", "/status").status == 405
    assert client.ask("GET", "/").status == 404
    assert client.ask("GET", "/../../etc/passwd").status == 404
    assert client.deliver(Content_Type="text/plain").status == 415
    assert client.deliver(Content_Type="application/x-www-form-urlencoded").status == 415


@pytest.mark.parametrize("client", [{"hooks": (Hook(lambda: None, lambda _ref, _commit: None),)}], indirect=True)
def test_without_a_secret_nobody_is_let_in(client: Client) -> None:
    assert client.deliver().status == 404
    assert client.pushed == []


def test_a_body_that_is_too_long_gets_413_before_it_is_sent(client: Client) -> None:
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as wire:
        head = b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        wire.sendall(head % (LIMIT + 1))  # and not one byte of the body
        assert wire.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_one_in_chunks_gets_it_while_it_is_read(client: Client) -> None:
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as wire:
        wire.sendall(
            b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        answer = b""
        wire.settimeout(0.05)
        for _ in range(200):  # 12 MiB, were they all taken
            with contextlib.suppress(TimeoutError, OSError):
                wire.sendall(b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n")
            try:
                answer += wire.recv(4096)
            except (TimeoutError, OSError):
                continue
            break
        assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("client", [{"per_minute": 60.0}], indirect=True)
def test_a_flood_gets_429_and_when_to_come_again_and_its_last_push_is_not_lost(client: Client) -> None:
    answers = [client.deliver() for _ in range(40)]
    refused = [a for a in answers if a.status == 429]
    assert {a.status for a in answers} == {202, 429}
    assert all(int(a.headers["Retry-After"]) >= 1 for a in refused)
    last = json.dumps({"ref": "refs/heads/last"}).encode()
    client.deliver(last)
    assert client.pushed[-1][0] == "refs/heads/last"


def test_a_flood_of_bad_signatures_gets_429_and_takes_nothing_from_good_ones(client: Client) -> None:
    statuses = [client.deliver(signature="sha256=" + "0" * 64).status for _ in range(60)]
    assert set(statuses) == {401, 429}
    assert [client.deliver().status for _ in range(5)] == [202] * 5


HEAD = b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


def test_when_strangers_hold_every_place_for_large_bodies_a_push_is_fetched_all_the_same(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its body nobody knows who sent it: what was refused unread is asked of git, and not too often."""
    monkeypatch.setattr(door_module, "_MISSED_SECONDS", 0.5)
    strangers = [socket.create_connection(("127.0.0.1", client.port), timeout=10) for _ in range(8)]
    try:
        for wire in strangers:
            wire.sendall(HEAD % 100_000)
        server = client.server
        assert server
        until(lambda: server._large == 8)
        large = json.dumps({"ref": "refs/heads/main", "x": "x" * 70_000}).encode()
        began = time.monotonic()
        assert [client.deliver(large).status for _ in range(20)] == [429] * 20
        until(lambda: client.missed and time.monotonic() - client.missed[-1] > 0.7)
    finally:
        for wire in strangers:
            wire.close()
    assert 1 <= len(client.missed) <= (client.missed[-1] - began) / 0.5
    assert client.pushed == []
    until(lambda: server._large == 0)
    assert client.deliver(large).status == 202


def test_a_body_that_comes_too_slowly_is_asked_of_git_too(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "_MISSED_SECONDS", 0.1)
    monkeypatch.setattr(door_module, "_BODY_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as wire:
        wire.sendall(HEAD % 1000)
        assert wire.recv(4096).startswith(b"HTTP/1.1 408 ")
    until(lambda: client.missed)


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature", "X-GitHub-Delivery"])
def test_bytes_that_are_no_text_are_a_bad_signature(client: Client, header: str) -> None:
    told = {header: "\xff", "Content-Type": "application/json"}
    statuses = [client.ask("POST", "/webhook", PUSH, **told).status for _ in range(60)]
    assert statuses[0] == 401
    assert set(statuses) == {401, 429}


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"Content-Type: text/plain\r\nContent-Length: 0", 415),
        (b"Content-Type: application/json\r\nContent-Length: 99999999", 413),
        (b"Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nxxxx", 401),
    ],
)
def test_whoever_is_refused_unread_takes_from_the_bad_ones(client: Client, head: bytes, status: int) -> None:
    for _ in range(60):
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as wire:
            wire.sendall(b"POST /webhook HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n")
            assert wire.recv(4096)
    until(lambda: len(client.answered) == 60)
    assert client.answered[0] == status
    assert set(client.answered) == {status, 429}
    assert client.answered.count(status) < 40
    assert [client.deliver().status for _ in range(5)] == [202] * 5


@pytest.mark.parametrize("client", [{"hooks": (Hook(lambda: None, lambda _ref, _commit: None),)}], indirect=True)
def test_so_does_who_comes_where_no_secret_is_set_up(client: Client) -> None:
    assert {client.deliver().status for _ in range(60)} == {404, 429}


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("client", [{"limits": Limits(head=2.0, whole=4.0)}], indirect=True)
def test_who_trickles_is_cut_and_keeps_nobody_waiting(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "_BODY_SECONDS", 1.0)
    slow = [socket.create_connection(("127.0.0.1", client.port), timeout=30) for _ in range(30)]
    try:
        for n, wire in enumerate(slow):
            body = b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\nx" if n % 2 else b"X-Slow"
            wire.sendall(b"POST /webhook HTTP/1.1\r\nHost: x\r\n" + body)
        assert client.deliver().status == 202
        ended = 0
        deadline = time.monotonic() + 30
        for n, wire in enumerate(slow):
            wire.settimeout(max(0.1, deadline - time.monotonic()))
            said = b""
            while chunk := _received(wire):
                said += chunk
            ended += said.startswith(b"HTTP/1.1 408 ") if n % 2 else said == b""
        assert ended == len(slow)
    finally:
        for wire in slow:
            wire.close()


def _received(wire: socket.socket) -> bytes:
    try:
        return wire.recv(4096)
    except ConnectionError:
        return b""


@pytest.mark.parametrize("client", [{"status": lambda: 1 / 0}], indirect=True)
def test_a_mistake_of_ours_is_no_traceback(client: Client) -> None:
    answer = client.ask("GET", "/status")
    assert (answer.status, json.loads(answer.text)) == (500, {"message": "internal error"})


def test_garbage_is_answered_or_cut_and_the_door_stays_open(
    client: Client, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    for garbage in (
        b"\x00\x01\x02\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /webhook HTTP/9.9\r\n\r\n",
        b"A" * 100_000 + b"\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as wire:
            wire.sendall(garbage)
            said = _received(wire)
            assert b"Traceback" not in said
            assert said == b"" or said.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    assert client.deliver().status == 202
    assert (caplog.text, capfd.readouterr().err) == ("", "")


def test_status_health_metrics(client: Client) -> None:
    assert client.ask("GET", "/healthz").status == 200
    assert client.ask("GET", "/readyz").status == 200
    assert json.loads(client.ask("GET", "/status").text) == {"clusters": []}
    assert client.ask("GET", "/metrics").text == "reconciler_watches 0\n"


@pytest.mark.parametrize("client", [{"ready": lambda: "git: does not answer"}], indirect=True)
def test_not_ready_is_one_word_and_says_nothing_of_the_reason(client: Client) -> None:
    answer = client.ask("GET", "/readyz")
    assert (answer.status, answer.text) == (503, "unready\n")


def test_an_address_that_is_taken_is_an_error_a_user_can_act_on(client: Client) -> None:
    with pytest.raises(Permanent, match=f"cannot listen on 127.0.0.1:{client.port}"):
        Server(DOOR, "127.0.0.1", client.port).start()


def test_how_long_a_no_takes_says_nothing_about_the_signature(client: Client) -> None:
    """Medians of answers to a signature that is wrong from its first digit and to one that is wrong in its last."""
    body = b"x" * 50_000
    right = signed_by(SECRET, body)
    near, far = right[:-1] + ("0" if right[-1] != "0" else "1"), "sha256=" + "0" * 64
    took: dict[str, list[float]] = {near: [], far: [], "": []}
    for _ in range(25):
        for signature, seconds in took.items():
            began = time.perf_counter()
            assert client.deliver(body, signature or "-").status in (401, 429)
            seconds.append(time.perf_counter() - began)
    medians = sorted(sorted(seconds)[len(seconds) // 2] for seconds in took.values())
    assert medians[-1] < medians[0] * 3 + 0.005  # on a busy machine; what is computed is asserted in test_webhook


def test_many_at_once_are_all_answered(client: Client) -> None:
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(client.deliver().status)) for _ in range(25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 25
    assert set(found) <= {202, 429}


TOKEN = b"a token of a test 0123456789".replace(b" ", b"-")
GUARDED = {"access": Access("127.0.0.1", guarded=True), "token": lambda: TOKEN}
PROXY = Proxy((ipaddress.ip_network("127.0.0.2"),), "X-Forwarded-User", "X-Forwarded-Groups", frozenset({"ops", "sre"}))
READING = ("/status", "/metrics", "/nothing", "/status/..", "//status")


SHOWN = {"Authorization": f"Bearer {TOKEN.decode()}"}


def read(client: Client, path: str, headers: Mapping[str, str], source: str = "127.0.0.1") -> Answer:
    return client.ask("GET", path, None, source=source, **headers)


@pytest.mark.parametrize("client", [GUARDED, {**GUARDED, "access": Access("0.0.0.0", guarded=True)}], indirect=True)
def test_with_a_token_set_up_nobody_reads_without_it(client: Client) -> None:
    wrong = ("", "Bearer", "Bearer x", f"Basic {TOKEN.decode()}", f"Bearer {TOKEN.decode()}x", TOKEN.decode())
    for given in wrong:
        answer = client.ask("GET", "/status", Authorization=given)
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert "clusters" not in answer.text
    assert [client.ask("GET", path).status for path in READING] == [401] * len(READING)
    assert client.refused == [401] * (len(wrong) + len(READING))
    assert read(client, "/status", SHOWN).status == 200
    assert read(client, "/metrics", SHOWN).status == 200
    assert read(client, "/nothing", SHOWN).status == 404
    assert client.deliver().status == 202, "a webhook shows its signature"
    assert (client.ask("GET", "/healthz").text, client.ask("GET", "/readyz").text) == ("ok\n", "ok\n")


@pytest.mark.parametrize("client", [{**GUARDED, "token": lambda: None}], indirect=True)
def test_a_token_that_cannot_be_read_lets_nobody_in(client: Client) -> None:
    assert read(client, "/status", SHOWN).status == 401
    assert client.ask("GET", "/status", Authorization="Bearer ").status == 401


@pytest.mark.parametrize("client", [{"access": Access("0.0.0.0")}], indirect=True)
def test_beyond_loopback_nobody_reads_where_neither_token_nor_proxy_is_set_up(client: Client) -> None:
    answer = client.ask("GET", "/status")
    assert answer.status == 403
    assert "http.tokenFile" in answer.text
    assert read(client, "/metrics", SHOWN).status == 403
    assert client.deliver().status == 202
    assert client.ask("GET", "/healthz").status == 200


@pytest.mark.parametrize("client", [{"access": Access("127.0.0.1", proxy=PROXY)}], indirect=True)
def test_a_proxy_s_word_counts_from_the_proxy_alone(client: Client) -> None:
    said = {"X_Forwarded_User": "ada", "X_Forwarded_Groups": "guests, ops"}
    assert read(client, "/status", said).status == 401, "from another address"
    assert read(client, "/status", said, "127.0.0.2").status == 200
    assert client.ask("GET", "/status", source="127.0.0.2").status == 401
    assert read(client, "/status", {**said, "X_Forwarded_User": " "}, "127.0.0.2").status == 401
    assert read(client, "/status", {**said, "X_Forwarded_Groups": "guests"}, "127.0.0.2").status == 403
    assert client.ask("GET", "/status", source="127.0.0.2", X_Forwarded_User="ada").status == 403


@pytest.mark.parametrize(
    "client", [{"access": Access("127.0.0.1", frozenset({"reconciler.example.org"}))}], indirect=True
)
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200), ("127.0.0.1:8484", 200), ("localhost", 200), ("LOCALHOST.:80", 200),
        ("reconciler.example.org", 200), ("evil.example.org", 421), ("evil.example.org:8484", 421), ("127.0.0.2", 421),
        ("reconciler.example.org.evil.example", 421), ("", 421), ("localhost@evil.example", 421), ("a b", 421),
        ("localhost, evil.example", 421), ("0.0.0.0", 421), ("xn--localhost-9za", 421),
    ],
)  # fmt: skip
def test_who_asks_by_another_name_reads_nothing_on_loopback_too(client: Client, host: str, status: int) -> None:
    assert client.ask("GET", "/status", Host=host).status == status
    assert client.ask("GET", "/healthz", Host=host).status == 200
    assert client.deliver(Host=host or "x").status == 202


def raw(client: Client, sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as wire:
        wire.sendall(sent)
        answer = b""
        while chunk := _received(wire):
            answer += chunk
        return answer


@pytest.mark.parametrize(
    "head",
    [
        b"GET /status HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET /status HTTP/1.0\r\n\r\n",
        b"GET http://evil.example/status HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /status HTTP/1.1\r\nHost: \xff\r\n\r\n",
        b"GET /status HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"Host: localhost\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /status HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    ],
)
def test_two_names_none_and_heads_without_end_are_refused(client: Client, head: bytes) -> None:
    answer = raw(client, head)
    assert b"clusters" not in answer
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))


def test_a_connection_is_for_one_request(client: Client) -> None:
    twice = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50
    answer = raw(client, twice)
    assert answer.count(b"HTTP/1.1 200") == 1
    assert b"Connection: close" in answer


def idle(client: Client, source: str, count: int) -> list[socket.socket]:
    return [
        socket.create_connection(("127.0.0.1", client.port), timeout=10, source_address=(source, 0))
        for _ in range(count)
    ]


def open_now(client: Client) -> int:
    assert client.server
    assert client.server._listener
    return len([each for each in client.server._listener._places.there if not each.over])


@pytest.mark.parametrize("client", [{"limits": Limits(total=40, each=10, head=60.0)}], indirect=True)
def test_one_address_and_all_together_have_so_many_and_who_comes_is_answered(client: Client) -> None:
    held: list[socket.socket] = []
    try:
        held += idle(client, "127.0.1.1", 30)
        until(lambda: client.cut.count("too many") == 20)
        assert open_now(client) == 10
        for n in range(2, 12):
            held += idle(client, f"127.0.1.{n}", 10)
        until(lambda: client.cut.count("too many") == 20 + 70)
        assert open_now(client) == 40
        assert client.ask("GET", "/healthz").status == 200
        assert client.ask("GET", "/healthz", source="127.0.1.11").status == 200
        assert client.deliver().status == 202
    finally:
        for wire in held:
            wire.close()
    assert client.trouble == []


@pytest.mark.parametrize("client", [{"limits": Limits(head=0.6, whole=1.2)}], indirect=True)
def test_who_says_nothing_or_never_ends_is_cut_whatever_it_sends(client: Client) -> None:
    silent, trickling = idle(client, "127.0.0.1", 2)
    began = time.monotonic()
    trickling.sendall(b"GET /healthz HTTP/1.1\r\n")
    while time.monotonic() - began < 5 and client.cut.count("too slow") != 2:
        with contextlib.suppress(OSError):
            trickling.sendall(b"X: y\r\n")
        time.sleep(0.05)
    assert client.cut == ["too slow"] * 2
    assert (_received(silent), open_now(client)) == (b"", 0)


def test_when_no_file_is_left_it_waits_and_says_so_once_a_second(
    client: Client, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def none_left(self: socket.socket) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(socket.socket, "accept", none_left)
        waiting = idle(client, "127.0.0.1", 5)
        until(lambda: client.trouble)
        time.sleep(0.3)
        assert len(client.trouble) == 1
    assert client.ask("GET", "/healthz").status == 200
    for wire in waiting:
        wire.close()
    assert client.trouble[0] == "accept: Too many open files"
    assert capfd.readouterr().err == ""
