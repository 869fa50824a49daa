"""What the server's books say belongs to others, how it is handed over, and books in shapes that nobody expects."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from typing import Any

import pytest

from reconciler.adapters.kubernetes import books, controllers, handover
from reconciler.adapters.kubernetes.additions import Names, removal
from reconciler.adapters.kubernetes.foreign import Foreign, foreign, owner_of
from reconciler.errors import Permanent
from reconciler.model.resource import Owner

NAMES = Names.of("reconciler")
WEB = 'k:{"name":"web"}'
SPY = 'k:{"name":"spy"}'
POD: dict[str, Any] = {"f:template": {"f:spec": {"f:containers": {WEB: {".": {}, "f:name": {}, "f:image": {}}}}}}
ADDED: dict[str, Any] = {
    "f:template": {
        "f:spec": {"f:hostNetwork": {}, "f:containers": {SPY: {".": {}, "f:name": {}, "f:image": {}, "f:env": {}}}}
    }
}


def entry(manager: str, fields: dict[str, Any], how: str = "Update", **more: Any) -> dict[str, Any]:
    said = {"manager": manager, "operation": how, "apiVersion": "apps/v1", "time": "2026-11-29T10:00:00Z"}
    return {**said, "fieldsType": "FieldsV1", "fieldsV1": fields, **more}


def live(*listed: Any) -> dict[str, Any]:
    containers = [{"name": "web", "image": "a"}, {"name": "spy", "image": "b", "env": []}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "x",
            "uid": "u",
            "finalizers": ["a", "b"],
            "annotations": {"deployment.kubernetes.io/revision": "1", "n/o~te": "x"},
            "managedFields": list(listed),
        },
        "spec": {"replicas": 1, "template": {"spec": {"hostNetwork": True, "containers": containers}}},
    }


def paths(obj: dict[str, Any], manager: str = "reconciler") -> set[str]:
    return {spot.path for field in foreign(obj, manager).fields for spot in field.spots}


def at(paths: Collection[str]) -> Callable[[Foreign], bool]:
    return lambda field: field.at(paths)


OURS = entry("reconciler", {"f:spec": POD}, "Apply")


def test_what_we_apply_is_ours_and_the_rest_is_foreign() -> None:
    spy = "spec.template.spec.containers[spy]"
    added = entry("kubectl-patch", {"f:spec": {**ADDED}})
    assert paths(live(OURS, added)) == {"spec.template.spec.hostNetwork", f"{spy}.name", f"{spy}.image", f"{spy}.env"}
    assert paths(live(OURS, entry("kubectl-patch", {"f:spec": POD}))) == set(), "shared with us"
    assert paths(live(OURS)) == set()
    assert paths(live()) == set(), "no books: nobody says anything"
    assert paths(live(OURS, entry("x", {"f:status": {"f:replicas": {}}}, subresource="status"))) == set()
    assert paths(live(OURS, entry("x", {"f:spec": {"f:gone": {}}}))) == set()


def test_an_item_of_a_set_is_one_of_several() -> None:
    ours = entry("reconciler", {"f:metadata": {"f:finalizers": {'v:"a"': {}}}}, "Apply")
    (field,) = foreign(live(ours, entry("oc", {"f:metadata": {"f:finalizers": {'v:"b"': {}}}})), "reconciler").fields
    assert [(s.path, s.value, s.pointer) for s in field.spots] == [
        ("metadata.finalizers", "b", ("metadata", "finalizers", 1))
    ]


def test_a_controller_may_what_it_is_known_for_and_nothing_else() -> None:
    revision: dict[str, Any] = {
        "f:metadata": {"f:annotations": {"f:deployment.kubernetes.io/revision": {}, "f:n/o~te": {}}}
    }
    controller = entry("kube-controller-manager", revision)
    assert paths(live(OURS, controller)) == {"metadata.annotations.n/o~te"}
    person = entry("kubectl-annotate", revision)
    assert len(paths(live(OURS, person))) == 2
    scaled = entry("kubectl", {"f:spec": {"f:replicas": {}}}, subresource="scale")
    assert paths(live(OURS, scaled)) == set()
    assert paths(live(OURS, entry("kubectl", {"f:spec": {"f:replicas": {}}}))) == {"spec.replicas"}


def test_a_name_with_dots_is_in_no_other_name() -> None:
    obj = live(entry("helm", {"f:metadata": {"f:labels": {"f:app": {}}}}, "Apply"))
    obj["metadata"]["labels"] = {"app": "x", "app.kubernetes.io/name": "x"}
    (field,) = foreign(obj, "reconciler").fields
    (spot,) = field.spots
    assert spot.about("metadata.labels.app")
    assert spot.about("metadata.labels")
    assert not spot.about("metadata.labels.app.kubernetes.io/name")
    assert handover.taken_over(obj, NAMES, at(["metadata.labels.app.kubernetes.io/name"]), lambda _: True) is None


def test_every_row_of_the_table_says_where_it_is_from() -> None:
    for row in controllers.TABLE:
        assert row.source
        assert row.managers
        assert row.kinds
        assert row.fields
        assert not row.people or row.fields == ("spec.template.metadata.annotations.kubectl.kubernetes.io/restartedAt",)
        assert row.fields != ("*",), "a row without bounds is a pass for anything"


def test_the_least_ours_of_several_is_named() -> None:
    person, operator, other = (entry(name, {}) for name in ("kubectl-edit", "operator", "reconciler"))
    read = books.entries(live(person, operator, other))
    assert owner_of(read, NAMES.ours, False) == Owner("operator")
    assert owner_of(read[:1], NAMES.ours, False) == Owner("kubectl-edit")
    assert owner_of(read[2:], NAMES.ours, False) is None
    applied = books.entries(live(entry("kubectl", {}, "Apply")))
    assert owner_of(applied, NAMES.ours, False) == Owner("kubectl", applies=True)
    assert owner_of(applied, NAMES.ours, True) == Owner("kubectl"), "adopted like what was typed"


def test_what_is_taken_out_is_the_largest_part_that_is_nobody_elses() -> None:
    obj = live(OURS, entry("oc", {"f:spec": ADDED}))
    found = foreign(obj, "reconciler")
    cuts = {found.cut(field.place) for field in found.fields}
    patch = removal(obj, cuts)
    assert patch[0] == {"op": "test", "path": "/metadata/uid", "value": "u"}
    assert [op["path"] for op in patch[1:]] == ["/spec/template/spec/hostNetwork", "/spec/template/spec/containers/1"]
    note = entry("oc", {"f:metadata": {"f:annotations": {".": {}, "f:n/o~te": {}}}})
    found = foreign(live(note), "reconciler")
    assert removal(obj, [found.cut(f.place) for f in found.fields])[1]["path"] == "/metadata/annotations/n~1o~0te"


def test_handed_over_is_what_was_named_and_what_leads_to_nothing_else() -> None:
    obj = live(OURS, entry("oc", {"f:spec": {**ADDED, "f:replicas": {}}}))
    spy = {f"spec.template.spec.containers[spy].{name}" for name in ("name", "image", "env")}
    written = handover.taken_over(obj, NAMES, at(spy), lambda _: True)
    assert written is not None
    ours, theirs = written
    assert ours["manager"] == "reconciler"
    both = ours["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert both == {
        WEB: {".": {}, "f:name": {}, "f:image": {}},
        SPY: {".": {}, "f:name": {}, "f:image": {}, "f:env": {}},
    }
    assert theirs["fieldsV1"] == {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:hostNetwork": {}}}}}
    assert handover.taken_over(obj, NAMES, at(spy), lambda _: False) is None
    assert handover.taken_over(obj, NAMES, at(["spec.other"]), lambda _: True) is None


def test_what_is_named_and_not_there_keeps_no_item() -> None:
    named = copy.deepcopy(ADDED)
    named["f:template"]["f:spec"]["f:containers"][SPY]["f:gone"] = {}
    obj = live(OURS, entry("oc", {"f:spec": named}))
    spy = {f"spec.template.spec.containers[spy].{name}" for name in ("name", "image", "env")}
    written = handover.taken_over(obj, NAMES, at(spy), lambda _: True)
    assert written is not None
    assert written[1]["fieldsV1"] == {"f:spec": {"f:template": {"f:spec": {"f:hostNetwork": {}}}}}


def test_nothing_is_taken_from_another_version_or_from_who_shares_it() -> None:
    old = entry("oc", {"f:spec": ADDED}, apiVersion="apps/v1beta1")
    assert handover.taken_over(live(OURS, old), NAMES, at(["spec.template.spec.hostNetwork"]), lambda _: True) is None
    shared = live(OURS, entry("oc", {"f:spec": ADDED}), entry("operator", {"f:spec": ADDED}))
    by_people = handover.taken_over(shared, NAMES, at(["spec.template.spec.hostNetwork"]), lambda o: o.by_hand)
    assert by_people is None, "a controller has it, too"


def test_people_share_nothing_with_us_once_it_is_applied() -> None:
    beside = entry("kubectl-client-side-apply", {"f:spec": {**POD, "f:replicas": {}}})
    helm = entry("helm", {"f:spec": POD}, "Apply")
    obj = live(OURS, beside, helm)
    before = copy.deepcopy(obj)
    written = handover.alone(obj, NAMES)
    assert written == [OURS, {**beside, "fieldsV1": {"f:spec": {"f:replicas": {}}}}, helm]
    assert obj == before
    assert handover.alone(live(OURS, helm), NAMES) is None
    assert handover.alone(live(beside), NAMES) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"f:spec": 1},
        {"f:spec": {"x": {}}},
        {"spec": {}},
        [],
        "text",
        {"f:spec": {"f:a": [{}]}},
        {"f:spec": {1: {}}},
    ],
)
def test_books_in_an_odd_shape_are_unknown(fields: Any) -> None:
    odd = entry("oc", {}) | {"fieldsV1": fields} if fields != [] else {"manager": ["x"]}
    with pytest.raises(Permanent, match="can't be read"):
        foreign(live(odd), "reconciler")


@pytest.mark.parametrize("listed", ["text", {"a": 1}, [1], [None]])
def test_books_that_are_no_list_of_entries_are_unknown(listed: Any) -> None:
    obj = live()
    obj["metadata"]["managedFields"] = listed
    with pytest.raises(Permanent, match="can't be read"):
        books.entries(obj)


def test_books_without_end_are_unknown_and_keys_that_mean_nothing_lead_nowhere() -> None:
    tree: dict[str, Any] = {}
    for _ in range(10_000):
        tree = {"f:a": tree}
    with pytest.raises(Permanent, match="too deeply"):
        foreign(live(entry("oc", tree)), "reconciler")
    wide: dict[str, Any] = {f"f:{n}": {} for n in range(200_001)}
    with pytest.raises(Permanent, match="too many"):
        foreign(live(entry("oc", wide)), "reconciler")
    for key in ("k:{", "k:[]", 'k:"x"', "k:null", "v:", "v:nope", "i:x", "i:-1", "i:99", "i:true", "k:" + "[" * 5000):
        assert books.spots(("f:spec", "f:template", "f:spec", "f:containers", key), live()) == []
