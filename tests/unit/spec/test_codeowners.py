"""Which files a CODEOWNERS leaves without an owner, and what `validate` says of it."""

from __future__ import annotations

import pytest

from reconciler.spec import codeowners, tenancy
from reconciler.spec.load import FLEET
from tests.unit.spec.tenancy.scene import fleet

WORKFLOW = ".github/workflows/reconcile.yaml"


@pytest.mark.parametrize(
    ("text", "free"),
    [
        ("* @a", []),
        ("", [FLEET, WORKFLOW]),
        ("# * @a", [FLEET, WORKFLOW]),
        ("/desired/ @a # not the rest", [WORKFLOW]),
        ("desired/ @a", [WORKFLOW]),
        ("/desired/* @a", [WORKFLOW]),
        ("/.github/* @a", [FLEET, WORKFLOW]),
        ("/.github @a\nfleet.yaml a@example.org", []),
        ("*.yaml @a", []),
        ("* @a\n/desired/\n", [FLEET]),
        ("/desired/fleet.yaml\n* @a", []),
        ("* @a\n/desired/**/fleet.yaml", [FLEET]),
        ("[Platform] @b\n^[Optional]\n/desired/ @a", [WORKFLOW]),
        ("/desired @a\n/elsewhere/fleet.yaml", [WORKFLOW]),
    ],
)
def test_the_last_line_that_matches_counts(text: str, free: list[str]) -> None:
    assert codeowners.unowned(text.encode(), (FLEET, WORKFLOW)) == free


def test_bytes_that_are_no_text_own_nothing() -> None:
    assert codeowners.unowned(b"\xff\xfe\x00* @a", (FLEET,)) == [FLEET]


def test_that_there_is_no_policy_is_said() -> None:
    for text in (None, fleet().replace("tenants:\n      []", "freezes: []").encode()):
        (remark,) = tenancy.remarks(text, {})
        assert remark.startswith(f"{FLEET} has no spec.policy.tenants: every cluster's folder may use everything")


def test_a_policy_that_anybody_could_change_is_said() -> None:
    policy = fleet().encode()
    (remark,) = tenancy.remarks(policy, {})
    assert remark.startswith("there is no CODEOWNERS: ")
    owners = {".github/CODEOWNERS": b"* @a\n/desired/fleet.yaml\n/.github/CODEOWNERS\n", "CODEOWNERS": b"* @a\n"}
    said = [remark.partition(":")[0] for remark in tenancy.remarks(policy, owners)]
    assert said == [f".github/CODEOWNERS gives {path} no owner" for path in (FLEET, ".github/CODEOWNERS")]
    assert tenancy.remarks(policy, {".github/CODEOWNERS": b"* @a\n"}) == []
