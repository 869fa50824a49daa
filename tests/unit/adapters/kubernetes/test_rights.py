"""An account with rights in its own namespaces only: what it can't list is unknown, and never read as absent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from reconciler.adapters.kubernetes.compare import Comparer
from reconciler.adapters.kubernetes.connection import Connection, Forbidden, Metadata, NotFound
from reconciler.adapters.kubernetes.kinds import Discovery
from reconciler.adapters.kubernetes.remembered import Remembered
from reconciler.model.resource import Kinds, Known, Resource, Unknown

MINE = "applyset.kubernetes.io/part-of"
KINDS = {
    "/apis/apps/v1": {"kind": "Deployment", "name": "deployments", "namespaced": True},
    "/api/v1": {"kind": "Namespace", "name": "namespaces", "namespaced": False},
}
WEB = Resource("Deployment", "sid/web", type="apps/v1/Deployment")
SID = Resource("Namespace", "sid", type="v1/Namespace")


def obj(name: str, part_of: str = "demo", **more: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": "1", "labels": {MINE: part_of}, **more}}


@dataclass
class Server:
    """An API server that knows what `account` says of itself: where it may list, and what it may get there."""

    lists: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    objects: dict[str, dict[str, Any] | None] = field(default_factory=dict)

    def get(self, path: str, **_: str) -> Any:
        if path in KINDS:
            return {"resources": [KINDS[path]]}
        if path not in self.objects:
            raise Forbidden(f"GET {path}: not allowed")
        if (found := self.objects[path]) is None:
            raise NotFound(path)
        return found

    def items(self, path: str, **_: str) -> list[dict[str, Any]]:
        if path not in self.lists:
            raise Forbidden(f"LIST {path}: not allowed")
        return self.lists[path]

    def metadata(self, path: str, **_: str) -> Metadata:
        return Metadata(self.items(path), None)

    def compare(self, *before: Resource) -> Kinds:
        connection = cast(Connection, self)
        comparer = Comparer(connection, Discovery(connection), "kubectl", Remembered(None))
        return comparer.compare("demo", [], before).live


def names(kinds: Kinds, kind: str) -> list[str]:
    listing = kinds[kind]
    assert isinstance(listing, Known), listing
    return [r.name for r in listing.resources]


def test_what_git_no_longer_names_is_found_where_it_was_applied() -> None:
    server = Server({"/apis/apps/v1/namespaces/sid/deployments": [obj("web", namespace="sid")]})
    assert names(server.compare(WEB), "Deployment") == ["sid/web"]


def test_with_no_namespace_to_look_in_nothing_is_known() -> None:
    found = Server().compare(Resource("Deployment", "", type="apps/v1/Deployment"))["Deployment"]
    assert isinstance(found, Unknown)
    assert "not allowed" in found.reason


def test_where_our_namespaces_can_be_listed_and_there_is_none_nothing_is_there() -> None:
    server = Server({"/api/v1/namespaces": []})
    assert names(server.compare(Resource("Deployment", "", type="apps/v1/Deployment")), "Deployment") == []


def test_a_namespace_it_has_no_rights_in_any_more_is_unknown_and_one_that_is_gone_is_empty() -> None:
    assert isinstance(Server(objects={"/api/v1/namespaces/sid": obj("sid")}).compare(WEB)["Deployment"], Unknown)
    assert isinstance(Server().compare(WEB)["Deployment"], Unknown)
    assert names(Server(objects={"/api/v1/namespaces/sid": None}).compare(WEB), "Deployment") == []


def test_namespaces_that_may_not_be_listed_are_asked_for_by_name() -> None:
    path = "/api/v1/namespaces/sid"
    assert names(Server(objects={path: obj("sid")}).compare(SID), "Namespace") == ["sid"]
    assert names(Server(objects={path: obj("sid", part_of="others")}).compare(SID), "Namespace") == []
    assert names(Server(objects={path: None}).compare(SID), "Namespace") == []
    assert isinstance(Server().compare(SID)["Namespace"], Unknown)
