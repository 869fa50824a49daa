"""Each object is waited for by itself: one that can't be seen ends nobody else's waiting."""

from __future__ import annotations

from typing import Any, cast

import pytest

from reconciler.adapters.kubernetes.applied import Applied
from reconciler.adapters.kubernetes.connection import Connection, Forbidden, Refused, Silent
from reconciler.adapters.kubernetes.rollout import Rollout
from reconciler.errors import Permanent, ReconcilerError, Transient
from reconciler.ports import Allowance
from reconciler.progress import QuietProgress


class Server:
    """A Job that is done at the second look, beside one whose API answers with an error."""

    def __init__(self, error: ReconcilerError) -> None:
        self.error = error
        self.looks = 0

    def get(self, path: str, **_: str) -> Any:
        if path == "/down":
            raise self.error
        self.looks += 1
        conditions = [{"type": "Complete", "status": "True"}] if self.looks > 1 else []
        return {"kind": "Job", "apiVersion": "batch/v1", "metadata": {}, "status": {"conditions": conditions}}


def waited(server: Server) -> list[ReconcilerError]:
    asked = [Applied(title, path, cast(Any, None)) for title, path in (("Thing a", "/down"), ("Job b", "/b"))]
    progress = QuietProgress()
    with progress.task("t") as task:
        return Rollout(cast(Connection, server), 300).wait(asked, Allowance(), task, progress)


@pytest.mark.parametrize("error", [Transient("the server is unable to handle the request"), Forbidden("not allowed")])
def test_the_others_are_waited_for(error: ReconcilerError) -> None:
    server = Server(error)
    (wrong,) = waited(server)
    assert (type(wrong), wrong.message) == (type(error), f"Thing a: {error.message}")
    assert server.looks == 2


@pytest.mark.parametrize("error", [Silent("does not answer"), Refused("the credentials are refused")])
def test_where_nobody_answers_nothing_is_waited_for(error: Transient | Permanent) -> None:
    with pytest.raises(type(error), match="Thing a: "):
        waited(Server(error))
