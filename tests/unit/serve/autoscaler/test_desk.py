"""What could not be asked is not what is not there: a node that was seen stays one, and none is no answer before."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from reconciler.engine import autoscale
from reconciler.engine.autoscale import Refused
from reconciler.model.autoscale import Decision, Live, State
from reconciler.model.desired import Autoscale
from reconciler.model.resource import Fields
from reconciler.ports import Branches
from reconciler.serve.autoscaler import Book, Desk, Ground, Journal
from tests.unit.examples import cluster

REGIONAL = "openstack://RegionOne/a{}"  # as a cloud controller in regional mode writes it
GROUND = Ground(cluster(("count: 2", "count: 2\n      min: 0\n      max: 5")))
FLAVORS: dict[str, Fields] = {"m1.large": {"vcpus": 4}}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(tmp_path: Path, clock: Clock) -> Desk:
    return Desk(Journal(tmp_path), GROUND, clock=clock)


def servers(*numbers: int, **fields: str) -> dict[str, tuple[str, Fields]]:
    said = {"status": "ACTIVE", "metadata.reconciler.group": "worker", **fields}
    return {f"demo-worker-{n}": (f"a{n}", said) for n in numbers}


def nodes(*numbers: int) -> dict[str, str]:
    return {f"demo-worker-{n}": REGIONAL.format(n) for n in numbers}


def told(desk: Desk) -> list[tuple[str, State]]:
    return [(i.id, i.state) for i in desk.outlook.groups["worker"].instances]


def test_nodes_that_can_not_be_asked_stay_as_they_were(desk: Desk) -> None:
    desk.sees(Live(servers(1, 2), nodes(1, 2), FLAVORS), GROUND)
    before = told(desk)
    assert before == [(REGIONAL.format(n), State.RUNNING) for n in (1, 2)]
    desk.sees(Live(servers(1, 2)), GROUND)  # Nova answers, the Kubernetes API does not
    assert told(desk) == before
    assert autoscale.place(desk.outlook, REGIONAL.format(1), "demo-worker-1")
    assert desk.live.flavors == FLAVORS
    with pytest.raises(Refused, match="no machine of worker"):
        desk.delete("worker", [("openstack:///a1", "demo-worker-1")])
    desk.sees(Live(None, nodes(1)), GROUND)  # and the other way round
    assert told(desk) == [(REGIONAL.format(1), State.RUNNING), ("openstack:///a2", State.CREATING)]
    desk.sees(Live(servers(1, 2), {}), GROUND)  # asked, and there is none
    assert told(desk) == [(f"openstack:///a{n}", State.CREATING) for n in (1, 2)]


def test_a_server_is_not_given_up_while_nobody_can_say_whether_it_is_a_node(desk: Desk, clock: Clock) -> None:
    """It may have joined since, and be called otherwise by its node: then it looks to Cluster Autoscaler like one that
    never did."""
    desk.sees(Live(servers(1, 2), nodes(1)), GROUND)
    clock.now = 1000.0
    desk.sees(Live(servers(1, 2)), GROUND)
    with pytest.raises(Refused, match="not known whether"):
        desk.delete("worker", [("openstack:///a2", "openstack:///a2")])
    assert desk.pending == ()
    desk.sees(Live(servers(1) | servers(2, status="ERROR")), GROUND)  # this one never will be
    assert desk.delete("worker", [("openstack:///a2", "openstack:///a2")])
    assert desk.delete("worker", [(REGIONAL.format(1), "demo-worker-1")])  # and this one is a node


def test_a_server_that_did_not_become_a_node_is_given_up(desk: Desk) -> None:
    desk.sees(Live(servers(1, 2), nodes(1)), GROUND)
    decision = desk.delete("worker", [("openstack:///a2", "openstack:///a2")])
    assert decision
    assert decision.remove == (2,)


# a number of ours that another writer took


def others(desk: Desk, *numbers: int) -> Ground:
    """What git says once another server added these."""
    before = desk._ground.file
    theirs = Decision(f"{numbers[0]:012x}", "worker", numbers)
    return Ground(GROUND.cluster, autoscale.fold(GROUND.cluster, before, [theirs]).file)


def machines(desk: Desk) -> tuple[int, ...]:
    return desk.outlook.groups["worker"].machines


def removed(desk: Desk) -> list[tuple[int, str]]:
    file: Autoscale = desk._folded.file
    entry = file.group("worker")
    assert entry
    return [(one.number, one.server) for one in entry.removed]


def test_the_chosen_server_goes_though_its_number_was_ours_once(desk: Desk) -> None:
    desk.increase("worker", 1)
    desk.stands_on(others(desk, 3))
    assert machines(desk) == (1, 2, 3, 4)  # ours is 4 now
    desk.sees(Live(servers(1, 2, 3), nodes(1, 2, 3)), GROUND)
    desk.delete("worker", [(REGIONAL.format(3), "demo-worker-3")])
    assert machines(desk) == (1, 2, 4)
    assert removed(desk) == [(3, "a3")]


def test_the_chosen_server_goes_though_git_was_not_read_since(desk: Desk) -> None:
    desk.increase("worker", 1)
    desk.sees(Live(servers(1, 2, 3), nodes(1, 2, 3)), GROUND)
    desk.delete("worker", [(REGIONAL.format(3), "demo-worker-3")])
    desk.stands_on(others(desk, 3))
    assert machines(desk) == (1, 2, 4)
    assert removed(desk) == [(3, "a3")]


def test_a_machine_of_git_that_is_not_there_yet_is_given_up_itself(desk: Desk) -> None:
    desk.increase("worker", 1)
    desk.stands_on(others(desk, 3))
    desk.sees(Live(servers(1, 2), nodes(1, 2)), GROUND)
    desk.delete("worker", [("openstack:///demo-worker-3", "openstack:///demo-worker-3")])
    assert machines(desk) == (1, 2, 4)


def test_a_machine_of_ours_is_given_up_whatever_its_number_becomes(desk: Desk, tmp_path: Path) -> None:
    desk.sees(Live(servers(1, 2), nodes(1, 2)), GROUND)
    desk.increase("worker", 1)
    desk.stands_on(others(desk, 3))
    desk.delete("worker", [("openstack:///demo-worker-4", "openstack:///demo-worker-4")])
    assert machines(desk) == (1, 2, 3)
    desk.stands_on(others(desk, 4))
    assert machines(desk) == (1, 2, 3, 4)
    desk._journal._file.close()  # what a crash does: the next server knows it, too
    again = Desk(Journal(tmp_path), desk._ground)
    assert machines(again) == (1, 2, 3, 4)


def test_a_machine_of_ours_that_was_given_up_takes_no_other_with_it(desk: Desk) -> None:
    desk.sees(Live(servers(1, 2), nodes(1, 2)), GROUND)
    desk.increase("worker", 1)
    desk.decrease("worker", -1)
    desk.stands_on(others(desk, 3))
    assert machines(desk) == (1, 2, 3)
    desk.stands_on(others(desk, 4, 5))  # and no room is left for ours
    assert machines(desk) == (1, 2, 3, 4, 5)


class Late(Desk):
    """A decision is made in the very moment after somebody saw that there is none."""

    late = True

    @property
    def pending(self) -> tuple[Decision, ...]:
        found = super().pending
        if not found and self.late:
            self.late = False
            self.increase("worker", 1)
        return found


def test_a_decision_made_while_the_pusher_goes_to_sleep_wakes_it(tmp_path: Path) -> None:
    desk = Late(Journal(tmp_path), GROUND)
    book = Book(cast(Branches, None), "demo", "main")  # nothing is pushed
    assert book.publish(desk) is None
    assert desk.waiting.is_set()
