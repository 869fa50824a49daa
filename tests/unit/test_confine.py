"""Programs that work on foreign text: the kernel keeps them off the network and within their memory."""

from __future__ import annotations

import http.server
import resource
import sys
import threading
from collections.abc import Iterator

import pytest

from reconciler.confine import MIB, Limits
from reconciler.process import Exceeded, run

SMALL = Limits(memory=256 * MIB, output=MIB)


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-E", "-c", code]


@pytest.fixture
def server() -> Iterator[tuple[int, list[str]]]:
    """A server on loopback, its port, and what it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        yield httpd.server_address[1], asked
        httpd.shutdown()
        thread.join()


def test_a_program_without_network_reaches_nobody(server: tuple[int, list[str]]) -> None:
    port, asked = server
    code = f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{port}/canary')"
    assert run(python(code), timeout=30, limits=Limits(network=True)).exit_code == 0
    assert asked.pop() == "/canary", "with a network it is asked"
    done = run(python(code), timeout=30, limits=Limits(), check=False)
    assert "PermissionError" in done.stderr
    assert asked == []


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_VSOCK"])
def test_no_kind_of_network(family: str) -> None:
    code = f"import socket\ntry: socket.socket(socket.{family}, socket.SOCK_RAW)\nexcept OSError as e: print(e.errno)"
    assert run(python(code), timeout=30, limits=Limits()).stdout == "13\n"


def test_what_it_starts_is_kept_off_too() -> None:
    inner = "import socket; socket.socket()"
    code = f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-S', '-c', {inner!r}]).returncode)"
    done = run(python(code), timeout=30, limits=Limits(), check=False)
    assert done.exit_code == 1
    assert "PermissionError" in done.stderr


def test_sockets_of_this_machines_own_files_stay() -> None:
    code = "import socket; a, b = socket.socketpair(); a.send(b'x'); print(b.recv(1).decode())"
    assert run(python(code), timeout=30, limits=Limits()).stdout == "x\n"


def test_more_memory_than_it_may_have() -> None:
    with pytest.raises(Exceeded, match="needs more than 256 MiB of memory"):
        run(python("b'x' * (1 << 29)"), timeout=30, limits=SMALL)
    assert run(python("b'x' * (1 << 27)"), timeout=30, limits=SMALL).exit_code == 0


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("line", ["'x' * 99 + '\\\\n'", "'x' * 99"])
def test_more_output_than_it_may_have(stream: str, line: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Exceeded, match="wrote more than 1 MiB"):
        run(python(f"import sys\nwhile True: sys.{stream}.write({line})"), timeout=60, limits=SMALL)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024, "KiB"


def test_the_limit_counts_what_was_written_before_it_ended_by_itself() -> None:
    with pytest.raises(Exceeded):
        run(python("print('x' * (1 << 21))"), timeout=30, limits=SMALL)
    assert len(run(python("print('x' * 1000)"), timeout=30, limits=SMALL).stdout) == 1001
