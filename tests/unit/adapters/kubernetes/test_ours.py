"""A label says nothing of who applied an object; the server's books do."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.adapters.kubernetes.fields import GENERATE, PART_OF
from reconciler.adapters.kubernetes.ours import applied_by, copied
from reconciler.errors import Permanent

LABEL: dict[str, Any] = {"f:metadata": {"f:labels": {f"f:{PART_OF}": {}}}}


def entry(manager: str, how: str = "Apply", time: str = "2026-11-25T11:00:00Z", **more: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": how, "time": time, "fieldsV1": LABEL, **more}


def ours(*books: dict[str, Any], recorded: bool = False, manager: str = "reconciler", **metadata: Any) -> bool:
    return applied_by({"managedFields": list(books), **metadata}, manager, recorded=recorded)


def test_what_we_applied_is_ours_whether_or_not_it_is_in_the_record() -> None:
    assert ours(entry("reconciler"))
    assert ours(entry("kubectl"), manager="kubectl")
    assert ours(entry("reconciler"), entry("kubectl-edit", "Update", fieldsV1={"f:data": {}}))


def test_what_a_controller_or_a_person_copied_is_not() -> None:
    assert not ours(entry("kube-controller-manager", "Update"), recorded=True)
    assert not ours(entry("kubectl-create", "Update"), recorded=True)
    assert not ours(entry("kubectl", "Apply"))
    assert not ours(entry("reconciler", "Update"))
    assert not ours(entry("reconciler", fieldsV1={"f:data": {}})), "the label is somebody else's"


def test_a_copy_that_brought_our_books_along_is_not() -> None:
    created = entry("kubectl-create", "Update", "2026-11-25T12:00:00Z")
    assert not ours(entry("reconciler"), created)
    assert not ours(entry("reconciler"), {**created, "time": entry("reconciler")["time"]})


def test_what_was_applied_over_somebody_elses_label_is() -> None:
    assert ours(entry("reconciler", time="2026-11-25T13:00:00Z"), entry("restore", "Update"))


def test_what_a_controller_owns_goes_with_its_owner() -> None:
    assert not ours(entry("reconciler"), ownerReferences=[{"kind": "Service", "name": "x", "controller": True}])
    assert ours(entry("reconciler"), ownerReferences=[{"kind": "Service", "name": "x"}])


def test_a_generated_secret_is_made_once_and_never_applied() -> None:
    assert ours(entry("reconciler", "Update"), annotations={GENERATE: "token"})


def test_without_books_the_record_decides() -> None:
    assert ours(recorded=True)
    assert not ours(recorded=False)
    assert not ours(entry("reconciler", subresource="status"))


@pytest.mark.parametrize("books", ["no list", ["no entry"], {"no": "list"}])
def test_whose_an_object_is_that_has_other_books_is_not_known(books: Any) -> None:
    with pytest.raises(Permanent, match="managedFields"):
        applied_by({"managedFields": books}, "reconciler", recorded=True)
    assert not copied({"managedFields": books})


@pytest.mark.parametrize(
    "fields", ["text", ["f:metadata"], {"f:metadata": ["f:labels"]}, {"f:metadata": {"f:labels": 1}}]
)
def test_an_entry_that_says_nothing_of_our_label_is_not_about_it(fields: Any) -> None:
    assert not ours(entry("reconciler", fieldsV1=fields), recorded=True)


def test_a_label_that_nobody_applied_was_copied() -> None:
    def books(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"managedFields": list(entries), **more}

    assert copied(books(entry("kube-controller-manager", "Update")))
    assert not copied(books(entry("reconciler")))
    assert not copied(books(entry("kubectl"), entry("kube-controller-manager", "Update"))), "Terraform's name"
    assert not copied(books(entry("reconciler", "Update"), annotations={GENERATE: "token"}))
    assert not copied({}), "nobody knows"
