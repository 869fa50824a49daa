"""What a project may have of load balancers: allowed by a number, used by a count."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from reconciler.adapters.openstack.quotas import quota
from reconciler.model.quota import Allotment


class Octavia:
    """Answers like the API, and remembers what was asked."""

    def __init__(self, **limits: int) -> None:
        self.limits = limits
        self.asked: list[str] = []

    def get(self, path: str, params: dict[str, str] | None = None) -> Any:
        self.asked.append(path)
        assert params in (None, {"project_id": "mine"})
        pools = [{"id": "p", "members": [{"id": "a"}, {"id": "b"}]}, {"id": "q", "members": []}]
        body: Any = {
            "/lbaas/quotas/mine": {"quota": self.limits},
            "/lbaas/loadbalancers": {"loadbalancers": [{"id": "x"}]},
            "/lbaas/pools": {"pools": pools},
        }[path]
        return SimpleNamespace(json=lambda: body)


def cloud(octavia: Octavia | None) -> Any:
    """A connection to a cloud that has this service and no other."""
    return SimpleNamespace(
        current_project_id="mine",
        endpoint_for=lambda service: octavia if service == "load-balancer" else None,
        load_balancer=octavia,
    )


def test_what_is_used_is_counted_where_there_is_a_limit() -> None:
    octavia = Octavia(loadbalancer=1, listener=-1, pool=10, member=50, healthmonitor=-1)
    assert quota(cloud(octavia)) == {
        "load_balancers": Allotment(1, 1),
        "pools": Allotment(2, 10),
        "members": Allotment(2, 50),
    }
    assert octavia.asked == ["/lbaas/quotas/mine", "/lbaas/loadbalancers", "/lbaas/pools"]


def test_a_cloud_without_octavia_says_nothing_of_it() -> None:
    assert quota(cloud(None)) == {}


def test_a_limit_that_is_not_said_is_no_limit_of_nothing() -> None:
    """Older releases call some of them otherwise (load_balancer, health_monitor)."""
    octavia = Octavia(load_balancer=0, pool=10)
    assert quota(cloud(octavia)) == {"pools": Allotment(2, 10)}
