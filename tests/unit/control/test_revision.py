"""One cluster of a commit: nothing of it is opened, built or fetched before its signature was looked at."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pytest

from reconciler.control.revision import Reader, Revision
from reconciler.errors import Blocked
from reconciler.spec import desired_state
from tests.unit.examples import CLUSTER, FILE


def test_nothing_of_an_unsigned_commit_is_opened_or_built() -> None:
    happened: list[str] = []

    def opened(path: str, text: bytes) -> bytes:
        happened.append(f"opened {path}")
        return text

    def checked(files: Mapping[str, bytes], raw: Mapping[str, bytes], others: Collection[str]) -> tuple[Any, ...]:
        happened.append("built")
        return desired_state.load(files, others=others)

    def verify(commit: str) -> None:
        happened.append(f"verified {commit}")
        if commit == "unsigned":
            raise Blocked(f"commit {commit} is not signed by a key that counts")

    reader = Reader(opened, checked, verify)
    with pytest.raises(Blocked, match="unsigned is not signed"):
        reader.read(Revision("unsigned", {FILE: CLUSTER.encode()}), "demo")
    assert happened == ["verified unsigned"]
    happened.clear()
    assert reader.read(Revision("signed", {FILE: CLUSTER.encode()}), "demo").commit == "signed"
    assert happened == ["verified signed", f"opened {FILE}", "built"]
