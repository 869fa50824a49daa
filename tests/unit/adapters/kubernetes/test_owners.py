"""Whose a field is, and what of an object is not its status: read from the server's books."""

from __future__ import annotations

import copy
import datetime
from typing import Any

import pytest

from reconciler.adapters.kubernetes.fields import PART_OF
from reconciler.adapters.kubernetes.fingerprint import fingerprint, settled
from reconciler.adapters.kubernetes.owners import claimed
from reconciler.model.resource import Owner

LABEL = f"metadata.labels.{PART_OF}"
NOW = datetime.datetime(2026, 11, 25, 12, tzinfo=datetime.UTC)


def entry(manager: str, fields: dict[str, Any], how: str = "Update", **more: str) -> dict[str, Any]:
    time = "2026-11-25T11:00:00Z"
    return {"manager": manager, "operation": how, "time": time, "fieldsV1": fields, **more}


def live(*books: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    ports = [{"port": 80, "protocol": "TCP"}, {"port": 81, "protocol": "TCP"}]
    spec = {"replicas": 1, "containers": [{"name": "web", "image": "i"}], "ports": ports, "tags": ["a"]}
    return {"metadata": {"name": "x", "generation": 1, "managedFields": list(books), **metadata}, "spec": spec}


@pytest.mark.parametrize(
    ("path", "books"),
    [
        ("spec.replicas", {"f:replicas": {}}),
        ("spec.containers[web].image", {"f:containers": {'k:{"name":"web"}': {".": {}, "f:image": {}}}}),
        ("spec.ports[1].port", {"f:ports": {'k:{"port":81,"protocol":"TCP"}': {".": {}, "f:port": {}}}}),
        ("spec.tags", {"f:tags": {'v:"a"': {}}}),
        ("spec.ports[0].port", {"f:ports": {}}),  # a list that is owned as a whole
        ("spec.containers", {"f:containers": {'k:{"name":"web"}': {"f:image": {}}}}),  # and one that differs as a whole
    ],
)
def test_a_path_of_the_books_is_a_path_of_ours(path: str, books: dict[str, Any]) -> None:
    obj = live(entry("helm", {"f:spec": books}, "Apply"), entry("reconciler", {"f:spec": books}, "Apply"))
    assert claimed(obj, [path, "spec.other"], "reconciler", "set") == {path: Owner("helm", applies=True)}


def test_a_status_is_no_claim_and_a_controller_counts_before_a_person() -> None:
    mine: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
    status = entry("kube-controller-manager", mine, subresource="status")
    assert claimed(live(status), ["spec.replicas"], "reconciler", "set") == {}
    both = live(entry("kubectl-edit", mine), entry("operator", mine), status)
    assert claimed(both, ["spec.replicas"], "reconciler", "set") == {"spec.replicas": Owner("operator")}


def test_an_object_without_our_label_belongs_to_whoever_made_it() -> None:
    applied = entry("argocd", {}, "Apply")
    ours = entry("reconciler", {}, "Apply")
    made = {"ownerReferences": [{"kind": "ReplicaSet", "name": "web", "controller": True}]}

    def whose(obj: dict[str, Any]) -> Owner | None:
        return claimed(obj, [LABEL], "reconciler", "set").get(LABEL)

    assert whose(live(applied)) == Owner("argocd", applies=True)
    assert whose(live(applied, ours)) is None  # somebody took our label off
    assert whose(live(labels={PART_OF: "other"})) == Owner("ApplySet other", applies=True)
    assert whose(live(**made)) == Owner("ReplicaSet web")
    assert whose(live()) is None


@pytest.mark.parametrize(
    ("owner", "by_hand"),
    [
        (Owner("kubectl-edit"), True),
        (Owner("kubectl"), True),
        (Owner("kubectl-client-side-apply"), True),
        (Owner("oc-edit"), True),
        (Owner("Mozilla"), True),
        (Owner("kubectl", applies=True), False),
        (Owner("helm", applies=True), False),
        (Owner("helm"), False),
        (Owner("octopus"), False),
        (Owner("kube-controller-manager"), False),
    ],
)
def test_people_type_and_controllers_own(owner: Owner, by_hand: bool) -> None:
    assert owner.by_hand is by_hand


def test_a_status_changes_no_fingerprint_and_anything_else_does() -> None:
    base = live(entry("a", {"f:spec": {}}))["metadata"] | {"labels": {"x": "1"}, "resourceVersion": "1"}
    known = fingerprint(base)
    assert known
    busy = copy.deepcopy(base) | {"resourceVersion": "2"}
    busy["managedFields"].append(entry("controller", {"f:status": {}}, subresource="status"))
    assert fingerprint(busy) == known

    later = copy.deepcopy(base)
    later["managedFields"][0]["time"] = "2026-11-25T11:00:01Z"
    others = [
        base | {"generation": 2},
        base | {"labels": {"x": "2"}},
        base | {"annotations": {"y": "1"}},
        base | {"uid": "another"},
        base | {"finalizers": ["theirs"]},
        base | {"ownerReferences": [{"kind": "A"}]},
        base | {"managedFields": [*base["managedFields"], entry("b", {})]},
        base | {"managedFields": [*base["managedFields"], entry("hpa", {}, subresource="scale")]},
        later,
    ]
    assert known not in {fingerprint(other) for other in others}
    assert fingerprint({"name": "x"}) == ""
    assert fingerprint({"managedFields": [entry("c", {}, subresource="status")]}) == ""


def test_what_was_written_lately_is_not_told_from_what_is_written_now() -> None:
    metadata = live(entry("a", {}))["metadata"]
    written = datetime.datetime(2026, 11, 25, 11, tzinfo=datetime.UTC)
    assert settled(metadata, written + datetime.timedelta(seconds=61))
    assert not settled(metadata, written + datetime.timedelta(seconds=60))
    assert not settled(metadata, written - datetime.timedelta(hours=1))  # its clock is another
    assert not settled(metadata, None)
    assert not settled({"managedFields": [{"manager": "a"}]}, NOW)
