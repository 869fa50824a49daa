"""A label says nothing of who applied an object; the server's books do."""

from __future__ import annotations

from typing import Any

from reconciler.adapters.kubernetes.fields import GENERATE, PART_OF
from reconciler.adapters.kubernetes.ours import applied_by

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
