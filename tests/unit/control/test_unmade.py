"""Before there is a cluster, its plan says which namespaces nothing in git makes; afterwards its API says what is not
there."""

from __future__ import annotations

from pathlib import Path

from reconciler.model.change import Class
from reconciler.model.outcome import Status
from reconciler.model.resource import Key
from tests.unit.control.world import World


def test_the_plan_of_a_new_cluster_has_a_notice(tmp_path: Path) -> None:
    plan, _ = World(tmp_path).cycle().check()
    (notice,) = plan.notices
    assert (notice.key, notice.cls) == (Key("Namespace", "sid"), Class.NOTICE)
    assert "nothing in git makes it" in notice.why


def test_where_there_is_an_api_nothing_is_guessed(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.cycle().reconcile()[0].status is Status.IN_SYNC
    assert world.cycle().check()[0].notices == ()
