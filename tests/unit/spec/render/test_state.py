"""Where Terraform's states lie, as two repositories compare it: one place is one text, however it is written."""

from __future__ import annotations

import pytest

from reconciler.model.desired.state import HttpState, PgState, S3State, State
from reconciler.spec.render.state import backend, place


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (State(s3=S3State(bucket="lab", endpoint="https://S3.example/")), S3State(bucket="lab", endpoint="https://s3.example")),
        (State(pg=PgState(address="postgres://DB/x?sslmode=require")), PgState(address="postgres://db/x")),
        (State(http=HttpState(address="https://Forge/states/")), HttpState(address="https://forge/states")),
    ],
)  # fmt: skip
def test_one_place_is_one_text(one: State, other: S3State | PgState | HttpState) -> None:
    kind = next(name for name in ("s3", "pg", "http") if getattr(one, name))
    assert place(one) == place(State.model_validate({kind: other}))
    assert backend(one, "demo", "infrastructure")


def test_others_are_others_and_a_folder_is_none() -> None:
    places = {
        place(State(s3=S3State(bucket="lab"))),
        place(State(s3=S3State(bucket="lab", prefix="physics"))),
        place(State(s3=S3State(bucket="lab", endpoint="https://s3.example"))),
        place(State(pg=PgState(address="postgres://db/x"))),
        place(State(pg=PgState(address="postgres://db/x", schema="physics"))),
    }
    assert len(places) == 5
    assert place(State()) == ""
