"""What a report says of groups that people took from the autoscaler, and what a failure means to it."""

from __future__ import annotations

import pytest

from reconciler.engine import autoscale
from reconciler.model.autoscale import ErrorClass, Live
from tests.unit.examples import cluster

BOUNDED = ("count: 2", "count: 2\n      min: 1\n      max: 5")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([BOUNDED], []),
        ([("count: 2", "count: 2")], []),
        ([("count: 2", "count: 2\n      min: 2\n      max: 2")], ["autoscaling is pinned: min and max are both 2"]),
        (
            [("count: 2", "count: 2\n      min: 1\n      max: 5\n      autoscaling: suspended")],
            ["autoscaling is suspended: stays at 2 machines"],
        ),
        (
            [BOUNDED, ("  cloud:", "  autoscaling: suspended\n  cloud:")],
            ["autoscaling is suspended: stays at 2 machines"],
        ),
        ([BOUNDED, ("  cloud:", "  mode: report\n  cloud:")], ["autoscaling is suspended: stays at 2 machines"]),
    ],
)
def test_a_report_says_what_people_took_away(changes: list[tuple[str, str]], said: list[str]) -> None:
    assert [d.why for d in autoscale.notices(cluster(*changes))] == said


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("No valid host was found. There are not enough hosts available.", ErrorClass.OUT_OF_RESOURCES),
        ("Quota exceeded for cores: Requested 8, but already used 32 of 32 cores", ErrorClass.OUT_OF_RESOURCES),
        ("Exceeded maximum number of retries. Exhausted all hosts available", ErrorClass.OUT_OF_RESOURCES),
        ("Build of instance aborted: Image is unacceptable", ErrorClass.OTHER),
        ("", ErrorClass.OTHER),
    ],
)
def test_no_room_is_told_from_anything_else(fault: str, kind: ErrorClass) -> None:
    fields = {"status": "ERROR", "fault": fault, "metadata.reconciler.group": "worker"}
    seen = autoscale.outlook(cluster(BOUNDED), None, Live(servers={"demo-worker-1": ("u", fields)}, nodes={}))
    first = seen.groups["worker"].instances[0]
    assert (first.id, first.error_class, bool(first.error_code)) == ("openstack:///u", kind, True)
