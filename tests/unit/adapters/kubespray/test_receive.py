"""A stream of bytes from a machine: where it ends too early, the machine says why."""

from __future__ import annotations

from typing import IO

import pytest

from reconciler.adapters.kubespray import ask
from reconciler.adapters.kubespray.ask import Line, receive
from reconciler.control.backups import received
from reconciler.errors import Permanent, ReconcilerError, Transient

LINE = Line("demo-cp-1", ("sh", "-c"), lambda _, __: "")


def drop(clear: IO[bytes]) -> None:
    while clear.read(512):
        pass


def take(pipe: IO[bytes]) -> None:
    received(pipe, drop)


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        (
            'echo "there is no /etc/etcd.env" >&2; exit 1',
            Permanent,
            "demo-cp-1 could not answer: there is no /etc/etcd",
        ),
        ("echo 'no route to host' >&2; exit 255", Transient, "can't be asked over SSH: no route to host"),
        ("exit 0", Transient, "the machine sent no snapshot"),
        ("echo Welcome", Permanent, "the machine sent no snapshot"),
    ],
)
def test_a_script_that_failed_says_why_and_not_that_nothing_came(
    monkeypatch: pytest.MonkeyPatch, script: str, error: type[ReconcilerError], words: str
) -> None:
    monkeypatch.setattr(ask, "AS_ROOT", "sh -s")
    with pytest.raises(error, match=words):
        receive(LINE, script, take, 20)
