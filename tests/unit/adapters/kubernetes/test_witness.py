"""Which events of a watch are somebody else's doing: what the server says of managers and times decides."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.adapters.kubernetes.witness import echo, witnessed

T0, T1 = "2026-11-25T04:00:00Z", "2026-11-25T04:00:01Z"


def entry(manager: str, time: str = T0, fields: tuple[str, ...] = ("f:spec",), subresource: str = "") -> dict[str, Any]:
    made = {"manager": manager, "operation": "Apply", "time": time, "fieldsV1": {key: {} for key in fields}}
    return made | ({"subresource": subresource} if subresource else {})


def metadata(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    labels = {"applyset.kubernetes.io/part-of": "demo.workloads"}
    return {"name": "a", "namespace": "sid", "uid": "1", "labels": labels, "managedFields": list(entries)} | more


OURS = metadata(entry("reconciler"), generation=1, resourceVersion="1")


def counts(before: dict[str, Any] | None, now: dict[str, Any]) -> bool:
    one, other = witnessed(before) if before else None, witnessed(now)
    return one != other and not echo(one, other)


@pytest.mark.parametrize(
    ("what", "now"),
    [
        ("a status", metadata(entry("reconciler"), entry("kubelet", T1, subresource="status"), generation=1)),
        ("another version, and nothing else", {**OURS, "resourceVersion": "2"}),
        ("our own apply again", metadata(entry("reconciler", T1, ("f:spec", "f:data")), generation=2)),
    ],
)
def test_what_we_or_a_status_did_is_no_reason_to_look(what: str, now: dict[str, Any]) -> None:
    assert not counts(OURS, now), what


@pytest.mark.parametrize(
    ("what", "now"),
    [
        ("somebody set a field", metadata(entry("reconciler", fields=()), entry("kubectl-edit", T1), generation=2)),
        ("somebody scaled it", metadata(entry("reconciler"), entry("kubectl", T1, subresource="scale"), generation=2)),
        ("somebody took one of our fields away", metadata(entry("reconciler", fields=()), generation=1)),
        ("its spec changed, whoever did it", {**OURS, "generation": 2}),
        ("it is being deleted", {**OURS, "deletionTimestamp": T1}),
        ("our apply, and somebody else's in the same second", metadata(entry("reconciler", T1), entry("edit", T1))),
        ("our label is gone", {**OURS, "labels": {}}),
    ],
)
def test_what_others_do_is(what: str, now: dict[str, Any]) -> None:
    assert counts(OURS, now), what


def test_taking_fields_back_is_our_own_doing() -> None:
    edited = metadata(entry("reconciler", fields=()), entry("kubectl-edit", T0, ("f:spec", "f:data")), generation=2)
    taken_back = metadata(entry("reconciler", T1), entry("kubectl-edit", T0, ("f:data",)), generation=3)
    assert not counts(edited, taken_back)
    assert not counts(edited, metadata(entry("reconciler", T1), generation=3))


def test_what_is_new_counts_unless_we_made_it() -> None:
    assert not counts(None, OURS)
    assert counts(None, metadata(entry("kubectl-client-side-apply")))
    assert counts(None, metadata(entry("reconciler"), entry("kubectl")))


def test_a_server_that_does_not_say_who_did_it_makes_every_version_count() -> None:
    silent = {"name": "a", "uid": "1", "resourceVersion": "1"}
    assert counts(silent, {**silent, "resourceVersion": "2"})
    assert not counts(silent, dict(silent))
