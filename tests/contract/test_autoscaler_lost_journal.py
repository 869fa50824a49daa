"""A server on a machine that has no journal: what git says was decided, and nothing counts twice for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reconciler.model.autoscale import Decision
from reconciler.serve.autoscaler import Journal
from reconciler.serve.autoscaler.journal import waiting
from tests.unit.serve.autoscaler.harness import Place, until

from .test_autoscaler_survival import decisions, hook, process


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make(tmp_path)


def lose(place: Place, *folders: str) -> None:
    """The disk is gone: clone and state."""
    for folder in folders:
        shutil.rmtree(place.root / folder)


def test_what_was_pushed_is_known_to_a_machine_that_never_saw_it(place: Place) -> None:
    with process(place) as first:
        first.more(2)
        until(lambda: decisions(place) and place.file()["worker"] == [1, 2, 3, 4])
        first.kill()
    lose(place, "bot", "state")
    with process(place, "elsewhere", "fresh") as second:
        assert second.target() == 4  # so that Cluster Autoscaler has no reason to ask again
        second.more(1)
        until(lambda: place.file()["worker"] == [1, 2, 3, 4, 5])
    assert len(decisions(place)) == 2


@pytest.mark.parametrize("when", ["pre-receive", "post-receive"])
def test_a_disk_that_is_lost_in_the_middle_of_a_push(place: Place, when: str) -> None:
    """The remote took it, or did not: either way git's word is what the next one answers with, and who asks again for
    what is missing gets that, once."""
    marker = place.root / "pushing"
    held = hook(place, when, f"touch {marker}\nsleep 60")
    with process(place) as first:
        first.more(2)
        until(marker.exists)
        first.kill()
    held.unlink()
    lose(place, "bot", "state")
    arrived = when == "post-receive"
    with process(place, "elsewhere", "fresh") as second:
        target = second.target()
        assert target == (4 if arrived else 2)
        if target < 4:  # as Cluster Autoscaler does, for the pods that still wait
            second.more(4 - target)
        until(lambda: len(decisions(place)) == 1 and place.file()["worker"] == [1, 2, 3, 4])
        assert second.target() == 4


def test_a_removal_that_was_lost_is_asked_for_again_and_happens_once(place: Place) -> None:
    held = hook(place, "pre-receive", "echo no >&2; exit 1")
    with process(place) as first:
        first.less("demo-worker-1")
        assert first.target() == 1
        first.kill()
    held.unlink()
    lose(place, "bot", "state")
    with process(place, "elsewhere", "fresh") as second:
        assert second.target() == 2
        second.less("demo-worker-1")
        second.less("demo-worker-1")
        until(lambda: decisions(place) and place.file()["worker"] == [2])
    assert len(decisions(place)) == 1


def test_what_waits_is_counted_without_taking_it_over(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.add(Decision("0123456789ab", "worker", add=(3,), why="pods wait"))
    assert waiting(tmp_path) == 1
    assert len(journal.pending) == 1
    journal.done(["0123456789ab"])
    assert waiting(tmp_path) == 0
    assert waiting(tmp_path / "none") == 0
    journal.close()
