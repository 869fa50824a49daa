"""Each cloud is asked once a round, whoever asks; and what belongs to nobody's folder is told of."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from reconciler.control.orphans import nobodys
from reconciler.control.survey import Survey
from reconciler.errors import Permanent
from reconciler.model.outcome import Status
from reconciler.model.resource import Kinds, Known, Resource, Unknown
from reconciler.ports import CloudSnapshot
from tests.unit.examples import desired


class Cloud:
    """Counts how often it is asked."""

    def __init__(self, *found: Resource, error: Permanent | None = None) -> None:
        self.found, self.error, self.asked = found, error, 0

    def observe(self, clusters: Sequence[str]) -> CloudSnapshot:
        self.asked += 1
        if self.error:
            raise self.error
        kinds: Kinds = {"server": Known(self.found), "port": Unknown("no answer")}
        return CloudSnapshot(kinds, Known(), Known(), Known(), Known())

    def prune(self, kind: str, id: str) -> None:
        raise AssertionError("nothing is ever pruned here")

    def join(self, port: str, subnet: str) -> None:
        raise AssertionError(port)

    def reboot(self, server: str) -> None:
        raise AssertionError(server)

    def console(self, server: str) -> str | Unknown:
        raise AssertionError(server)


def survey(cloud: Cloud) -> Survey:
    return Survey(lambda _: cloud, ("demo",))


def test_twenty_who_ask_at_once_are_one_question() -> None:
    cloud = Cloud()
    round_ = survey(cloud)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: round_.of("sandbox"), range(20)))
    assert cloud.asked == 1
    assert sorted(shared for _, shared in answers) == [False] + [True] * 19
    assert all(snapshot is answers[0][0] for snapshot, _ in answers)


def test_what_was_changed_is_asked_again() -> None:
    cloud = Cloud()
    round_ = survey(cloud)
    round_.of("sandbox")
    round_.forget("sandbox")
    assert round_.of("sandbox")[1] is False
    assert cloud.asked == 2


def test_a_cloud_that_lets_nobody_in_is_not_asked_by_everybody() -> None:
    cloud = Cloud(error=Permanent("wrong password"))
    round_ = survey(cloud)
    for _ in range(3):
        with pytest.raises(Permanent, match="wrong password"):
            round_.of("sandbox")
    assert cloud.asked == 1
    assert nobodys(round_, "c0ffee", desired()) == []


def test_what_no_folder_describes_is_reported_and_left_alone() -> None:
    ghost = Resource("server", "ghost-cp-1", {}, "g", "ghost")
    cloud = Cloud(ghost, Resource("server", "demo-cp-1", {}, "d", "demo"), Resource("server", "other", {}, "o", ""))
    round_ = survey(cloud)
    assert round_.nobodys("sandbox") == (ghost,)
    (found,) = nobodys(round_, "c0ffee", desired())
    assert (found.cluster, found.status, found.steps) == ("ghost", Status.DRIFTED, ())
    assert [f.resource for f in found.findings] == ["server ghost-cp-1"]
    assert found.findings[0].repair == "nothing: left to people"


def test_what_one_cluster_cannot_see_is_seen_by_the_others() -> None:
    seen, silent = Known((Resource("server", "a-cp-1", {}, "1", "a"),)), Unknown("Cinder does not answer")
    snapshot = CloudSnapshot(
        {"server": seen, "port": seen}, Known(), Known(), Known(), Known(), {"server": {"b": silent}}
    )
    assert snapshot.of("a") == {"server": seen, "port": seen}
    assert snapshot.of("b") == {"server": silent, "port": seen}
