"""The bot's branch, where others may push as well."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import cast

import pytest

from reconciler.errors import Invalid, Problem
from reconciler.ports import Branches, Snapshot
from reconciler.serve.autoscaler import Book
from tests.unit.examples import CLUSTER

PEOPLE, BOT = "1" * 40, "2" * 40
SCALED = CLUSTER.replace("count: 2", "count: 2\n      min: 1\n      max: 3", 1)


class Remote:
    """Two branches; the bot's file is `content`, and what else it holds may raise."""

    def __init__(self, content: bytes, error: Invalid | None = None) -> None:
        self.content, self.error = content, error

    def tips(self, branches: Sequence[str]) -> Mapping[str, str]:
        return {"main": PEOPLE, "bot": BOT}

    def snapshot(self, commit: str, roots: tuple[str, ...], only: Collection[str] | None = None) -> Snapshot:
        (folder,) = roots
        file = f"{folder}/demo/autoscale.yaml"
        more = {file: self.content} if commit == BOT else {}
        refused = {file: Problem(file, 1, 1, "", self.error.message)} if commit == BOT and self.error else {}
        return Snapshot({f"{folder}/demo/cluster.yaml": SCALED.encode(), **more}, refused)


@pytest.mark.parametrize("content", [b"[" * 10_000, b"a: &a [*a]", b"kind: Autoscale", b"\x00", b"[]"])
def test_what_somebody_pushed_to_the_bots_branch_counts_as_nothing_and_is_told_once(content: bytes) -> None:
    told: list[str] = []
    book = Book(cast(Branches, Remote(content)), "demo", "main", "bot", told.append)
    for _ in range(2):
        assert book.ground().file is None
    (line,) = told
    assert line.startswith(f"warning: 'bot' at {BOT[:12]} counts as empty: ")


def test_a_link_on_the_bots_branch_counts_as_nothing() -> None:
    book = Book(cast(Branches, Remote(b"", Invalid("x is a symbolic link"))), "demo", "main", "bot")
    assert book.ground().file is None
    with pytest.raises(Invalid):
        Book(cast(Branches, Remote(b"[")), "demo", "bot").ground()
