"""What is tried when the server refuses an object, and that nothing of one object ends the others without a word."""

from __future__ import annotations

from typing import Any, cast

import pytest

from reconciler.adapters.kubernetes.additions import Names
from reconciler.adapters.kubernetes.apply import Applier
from reconciler.adapters.kubernetes.connection import Connection, Rejected
from reconciler.adapters.kubernetes.kinds import Discovery, Kind
from reconciler.adapters.kubernetes.refused import spelled
from reconciler.errors import Permanent
from reconciler.ports import Allowance
from reconciler.progress import QuietProgress

PROBE = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": "sid"}}


class Server:
    """Takes what is applied, after as many refusals. `books` are who owns what of the object."""

    def __init__(self, refusals: int = 0, books: Any = (), error: Exception | None = None) -> None:
        self.refusals, self.error = refusals, error or Rejected("spec.probe: too many")
        self.asked: list[str] = []
        metadata = {**PROBE["metadata"], "uid": "u", "resourceVersion": "1", "managedFields": list(books)}  # type: ignore[dict-item]
        self.obj = {**PROBE, "metadata": metadata, "data": {"a": "eA=="}}

    def get(self, path: str, **_: str) -> Any:
        if path == "/api/v1":
            return {"resources": [{"kind": "Secret", "name": "secrets", "namespaced": True}]}
        return self.obj

    def request(self, _: str, __: str, *, query: Any, content_type: str = "", **___: Any) -> Any:
        applies = "apply" in content_type
        if self.refusals and not content_type:  # tried as something new
            raise self.error
        self.asked.append(("dry " if "dryRun" in query else "") + ("apply" if applies else "books"))
        if applies and self.refusals:
            self.refusals -= 1
            raise self.error
        return self.obj


def applied(server: Server) -> list[str]:
    connection = cast(Connection, server)
    applier = Applier(connection, Discovery(connection), Names.of("reconciler"), 1)
    applier.apply("demo", [PROBE], QuietProgress(), Allowance())
    return server.asked


def entry(manager: str, how: str) -> dict[str, Any]:
    return {"manager": manager, "operation": how, "apiVersion": "v1", "fieldsV1": {"f:data": {"f:a": {}}}}


SHARED = (entry("reconciler", "Apply"), entry("kubectl-edit", "Update"))


def test_what_people_share_with_us_may_be_why_it_is_refused_once() -> None:
    assert applied(Server(refusals=1, books=SHARED))[:3] == ["apply", "books", "apply"]


def test_where_nothing_is_shared_it_is_not_tried_twice() -> None:
    server = Server(refusals=9, books=SHARED[:1])
    with pytest.raises(Permanent, match="too many"):
        applied(server)
    assert [what for what in server.asked if not what.startswith("dry")] == ["apply"]


def test_an_object_that_nests_without_end_is_named() -> None:
    with pytest.raises(Permanent, match="Secret sid/x: nests too deeply to be compared"):
        applied(Server(refusals=1, error=RecursionError()))


@pytest.mark.parametrize("spec", [None, "text", ["list"], {"ports": 80}, {"ports": "80"}, {"ports": [80, None]}])
def test_a_service_in_another_shape_is_tried_as_it_is(spec: Any) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": spec}
    server = cast(Connection, Server(refusals=1))
    assert spelled(server, Kind("v1", "Service", "services", True), service) == service
