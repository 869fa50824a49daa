"""A hundred node groups with a thousand nodes, and how long each call takes over real gRPC."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reconciler.serve.autoscaler.wire import externalgrpc_pb2 as pb

from .harness import BOUNDED, Cloud, Place, channel_to, make_certificates, stub_of, uuid_of

GROUPS, NODES = 100, 1000
_EACH = NODES // GROUPS


def place_of(root: Path) -> tuple[Place, Cloud]:
    """The cluster in git, and all of its machines live."""
    head, _, rest = BOUNDED.partition("    - name: worker\n")
    tail = rest[rest.index("  access:\n") :]
    groups = "".join(
        f"    - {{name: g{n}, count: {_EACH}, min: 0, max: 50, flavor: m1.large}}\n" for n in range(GROUPS)
    )
    cloud = Cloud()
    cloud.boot(*(f"demo-g{group}-{number}" for group in range(GROUPS) for number in range(1, _EACH + 1)))
    return Place.make(root, head + groups + tail), cloud


def measured(root: Path, rounds: int) -> tuple[dict[str, list[float]], int]:
    """Seconds of each call by its name, sorted, and how often the cloud was asked meanwhile."""
    place, cloud = place_of(root)
    tls = make_certificates(root / "certificates")
    server = place.server(cloud, poll=3600.0, tls=tls)
    server.start()
    try:
        stub = stub_of(channel_to(server, root / "certificates"))
        name = f"demo-g{GROUPS // 2}-3"
        node = pb.ExternalGrpcNode(name=name, providerID=f"openstack:///{uuid_of(name)}")
        assert len(stub.NodeGroups(pb.NodeGroupsRequest()).nodeGroups) == GROUPS
        assert stub.NodeGroupForNode(pb.NodeGroupForNodeRequest(node=node)).nodeGroup.id == f"g{GROUPS // 2}"
        before = cloud.calls
        calls: dict[str, Callable[[], Any]] = {
            "NodeGroups": lambda: stub.NodeGroups(pb.NodeGroupsRequest()),
            "NodeGroupForNode": lambda: stub.NodeGroupForNode(pb.NodeGroupForNodeRequest(node=node)),
            "NodeGroupNodes": lambda: stub.NodeGroupNodes(pb.NodeGroupNodesRequest(id="g7")),
        }
        return {
            name: sorted(_seconds(call) for _ in range(rounds)) for name, call in calls.items()
        }, cloud.calls - before
    finally:
        server.stop()


def _seconds(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
