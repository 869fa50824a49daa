"""Downloads from a real HTTP server: checked, unpacked, and never trusted."""

from __future__ import annotations

import hashlib
import io
import socket
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from reconciler.errors import Permanent
from reconciler.toolchain.pins import Download

from .conftest import World

PROGRAM = b"#!/bin/sh\necho spade v1.2.3\n"


@dataclass
class Server:
    """Serves `files`; `short` cuts each answer off after so many bytes."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    short: int | None = None

    def offer(self, name: str, content: bytes, member: str | None = None, sha256: str | None = None) -> Download:
        self.files[f"/{name}"] = content
        return Download(f"{self.url}/{name}", sha256 or hashlib.sha256(content).hexdigest(), member)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Server()) as running:
        yield running


@contextmanager
def serving(state: Server) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            body = state.files.get(self.path)
            if body is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.short])

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        state.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield state
        finally:
            http.shutdown()
            thread.join()


def tarball(member: str) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        entry = tarfile.TarInfo(member)
        entry.size = len(PROGRAM)
        tar.addfile(entry, io.BytesIO(PROGRAM))
    return data.getvalue()


def zipped(member: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(member, PROGRAM)
    return data.getvalue()


@pytest.mark.parametrize(
    ("content", "member"),
    [(PROGRAM, None), (tarball("spade-1.2.3/spade"), "spade-1.2.3/spade"), (zipped("spade"), "spade")],
    ids=["plain", "tar.gz", "zip"],
)
def test_a_download_becomes_a_program(world: World, server: Server, content: bytes, member: str | None) -> None:
    tool = world.tool(download=server.offer("spade-1.2.3", content, member))
    found = world.toolbox(tool).ensure("spade")["spade"]
    assert found.source == "download"
    assert found.path.read_bytes() == PROGRAM
    assert found.path.stat().st_mode & 0o111
    assert world.toolbox(tool).ensure("spade")["spade"].source == "cache"
    assert len(server.asked) == 1


def test_a_wrong_checksum_is_an_error_and_builds_nothing(world: World, server: Server) -> None:
    world.go()
    tool = world.tool(download=server.offer("spade", b"#!/bin/sh\necho evil\n", sha256="0" * 64))
    with pytest.raises(Permanent, match="is not what it should be") as caught:
        world.toolbox(tool).ensure("spade")
    assert caught.value.hint
    assert world.builds == []
    assert world.toolbox(tool).find("spade") is None
    assert not [path for path in world.cache.rglob("*") if path.is_file() and b"evil" in path.read_bytes()]


def test_a_download_that_is_not_there_is_built_and_that_is_said(world: World, server: Server) -> None:
    world.go()
    tool = world.tool(download=Download(f"{server.url}/gone", "0" * 64))
    assert world.toolbox(tool).ensure("spade")["spade"].source == "build"
    assert world.heard.lines == ["spade: 127.0.0.1 answered 404 Not Found; building it instead"]


def test_a_download_that_breaks_off_is_built(world: World, server: Server) -> None:
    world.go()
    server.short = 10
    tool = world.tool(download=server.offer("spade", PROGRAM))
    assert world.toolbox(tool).ensure("spade")["spade"].source == "build"
    assert "broke off" in world.heard.lines[0]


def test_a_server_that_is_not_there_is_built(world: World) -> None:
    world.go()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, and not listening
        tool = world.tool(download=Download(f"http://127.0.0.1:{nobody.getsockname()[1]}/spade", "0" * 64))
        assert world.toolbox(tool).ensure("spade")["spade"].source == "build"
    assert "can't be reached" in world.heard.lines[0]


def test_one_download_and_one_build_of_a_module(world: World, server: Server) -> None:
    world.go()
    spade = world.tool(download=server.offer("spade", PROGRAM))
    found = world.toolbox(spade, world.tool("rake")).ensure("spade", "rake")
    assert {name: one.source for name, one in found.items()} == {"spade": "download", "rake": "build"}
    assert "garden/spade" not in world.builds[0]
