"""When what is done again and again is done next: coalesced, backed off, patient with what never rests."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.engine.backoff import BURST, CAP_SECONDS, REFILL_SECONDS, Patience, delay, jittered
from reconciler.engine.schedule import Slot, Trigger, asked, begins, ended, main, started, urgency

INTERVAL = 600.0


def resting(now: float = 0.0) -> Slot:
    """A slot after a cycle that went well, at `now`."""
    slot, _ = started(Slot(INTERVAL, now, first=False), now)
    return ended(slot, now, 0.5)


def test_what_comes_in_between_is_done_once() -> None:
    slot = resting()
    for trigger in (Trigger.KUBERNETES, Trigger.WEBHOOK, Trigger.CLOUD, Trigger.WEBHOOK):
        slot = asked(slot, trigger)
    assert begins(slot, 1.0) <= 1.0
    slot, reasons = started(slot, 1.0)
    assert reasons == {Trigger.KUBERNETES, Trigger.WEBHOOK, Trigger.CLOUD}
    assert main(reasons) is Trigger.WEBHOOK
    assert begins(slot, 1.0) == math.inf


def test_what_comes_during_a_cycle_leads_to_exactly_one_more() -> None:
    slot, _ = started(resting(), 1.0)
    for _ in range(5):
        slot = asked(slot, Trigger.WEBHOOK)
    slot = ended(slot, 2.0, 0.5)
    assert begins(slot, 2.0) <= 2.0
    slot, _ = started(slot, 2.0)
    slot = ended(slot, 3.0, 0.5)
    assert begins(slot, 3.0) == pytest.approx(3.0 + INTERVAL)


def test_who_keeps_failing_waits_longer_each_time_up_to_the_cap_and_rests_when_it_works_again() -> None:
    slot, now, waits = resting(), 0.0, []
    for _ in range(12):
        slot, _ = started(slot, now)
        slot = ended(slot, now, 0.0, failed="the cloud does not answer")
        waits.append(begins(slot, now) - now)
        assert slot.why is Trigger.RETRY
        assert slot.reason == "the cloud does not answer"
        now += waits[-1]
    assert waits[:4] == [5, 10, 20, 40]
    assert waits[-1] == INTERVAL
    slot, _ = started(slot, now)
    slot = ended(slot, now, 0.5)
    assert (slot.failures, slot.reason, slot.why) == (0, "", Trigger.CHECK)


@pytest.mark.parametrize("trigger", [Trigger.WEBHOOK, Trigger.LOCAL, Trigger.POLL])
def test_what_people_do_ends_a_back_off(trigger: Trigger) -> None:
    slot, _ = started(resting(), 0.0)
    slot = asked(ended(slot, 0.0, 0.0, failed="x"), trigger)
    assert begins(slot, 0.1) <= 0.1
    assert slot.failures == 0


def test_a_commit_that_comes_during_a_failing_cycle_is_tried_at_once_and_counts_anew() -> None:
    slot, _ = started(resting(), 0.0)
    slot = ended(asked(slot, Trigger.WEBHOOK), 1.0, 0.0, failed="x")
    assert begins(slot, 1.0) <= 1.0
    assert slot.failures == 1


@pytest.mark.parametrize("trigger", [Trigger.KUBERNETES, Trigger.CLOUD])
def test_what_is_observed_waits_for_the_end_of_a_back_off(trigger: Trigger) -> None:
    slot, _ = started(resting(), 0.0)
    slot = asked(ended(slot, 0.0, 0.0, failed="x"), trigger)
    assert begins(slot, 1.0) == 5.0
    assert begins(slot, 6.0) <= 6.0


def test_a_controller_that_never_rests_gets_its_burst_and_then_one_cycle_in_a_while() -> None:
    slot, now, starts = resting(), 0.0, 0
    while now < 600:
        slot = asked(slot, Trigger.KUBERNETES)
        if begins(slot, now) <= now:
            slot, _ = started(slot, now)
            slot = ended(slot, now, 0.5)
            starts += 1
        now += 0.5
    assert starts <= BURST + 600 / REFILL_SECONDS + 1


def test_a_person_is_heard_at_once_when_a_controller_used_up_the_patience() -> None:
    slot = resting()
    for _ in range(int(BURST)):
        slot, _ = started(asked(slot, Trigger.KUBERNETES), 0.0)
        slot = ended(slot, 0.0, 0.5)
    assert begins(asked(slot, Trigger.KUBERNETES), 0.0) > 0
    assert begins(asked(slot, Trigger.WEBHOOK), 0.0) == 0


def test_a_window_that_opens_before_the_next_check_is_waited_for() -> None:
    slot, _ = started(resting(), 0.0)
    assert (ended(slot, 0.0, 0.5, wake=60).due, ended(slot, 0.0, 0.5, wake=60).why) == (60, Trigger.WINDOW)
    assert ended(slot, 0.0, 0.5, wake=7200).why is Trigger.CHECK


def test_people_go_first_when_workers_are_scarce() -> None:
    slot = resting()
    order = [asked(slot, t) for t in (Trigger.CLOUD, Trigger.WEBHOOK, Trigger.KUBERNETES)] + [slot]
    assert [main(s.waiting or {s.why}).value for s in sorted(order, key=urgency)] == [
        "webhook",
        "kubernetes",
        "cloud",
        "check",
    ]


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_a_delay_stays_between_three_quarters_of_the_base_and_the_cap(n: int, chance: float) -> None:
    assert delay(0, chance) == 0
    assert 5 * 0.75 <= delay(n + 1, chance) <= CAP_SECONDS


@given(st.floats(1, 1e6), st.floats(0, 1))
def test_jitter_stays_within_its_part(interval: float, chance: float) -> None:
    assert interval * 0.9 <= jittered(interval, 0.1, chance) <= interval * 1.1 + 1e-6


def test_patience_comes_back() -> None:
    patience = Patience()
    for _ in range(int(BURST)):
        patience = patience.used(0.0)
    assert patience.wait(0.0) == pytest.approx(REFILL_SECONDS)
    assert patience.wait(REFILL_SECONDS) == 0


@given(st.floats(0, 1))
def test_those_who_began_together_are_checked_at_different_times(chance: float) -> None:
    slot, _ = started(Slot(INTERVAL, 0.0), 0.0)
    assert ended(slot, 0.0, chance).due == pytest.approx(INTERVAL * max(0.1, chance))
