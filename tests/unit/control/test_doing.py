"""What a status page is told of a step while it runs."""

from __future__ import annotations

import pytest

from reconciler.control.board import Board
from reconciler.control.doing import Noted
from reconciler.engine.schedule import Slot
from reconciler.progress import QuietProgress


def test_each_word_of_a_task_is_noted_and_its_end() -> None:
    notes: list[str] = []
    with Noted(QuietProgress(), notes.append).task("scale.yml") as task:
        task.total(400)
        task.advance(120)
        task.status("Install kubelet")
    assert notes == [
        "scale.yml",
        "scale.yml, 0 of 400",
        "scale.yml, 120 of 400",
        "scale.yml, 120 of 400: Install kubelet",
        "",
    ]


def test_a_task_that_fails_is_over_too() -> None:
    notes: list[str] = []
    with pytest.raises(KeyError), Noted(QuietProgress(), notes.append).task("x"):
        raise KeyError
    assert notes[-1] == ""


def test_the_board_shows_the_step_until_the_cycle_is_over() -> None:
    board = Board()
    board.doing("demo", "nobody knows this cluster yet")
    board.scheduled("demo", Slot(600, 0), 0)
    assert board.document()["clusters"][0]["applying"] is None
    board.doing("demo", "kubernetes: add demo-worker-3")
    board.progressed("demo", "scale.yml, 120 of 400")
    (entry,) = board.document()["clusters"]
    assert entry["applying"] == {"step": "kubernetes: add demo-worker-3", "progress": "scale.yml, 120 of 400"}
