"""Which candidates are told, by a server that is asked what it would put there by itself; and that no Secret is."""

from __future__ import annotations

import copy
from typing import Any, cast

import pytest

from reconciler.adapters.kubernetes.additions import Added, Names, additions, judged
from reconciler.adapters.kubernetes.connection import Conflict, Connection, Rejected
from reconciler.adapters.kubernetes.kinds import Kind
from reconciler.model.resource import Addition, Owner

NAMES = Names.of("reconciler")
SET_AT = "2026-11-29T10:00:00Z"
OURS = {"manager": "reconciler", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:data": {"f:a": {}}}}
KEYS = {"f:data": {".": {}, "f:b": {}, "f:default": {}}, "f:metadata": {"f:annotations": {".": {}, "f:note": {}}}}
THEIRS = {"manager": "kubectl-edit", "operation": "Update", "apiVersion": "v1", "time": SET_AT, "fieldsV1": KEYS}


def live(kind: str) -> dict[str, Any]:
    metadata = {"name": "x", "namespace": "sid", "uid": "u", "resourceVersion": "7", "annotations": {"note": "hunter2"}}
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {**metadata, "managedFields": [OURS, THEIRS]},
        "data": {"a": "1", "b": "hunter2", "default": "d"},
    }


class Server:
    """Puts `default` there by itself. `now` is the version it has; `refuses` says that it takes none with `what`."""

    def __init__(self, kind: str, now: str = "7", refuses: Exception | None = None, what: str = "/") -> None:
        self.what = what
        self.obj = live(kind)
        self.obj["metadata"]["resourceVersion"] = now
        self.refuses = refuses
        self.asked: list[dict[str, Any]] = []

    def request(self, method: str, path: str, *, query: Any, body: Any, content_type: str) -> Any:
        assert query["dryRun"] == "All"
        self.asked = body
        if self.refuses and any(self.what in op["path"] for op in body[1:]):
            raise self.refuses
        made = copy.deepcopy(self.obj)
        del made["data"]["b"], made["metadata"]["annotations"]
        return made

    def get(self, path: str) -> Any:
        return self.obj


def told(server: Server, obj: dict[str, Any]) -> dict[str, Added]:
    kind = Kind("v1", obj["kind"], f"{obj['kind'].lower()}s", True)
    return additions(judged(cast("Connection", server), kind, obj, obj, NAMES), obj, obj, NAMES)


def test_what_the_server_would_put_there_by_itself_is_no_addition() -> None:
    server = Server("ConfigMap")
    added = Addition(Owner("kubectl-edit"), SET_AT)
    assert told(server, live("ConfigMap")) == {
        "data.b": Added(None, "hunter2", added),
        "metadata.annotations.note": Added(None, "hunter2", added),
    }
    assert {op["path"] for op in server.asked[1:]} == {"/data/b", "/data/default", "/metadata/annotations/note"}


def test_of_a_secret_no_value_is_told() -> None:
    found = told(Server("Secret"), live("Secret"))
    assert {path: one.live for path, one in found.items()} == {
        "data.b": "(hidden)",
        "metadata.annotations.note": "(hidden)",
    }
    assert "hunter2" not in repr(found)


def test_where_the_server_would_refuse_it_every_candidate_counts() -> None:
    found = told(Server("ConfigMap", refuses=Rejected("no")), live("ConfigMap"))
    assert set(found) == {"data.b", "data.default", "metadata.annotations.note"}


@pytest.mark.parametrize("refuses", [None, Rejected("no")])
def test_an_answer_about_another_version_is_none(refuses: Exception | None) -> None:
    server = Server("ConfigMap", now="8", refuses=refuses)
    server.obj["metadata"]["labels"] = {"new": "yes"}
    with pytest.raises(Conflict):
        told(server, live("ConfigMap"))


def test_a_status_that_moved_is_no_other_version() -> None:
    assert set(told(Server("ConfigMap", now="8"), live("ConfigMap"))) == {"data.b", "metadata.annotations.note"}


def test_where_nothing_is_foreign_nothing_is_asked() -> None:
    server, obj = Server("ConfigMap"), live("ConfigMap")
    obj["metadata"]["managedFields"] = [OURS]
    assert told(server, obj) == {}
    del obj["metadata"]["managedFields"]
    assert told(server, obj) == {}
    assert not server.asked


def test_one_that_the_server_can_not_be_without_does_not_make_additions_of_the_others() -> None:
    found = told(Server("ConfigMap", refuses=Rejected("b is needed"), what="/data/b"), live("ConfigMap"))
    assert set(found) == {"data.b", "metadata.annotations.note"}
