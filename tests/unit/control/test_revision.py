"""One cluster of a commit: nothing of it is opened, built or fetched before its signature was looked at."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import pytest

from reconciler.control.revision import Reader, Revision
from reconciler.errors import Blocked
from reconciler.spec import desired_state
from reconciler.spec.outline import Outline
from tests.unit.examples import CLUSTER, FILE


def test_nothing_of_an_unsigned_commit_is_opened_or_built() -> None:
    happened: list[str] = []

    def opened(path: str, text: bytes) -> bytes:
        happened.append(f"opened {path}")
        return text

    def loaded(
        files: Mapping[str, bytes], raw: Mapping[str, bytes], names: Collection[str] | None, others: Sequence[Outline]
    ) -> desired_state.Loaded:
        happened.append("built")
        return desired_state.each(desired_state.Sources(files, raw), names, others)

    def verify(commit: str) -> None:
        happened.append(f"verified {commit}")
        if commit == "unsigned":
            raise Blocked(f"commit {commit} is not signed by a key that counts")

    reader = Reader(opened, loaded, verify)
    with pytest.raises(Blocked, match="unsigned is not signed"):
        reader.read(Revision("unsigned", {FILE: CLUSTER.encode()}), "demo")
    assert happened == ["verified unsigned"]
    happened.clear()
    assert reader.read(Revision("signed", {FILE: CLUSTER.encode()}), "demo").commit == "signed"
    assert happened == ["verified signed", "built", f"opened {FILE}"]
