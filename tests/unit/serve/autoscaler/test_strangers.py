"""Who reaches the server's port and has no certificate takes few places, for a moment, and fills no log."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from reconciler.serve.autoscaler.wire import externalgrpc_pb2 as pb

from .harness import Place, channel_to, stub_of, until

CONNECTIONS = 300


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int, Path]]:
    place, log = Place.make(tmp_path), tmp_path / "stderr"
    argv = [str(place.root), "desk", str(tmp_path / "state"), str(tmp_path / "certificates")]
    with log.open("w") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.serve.autoscaler.serving", *argv],
            stdout=subprocess.PIPE, stderr=sink, text=True, cwd=Path(__file__).parents[4],
        )  # fmt: skip
    try:
        assert process.stdout
        yield process, int(process.stdout.readline().split()[1]), log
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def test_strangers_without_a_certificate(serving: tuple[subprocess.Popen[str], int, Path], tmp_path: Path) -> None:
    process, port, log = serving
    channel = channel_to(SimpleNamespace(port=port), tmp_path / "certificates")  # type: ignore[arg-type]
    stub = stub_of(channel)

    def groups() -> list[str]:
        return [g.id for g in stub.NodeGroups(pb.NodeGroupsRequest(), timeout=10, wait_for_ready=True).nodeGroups]

    def descriptors() -> int:
        return len(os.listdir(f"/proc/{process.pid}/fd"))

    known, before, held = groups(), descriptors(), []
    try:
        for n in range(CONNECTIONS):
            held.append(wire := socket.create_connection(("127.0.0.1", port), timeout=10))
            with contextlib.suppress(OSError):
                wire.sendall(b"no TLS\r\n\r\n" if n % 3 == 0 else b"")
        assert descriptors() - before <= 70
        assert groups() == known, "who has a certificate is answered meanwhile"
        until(lambda: descriptors() - before <= 5)
    finally:
        for wire in held:
            wire.close()
        channel.close()
    assert log.read_text() == ""
