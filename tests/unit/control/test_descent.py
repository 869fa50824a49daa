"""A signed commit that leaves out what was applied last is refused, until this machine's settings name it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.control.cycle import Cycle
from reconciler.errors import Blocked
from reconciler.model.outcome import Status
from tests.unit.control.world import FILES, World
from tests.unit.examples import FILE

FIRST, SECOND, THIRD, REWRITTEN, BEYOND, MERGED, SIDE = (f"{n}" * 40 for n in range(1, 8))
PAST = {
    FIRST: set(),
    SECOND: {FIRST},
    THIRD: {FIRST, SECOND},
    REWRITTEN: {FIRST},
    BEYOND: {FIRST, REWRITTEN},
    MERGED: {FIRST, SECOND, THIRD, REWRITTEN},
    SIDE: {FIRST, SECOND, THIRD},
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.settle()
    made.signed, made.past = True, {commit: set(past) for commit, past in PAST.items()}
    return made


def cycle(world: World, commit: str, accept: str = "") -> Cycle:
    plain = world.cycle()
    return replace(plain, commit=commit, tools=replace(plain.tools, accept_rewrite=accept))


def reaches(world: World, commit: str, accept: str = "") -> bool:
    world.lose("port", "demo-worker-1")
    world.log.clear()
    try:
        outcome, _ = cycle(world, commit, accept).reconcile()
    except Blocked:
        assert world.log == [], "nothing was changed"
        return False
    assert outcome.status is Status.IN_SYNC
    return True


def test_what_descends_is_followed_and_what_does_not_is_refused(world: World) -> None:
    assert reaches(world, FIRST)
    assert reaches(world, THIRD)
    assert not reaches(world, FIRST), "an older one"
    assert not reaches(world, REWRITTEN)
    assert reaches(world, MERGED), "a commit that descends from both"


def test_it_says_what_to_do(world: World) -> None:
    assert reaches(world, THIRD)
    with pytest.raises(
        Blocked, match=f"'demo' was applied from {THIRD[:12]}, and {FIRST[:12]} leaves it out"
    ) as caught:
        cycle(world, FIRST).reconcile()
    assert f"acceptRewrite: {FIRST}" in str(caught.value.hint)
    del world.past[FIRST]
    with pytest.raises(Blocked, match="was not compared with it"):
        cycle(world, FIRST).reconcile()


def test_a_plan_shows_the_refusal_and_what_would_be_done(world: World) -> None:
    assert reaches(world, THIRD)
    world.lose("port", "demo-worker-1")
    current, _ = cycle(world, FIRST).check()
    assert [r.guard for r in current.refusals] == ["rewritten"]
    assert current.stopped
    assert current.steps
    assert cycle(world, THIRD).check()[0].refusals == ()


def test_the_settings_name_it_and_what_comes_after_it_goes_on(world: World) -> None:
    assert reaches(world, THIRD)
    assert not reaches(world, BEYOND, accept=SIDE), "another one is named"
    assert reaches(world, BEYOND, accept=REWRITTEN), "it moved on since"
    assert not reaches(world, THIRD, accept=REWRITTEN)


def test_what_the_settings_name_counts_once(world: World) -> None:
    """Else a line that is left there would let everything in between be applied again."""
    assert reaches(world, THIRD)
    assert reaches(world, REWRITTEN, accept=REWRITTEN)
    assert reaches(world, BEYOND, accept=REWRITTEN)
    assert not reaches(world, REWRITTEN, accept=REWRITTEN)
    assert not reaches(world, THIRD, accept=REWRITTEN)


def test_what_was_named_and_came_by_itself_is_used_up_too(world: World) -> None:
    assert reaches(world, FIRST, accept=FIRST)
    assert reaches(world, THIRD, accept=FIRST)
    assert not reaches(world, SECOND, accept=FIRST)


def test_whoever_may_write_the_record_moves_no_machine_that_remembers(world: World) -> None:
    assert reaches(world, SECOND)
    world.named = SIDE
    assert reaches(world, THIRD), "it names a commit that ours does not have"
    world.named = FIRST
    assert not reaches(world, SECOND), "it names an older one"


def test_a_machine_that_remembers_nothing_goes_by_the_record_and_by_its_settings(world: World) -> None:
    world.named = THIRD
    assert not reaches(world, SECOND)
    assert reaches(world, SECOND, accept=SECOND)
    world.named = "f" * 40
    assert reaches(world, THIRD), "now it remembers"


def test_a_first_cycle_has_nothing_to_leave_out(world: World) -> None:
    assert reaches(world, SECOND)


def test_without_signers_a_rewritten_branch_is_followed(world: World) -> None:
    world.signed = False
    for commit in (THIRD, FIRST, REWRITTEN):
        assert reaches(world, commit)
    assert not list((world.root / "state").rglob("reached"))


def test_what_may_not_act_reaches_nothing(world: World) -> None:
    world.take({**FILES, FILE: FILES[FILE] + "  suspend: true\n"})
    assert cycle(world, THIRD).reconcile()[0].status is Status.SUSPENDED
    world.take(FILES)
    assert reaches(world, FIRST)


@pytest.mark.parametrize("text", [b"", b"main\n", b"\xff", b"1 2 3"])
def test_a_note_that_is_damaged_is_not_taken_for_none(world: World, text: bytes) -> None:
    assert reaches(world, THIRD)
    (note,) = (world.root / "state").rglob("reached")
    note.write_bytes(text)
    with pytest.raises(Blocked, match="does not say from which commit"):
        cycle(world, THIRD).reconcile()
