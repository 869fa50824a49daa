"""Objects as fields: paths people recognise, only what differs, and nothing secret."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.adapters.kubernetes.fields import HIDDEN, HIDDEN_DIFFERS, all_fields, differing, prepared

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_containers_go_by_name_wherever_they_stand() -> None:
    one, two = {"name": "a", "image": "i:1"}, {"name": "b", "image": "i:2"}
    assert differing({"c": [one, two]}, {"c": [two, one]}) == ({}, {})
    assert differing({"c": [one]}, {"c": [{**one, "image": "i:3"}]}) == ({"c[a].image": "i:1"}, {"c[a].image": "i:3"})


def test_items_without_a_name_of_their_own_go_by_position() -> None:
    assert all_fields({"p": [{"port": 1}, {"port": 2}]}) == {"p[0].port": 1, "p[1].port": 2}


def test_what_one_side_does_not_have_is_none_there() -> None:
    assert differing({"a": 1}, {"b": 2}) == ({"a": 1, "b": None}, {"a": None, "b": 2})
    assert differing({"v": {"emptyDir": {}}}, {"v": {}}) == (
        {"v": None, "v.emptyDir": ()},
        {"v": (), "v.emptyDir": None},
    )


@pytest.mark.parametrize("kept", ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"])
def test_what_the_server_keeps_for_itself_never_differs(kept: str) -> None:
    assert differing({"metadata": {kept: "1"}}, {"metadata": {kept: "2"}, "status": {"x": 1}}) == ({}, {})


def test_a_secret_is_compared_and_never_shown() -> None:
    def secret(password: str, **more: str) -> dict[str, Any]:
        manifest = {"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"p": password, **more}}
        return prepared(manifest, "set")

    words = ("horse", "staple", base64.b64encode(b"horse").decode())
    sides = differing(secret("horse"), secret("staple"))
    assert sides == ({"data.p": HIDDEN}, {"data.p": HIDDEN_DIFFERS})
    assert differing(secret("horse"), secret("horse")) == ({}, {})
    assert differing(secret("a", q="horse"), secret("a")) == ({"data.q": HIDDEN}, {"data.q": None})
    assert not any(word in repr((sides, all_fields(secret("horse")))) for word in words)


def test_what_is_sent_carries_our_labels_and_leaves_the_manifest_alone() -> None:
    manifest = {"kind": "ConfigMap", "metadata": {"name": "c", "labels": {"a": "b"}}}
    assert prepared(manifest, "set")["metadata"]["labels"] == {
        "a": "b",
        "applyset.kubernetes.io/part-of": "set",
        "app.kubernetes.io/managed-by": "reconciler",
    }
    assert manifest["metadata"] == {"name": "c", "labels": {"a": "b"}}


@given(st.dictionaries(st.text(max_size=5), TREES, max_size=4))
def test_nothing_differs_from_itself(tree: dict[str, Any]) -> None:
    assert differing(tree, tree) == ({}, {})


@given(st.dictionaries(st.text(max_size=5), TREES, max_size=4), st.dictionaries(st.text(max_size=5), TREES, max_size=4))
def test_both_sides_name_the_same_fields(left: dict[str, Any], right: dict[str, Any]) -> None:
    ours, theirs = differing(left, right)
    assert ours.keys() == theirs.keys()
    assert differing(right, left)[0].keys() == ours.keys()
