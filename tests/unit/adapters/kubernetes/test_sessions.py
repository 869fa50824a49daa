"""Pods of researchers' environments as a server lists them, and the marks they get."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.adapters.kubernetes import pods
from reconciler.errors import Permanent
from reconciler.model.naming import OWNER, SAFE_TO_EVICT

LABELS = {OWNER: "ada", "app.kubernetes.io/instance": "work"}
METADATA = {"name": "work-0", "namespace": "env-ada", "labels": LABELS}


class Connection:
    """Lists `listed`, and remembers what is asked of it."""

    def __init__(self, *listed: Any) -> None:
        self.listed = listed
        self.marked: list[tuple[str, str]] = []

    def items(self, path: str, **query: str) -> Iterator[Any]:
        yield from self.listed

    def request(self, method: str, path: str, *, body: Any, content_type: str) -> None:
        self.marked.append((path.rpartition("/")[2], body["metadata"]["annotations"][SAFE_TO_EVICT]))


def test_a_pod_on_a_machine_is_a_session() -> None:
    (found,) = pods.sessions(Connection({"metadata": METADATA, "spec": {"nodeName": "w-1"}}))  # type: ignore[arg-type]
    assert (found.title, found.node, found.movable) == ("ada/work", "w-1", None)


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"metadata": None},
        {"metadata": {**METADATA, "labels": 7}, "spec": {"nodeName": "w-1"}},
        {"metadata": METADATA, "spec": ["w-1"]},
        {"metadata": {**METADATA, "annotations": 7}, "spec": {"nodeName": "w-1"}},
        "pod",
    ],
    ids=repr,
)
def test_what_is_no_pod_is_told_and_no_traceback(odd: Any) -> None:
    with pytest.raises(Permanent, match="what Kubernetes does not"):
        pods.sessions(Connection(odd))  # type: ignore[arg-type]


def test_what_must_stay_is_marked_first() -> None:
    connection = Connection()
    pods.mark(connection, {"env-ada/a": True, "env-eve/b": False, "env-eve/c": True})  # type: ignore[arg-type]
    assert connection.marked == [("b", "false"), ("a", "true"), ("c", "true")]


def test_what_is_refused_of_one_session_stops_no_other() -> None:
    connection = Connection()
    asked = connection.request

    def request(method: str, path: str, **more: Any) -> None:
        if path.endswith("/b"):
            raise Permanent("no")
        asked(method, path, **more)

    connection.request = request  # type: ignore[method-assign]
    with pytest.raises(Permanent, match="no"):
        pods.mark(connection, {"env-ada/a": True, "env-eve/b": False, "env-eve/c": False})  # type: ignore[arg-type]
    assert connection.marked == [("c", "false"), ("a", "true")]
