"""Places for Terraform's state on loopback: a real PostgreSQL, and servers that speak as much HTTP and S3 as OpenTofu
asks of them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

USER, PASSWORD = "reconciler", "s3cret-of-the-state"


class _Server(ThreadingHTTPServer):
    """What was kept, by path, and every request."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.kept: dict[str, bytes] = {}
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Nothing to the terminal."""

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, code: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


class HttpStates(_Handler):
    """As GitLab does: POST to keep, GET to have, POST and DELETE on /lock."""

    def _any(self) -> None:
        path, content = urlsplit(self.path).path, self.body()
        self.server.asked.append(f"{self.command} {path}")
        if not self.headers.get("Authorization", "").startswith("Basic "):
            return self.answer(401)
        if path.endswith("/lock"):
            return self._lock(path, content)
        if self.command == "GET":
            kept = self.server.kept.get(path)
            return self.answer(200, kept) if kept is not None else self.answer(404)
        self.server.kept[path] = content
        return self.answer(200)

    def _lock(self, path: str, content: bytes) -> None:
        held = self.server.kept.get(path)
        if self.command == "POST":
            if held is not None:
                return self.answer(423, held)
            self.server.kept[path] = content
        elif held is not None:
            if content and json.loads(content).get("ID") != json.loads(held)["ID"]:
                return self.answer(409, held)
            del self.server.kept[path]
        return self.answer(200)

    do_GET = do_POST = do_DELETE = _any  # noqa: N815 - as http.server asks for them


class S3States(_Handler):
    """Objects in buckets: enough of S3 for a state and its lock file, the condition If-None-Match included."""

    def _any(self) -> None:
        asked = urlsplit(self.path)
        path, content = asked.path, _unchunked(self.body(), self.headers.get("Content-Encoding", ""))
        self.server.asked.append(f"{self.command} {path}")
        kept = self.server.kept
        if self.command == "PUT":
            if self.headers.get("If-None-Match") == "*" and path in kept:
                return self._failed(412, "PreconditionFailed")
            kept[path] = content
            return self.answer(200, ETag=_etag(content))
        if self.command == "DELETE":
            kept.pop(path, None)
            return self.answer(204)
        if path.count("/") == 1 or path.endswith("/"):
            prefix = parse_qs(asked.query).get("prefix", [""])[0]
            return self._listed(path.strip("/"), prefix)
        if path not in kept:
            return self._failed(404, "NoSuchKey")
        return self.answer(200, kept[path], ETag=_etag(kept[path]))

    def _listed(self, bucket: str, prefix: str) -> None:
        keys = [p.removeprefix(f"/{bucket}/") for p in self.server.kept]
        found = "".join(f"<Contents><Key>{escape(k)}</Key></Contents>" for k in keys if k.startswith(prefix))
        text = f"<ListBucketResult><Name>{bucket}</Name><IsTruncated>false</IsTruncated>{found}</ListBucketResult>"
        self.answer(200, text.encode(), Content_Type="application/xml")

    def _failed(self, code: int, word: str) -> None:
        self.answer(code, f"<Error><Code>{word}</Code></Error>".encode(), Content_Type="application/xml")

    do_GET = do_PUT = do_DELETE = do_HEAD = do_POST = _any  # noqa: N815


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


def _unchunked(content: bytes, encoding: str) -> bytes:
    """Amazon's client may send a body in signed chunks: LENGTH;chunk-signature=…, and the bytes."""
    if "aws-chunked" not in encoding:
        return content
    found = b""
    while content:
        head, _, rest = content.partition(b"\r\n")
        size = int(head.split(b";")[0] or b"0", 16)
        if not size:
            break
        found, content = found + rest[:size], rest[size + 2 :]
    return found


@contextlib.contextmanager
def serving(handler: type[_Handler]) -> Iterator[_Server]:
    server = _Server(handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def postgres_bin() -> Path | None:
    """Where PostgreSQL's programs are: Debian keeps them out of PATH."""
    named = shutil.which("initdb")
    found = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"))] or ([Path(named).parent] if named else [])
    return next((folder for folder in reversed(found) if (folder / "initdb").exists()), None)


@contextlib.contextmanager
def postgres(programs: Path) -> Iterator[str]:
    """A database on loopback that asks for a password; yields its address, without credentials. It refuses to run as
    root, so there it runs as nobody."""
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    who: dict[str, Any] = {"user": account.pw_uid, "group": account.pw_gid} if account else {}
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))
    if account:
        os.chown(folder, account.pw_uid, account.pw_gid)
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    data, env = folder / "data", {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(folder)}
    argv: list[str | Path] = ["-D", data, "-U", USER, "--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync"]
    subprocess.run([programs / "initdb", *argv], check=True, capture_output=True, cwd=folder, env=env, **who)
    port = _free_port()
    options: list[str | Path] = [
        "-D",
        data,
        "-p",
        str(port),
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "fsync=off",
        "-k",
        folder,
    ]
    server = subprocess.Popen(
        [programs / "postgres", *options],
        cwd=folder,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **who,
    )
    try:
        _answers(port)
        yield f"postgres://127.0.0.1:{port}/postgres?sslmode=disable"
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder)


def _answers(port: int) -> None:
    """Until it takes connections: a socket is there a moment before."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as talk:
            talk.sendall((8).to_bytes(4, "big") + (80877103).to_bytes(4, "big"))  # asks for TLS: S or N is an answer
            if talk.recv(1) in (b"S", b"N"):
                time.sleep(0.3)
                return
        time.sleep(0.1)
    raise TimeoutError("PostgreSQL does not answer")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def passphrase() -> str:
    return secrets.token_urlsafe(24)
