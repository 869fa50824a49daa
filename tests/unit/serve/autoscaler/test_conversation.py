"""Cluster Autoscaler's whole conversation over mutual TLS, and each trap of the contract."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from reconciler.errors import Invalid, Transient
from reconciler.serve.autoscaler.wire import externalgrpc_pb2 as pb
from reconciler.serve.autoscaler.wire import node_pb2

from .harness import Cloud, Place, channel_to, make_certificates, running, stub_of, until, uuid_of
from .harness import git as _git


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make(tmp_path)


@pytest.fixture
def cloud() -> Cloud:
    made = Cloud()
    made.boot("demo-worker-1", "demo-worker-2", "demo-fixed-1", "demo-cp-1")
    return made


@pytest.fixture
def stub(place: Place, cloud: Cloud) -> Iterator[Any]:
    with running(place.server(cloud)) as made:
        yield made


def node(name: str, provider_id: str | None = None) -> Any:
    return pb.ExternalGrpcNode(
        name=name, providerID=f"openstack:///{uuid_of(name)}" if provider_id is None else provider_id
    )


def instances(stub: Any, group: str = "worker") -> dict[str, tuple[int, int]]:
    found = stub.NodeGroupNodes(pb.NodeGroupNodesRequest(id=group)).instances
    return {i.id: (i.status.instanceState, i.status.errorInfo.instanceErrorClass) for i in found}


def target(stub: Any, group: str = "worker") -> int:
    return int(stub.NodeGroupTargetSize(pb.NodeGroupTargetSizeRequest(id=group)).targetSize)


def code(call: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    found: grpc.StatusCode = caught.value.code()
    return found


def test_the_whole_conversation_over_mutual_tls(place: Place, cloud: Cloud, tmp_path: Path) -> None:
    server = place.server(cloud, tls=make_certificates(tmp_path / "certificates"))
    server.start()
    try:
        stub: Any = stub_of(channel_to(server, tmp_path / "certificates"))
        stub.Refresh(pb.RefreshRequest())
        groups = {g.id: (g.minSize, g.maxSize) for g in stub.NodeGroups(pb.NodeGroupsRequest()).nodeGroups}
        assert groups == {"worker": (1, 5), "gpu": (0, 2)}
        assert "2 running" in stub.NodeGroups(pb.NodeGroupsRequest()).nodeGroups[0].debug
        ours = stub.NodeGroupForNode(pb.NodeGroupForNodeRequest(node=node("demo-worker-2"))).nodeGroup
        assert (ours.id, ours.minSize, ours.maxSize) == ("worker", 1, 5)
        assert stub.GPULabel(pb.GPULabelRequest()).label == "research.moc/gpu"
        assert list(stub.GetAvailableGPUTypes(pb.GetAvailableGPUTypesRequest()).gpuTypes) == ["a100"]
        assert target(stub) == 2
        stub.NodeGroupIncreaseSize(pb.NodeGroupIncreaseSizeRequest(id="worker", delta=2))
        assert target(stub) == 4
        until(lambda: len(place.log()) > 1 and place.file() == {"worker": [1, 2, 3, 4]})
        stub.NodeGroupDecreaseTargetSize(pb.NodeGroupDecreaseTargetSizeRequest(id="worker", delta=-1))
        stub.NodeGroupDeleteNodes(pb.NodeGroupDeleteNodesRequest(id="worker", nodes=[node("demo-worker-1")]))
        assert target(stub) == 2
        until(lambda: place.file() == {"worker": [2, 3]})
        assert stub.NodeGroupTemplateNodeInfo(pb.NodeGroupTemplateNodeInfoRequest(id="gpu")).nodeBytes
        options = pb.NodeGroupAutoscalingOptionsRequest(id="gpu", defaults=pb.NodeGroupAutoscalingOptions())
        assert code(lambda: stub.NodeGroupGetOptions(options)) is grpc.StatusCode.UNIMPLEMENTED
        assert code(lambda: stub.PricingNodePrice(pb.PricingNodePriceRequest())) is grpc.StatusCode.UNIMPLEMENTED
        assert code(lambda: stub.PricingPodPrice(pb.PricingPodPriceRequest())) is grpc.StatusCode.UNIMPLEMENTED
        stub.Cleanup(pb.CleanupRequest())
        calls = pb.DESCRIPTOR.services_by_name["CloudProvider"].methods
        assert len(calls) == 15
    finally:
        server.stop()


def test_who_has_no_certificate_of_ours_gets_no_answer(place: Place, cloud: Cloud, tmp_path: Path) -> None:
    server = place.server(cloud, tls=make_certificates(tmp_path / "ours"))
    make_certificates(tmp_path / "theirs")
    (tmp_path / "theirs" / "ca.crt").write_bytes((tmp_path / "ours" / "ca.crt").read_bytes())
    server.start()
    try:
        for channel in (channel_to(server), channel_to(server, tmp_path / "theirs")):
            stub: Any = stub_of(channel)
            assert code(lambda s=stub: s.NodeGroups(pb.NodeGroupsRequest(), timeout=5)) is grpc.StatusCode.UNAVAILABLE
    finally:
        server.stop()


@pytest.mark.parametrize("address", ["0.0.0.0:0", "192.0.2.1:1", "example.org:1"])
def test_plain_text_stays_on_the_machine(place: Place, cloud: Cloud, address: str) -> None:
    with pytest.raises(Invalid, match="plain text"):
        place.server(cloud, address=address).start()


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:http", ":80", "127.0.0.1:65536"])
def test_a_wrong_address_is_told(place: Place, cloud: Cloud, address: str) -> None:
    with pytest.raises(Invalid, match="is no address"):
        place.server(cloud, address=address).start()


def test_the_message_says_why(stub: Any, place: Place) -> None:
    stub.NodeGroupIncreaseSize(pb.NodeGroupIncreaseSizeRequest(id="gpu", delta=1))
    until(lambda: len(place.log()) > 1)
    first, _, body = place.log()[0].partition("\n")
    assert first == "demo: autoscale gpu from 0 to 1"
    assert "demo-gpu-1 comes: 1 machine more: pods are pending that would fit on it" in body
    assert "\nAutoscale-Decision: " in body
    assert body.strip().endswith("gpu +1")
    stub.NodeGroupDeleteNodes(pb.NodeGroupDeleteNodesRequest(id="worker", nodes=[node("demo-worker-1")]))
    until(lambda: len(place.log()) > 2)
    assert "demo-worker-1 goes: idle: what runs there fits elsewhere" in place.log()[0]


def test_an_unknown_node_is_nobodys_and_no_error(stub: Any) -> None:
    for unknown in (node("other"), node("demo-cp-1"), node("demo-fixed-1"), node("demo-worker-1", "openstack:///else")):
        assert stub.NodeGroupForNode(pb.NodeGroupForNodeRequest(node=unknown)).nodeGroup.id == ""
    assert stub.NodeGroupForNode(pb.NodeGroupForNodeRequest(node=node("demo-worker-1", ""))).nodeGroup.id == "worker"


def test_an_instance_is_called_what_its_node_says(place: Place, cloud: Cloud) -> None:
    """A cloud controller in regional mode writes another providerID than ours (cloud-provider-openstack#1900)."""
    regional = f"openstack://RegionOne/{uuid_of('demo-worker-1')}"
    cloud.nodes["demo-worker-1"] = regional
    cloud.nodes["demo-worker-2"] = ""  # joined a moment ago
    with running(place.server(cloud)) as stub:
        assert instances(stub) == {regional: (1, 0), f"openstack:///{uuid_of('demo-worker-2')}": (1, 0)}
        found = stub.NodeGroupForNode(pb.NodeGroupForNodeRequest(node=node("demo-worker-1", regional)))
        assert found.nodeGroup.id == "worker"


def test_bounds_are_kept(stub: Any, place: Place) -> None:
    def more(delta: int) -> None:
        stub.NodeGroupIncreaseSize(pb.NodeGroupIncreaseSizeRequest(id="worker", delta=delta))

    assert code(lambda: more(4)) is grpc.StatusCode.FAILED_PRECONDITION
    assert code(lambda: more(0)) is grpc.StatusCode.FAILED_PRECONDITION
    both = pb.NodeGroupDeleteNodesRequest(id="worker", nodes=[node("demo-worker-1"), node("demo-worker-2")])
    assert code(lambda: stub.NodeGroupDeleteNodes(both)) is grpc.StatusCode.FAILED_PRECONDITION
    assert code(lambda: target(stub, "fixed")) is grpc.StatusCode.NOT_FOUND
    assert target(stub) == 2
    assert len(place.log()) == 1


def test_deleting_is_of_the_chosen_ones_and_no_others(stub: Any, place: Place) -> None:
    wrong = pb.NodeGroupDeleteNodesRequest(id="worker", nodes=[node("demo-worker-1"), node("demo-cp-1")])
    assert code(lambda: stub.NodeGroupDeleteNodes(wrong)) is grpc.StatusCode.NOT_FOUND
    right = pb.NodeGroupDeleteNodesRequest(id="worker", nodes=[node("demo-worker-1")])
    for _ in range(3):  # asked again, it is as decided
        stub.NodeGroupDeleteNodes(right)
    assert target(stub) == 1
    assert instances(stub)[f"openstack:///{uuid_of('demo-worker-1')}"] == (3, 0)
    until(lambda: len(place.log()) > 1 and place.file() == {"worker": [2]})
    assert len(place.log()) == 2


def test_a_number_is_not_handed_out_again(stub: Any, place: Place, cloud: Cloud) -> None:
    stub.NodeGroupDeleteNodes(pb.NodeGroupDeleteNodesRequest(id="worker", nodes=[node("demo-worker-2")]))
    stub.NodeGroupIncreaseSize(pb.NodeGroupIncreaseSizeRequest(id="worker", delta=1))
    until(lambda: len(place.log()) > 1 and place.file() == {"worker": [1, 3]})
    assert instances(stub)[f"openstack:///{uuid_of('demo-worker-2')}"] == (3, 0)


def test_a_decrease_never_takes_what_is_there(stub: Any, place: Place, cloud: Cloud) -> None:
    def less(delta: int) -> None:
        stub.NodeGroupDecreaseTargetSize(pb.NodeGroupDecreaseTargetSizeRequest(id="worker", delta=delta))

    assert code(lambda: less(-1)) is grpc.StatusCode.FAILED_PRECONDITION
    assert code(lambda: less(1)) is grpc.StatusCode.FAILED_PRECONDITION
    stub.NodeGroupIncreaseSize(pb.NodeGroupIncreaseSizeRequest(id="worker", delta=2))
    cloud.boot("demo-worker-4", joined=False)
    until(lambda: f"openstack:///{uuid_of('demo-worker-4')}" in instances(stub))
    assert code(lambda: less(-2)) is grpc.StatusCode.FAILED_PRECONDITION
    less(-1)
    until(lambda: place.log()[0].startswith("demo: autoscale") and place.file() == {"worker": [1, 2, 4]})


def test_states_are_told_as_they_are(stub: Any, cloud: Cloud) -> None:
    stub.NodeGroupIncreaseSize(pb.NodeGroupIncreaseSizeRequest(id="worker", delta=3))
    cloud.boot("demo-worker-3", joined=False, status="BUILD")
    cloud.boot("demo-worker-4", joined=False, status="ERROR", fault="No valid host was found.")
    cloud.boot("demo-worker-5", joined=False, status="ERROR", fault="Image is unacceptable")
    expected = {"demo-worker-1": (1, 0), "demo-worker-2": (1, 0), "demo-worker-3": (2, 0), "demo-worker-4": (2, 1),
                "demo-worker-5": (2, 99)}  # fmt: skip
    until(lambda: instances(stub) == {f"openstack:///{uuid_of(n)}": said for n, said in expected.items()})


def test_a_quota_that_is_used_up_is_an_error_of_the_missing_machine(stub: Any, place: Place, cloud: Cloud) -> None:
    stub.NodeGroupIncreaseSize(pb.NodeGroupIncreaseSizeRequest(id="worker", delta=1))
    assert instances(stub)["openstack:///demo-worker-3"] == (2, 0)
    until(lambda: len(place.log()) > 1)
    cloud.failed_commit = _head(place)
    cloud.failure = "Error creating openstack_compute_instance_v2: Quota exceeded for instances"
    until(lambda: instances(stub)["openstack:///demo-worker-3"] == (2, 1))
    stub.NodeGroupIncreaseSize(pb.NodeGroupIncreaseSizeRequest(id="worker", delta=1))
    assert instances(stub)["openstack:///demo-worker-4"] == (2, 0)  # that run was not about this one
    gone = pb.ExternalGrpcNode(name="openstack:///demo-worker-3", providerID="openstack:///demo-worker-3")
    stub.NodeGroupDeleteNodes(pb.NodeGroupDeleteNodesRequest(id="worker", nodes=[gone]))
    until(lambda: place.file() == {"worker": [1, 2, 4]})


def _head(place: Place) -> str:
    return _git("-C", place.remote, "rev-parse", "main").strip()


def test_an_empty_group_has_a_template(stub: Any) -> None:
    said = stub.NodeGroupTemplateNodeInfo(pb.NodeGroupTemplateNodeInfoRequest(id="gpu"))
    assert said.nodeInfo == said.nodeBytes
    made = node_pb2.Node.FromString(said.nodeBytes)
    assert {k: q.string for k, q in made.status.capacity.items()} == {
        "cpu": "8000m", "memory": f"{64 << 20}Ki", "ephemeral-storage": f"{100 << 20}Ki", "pods": "110",
        "nvidia.com/gpu": "2",
    }  # fmt: skip
    assert {k: q.string for k, q in made.status.allocatable.items()} == {
        "cpu": "7400m",
        "memory": f"{(64 << 20) - (256 + 512 + 100) * 1024}Ki",
        "ephemeral-storage": f"{int((100 << 20) * 0.9) - 1000 * 1024}Ki",
        "pods": "110",
        "nvidia.com/gpu": "2",
    }
    assert made.metadata.labels["research.moc/node-group"] == "gpu"
    assert made.metadata.labels["research.moc/gpu"] == "a100"
    assert [(t.key, t.value, t.effect) for t in made.spec.taints] == [("gpu", "yes", "NoSchedule")]
    assert [(c.type, c.status) for c in made.status.conditions] == [("Ready", "True")]


@pytest.mark.parametrize("group", ["worker", "gpu", "nobodys"])
def test_options_are_never_answered(stub: Any, group: str) -> None:
    """Of what an answer leaves out, Cluster Autoscaler makes nothing at all; without one, its own flags count."""
    asked = pb.NodeGroupAutoscalingOptionsRequest(id=group, defaults=pb.NodeGroupAutoscalingOptions())
    assert code(lambda: stub.NodeGroupGetOptions(asked)) is grpc.StatusCode.UNIMPLEMENTED


def test_a_group_whose_flavor_has_gpus_says_so_by_itself(place: Place, cloud: Cloud) -> None:
    """Without the label a node without its device plugin counts as ready, and more nodes come."""
    place.edit("      labels: {research.moc/gpu: a100}\n", "")
    with running(place.server(cloud)) as stub:
        said = stub.NodeGroupTemplateNodeInfo(pb.NodeGroupTemplateNodeInfoRequest(id="gpu"))
        assert node_pb2.Node.FromString(said.nodeBytes).metadata.labels["research.moc/gpu"] == "true"
        assert list(stub.GetAvailableGPUTypes(pb.GetAvailableGPUTypesRequest()).gpuTypes) == ["true"]
        said = stub.NodeGroupTemplateNodeInfo(pb.NodeGroupTemplateNodeInfoRequest(id="worker"))
        assert "research.moc/gpu" not in node_pb2.Node.FromString(said.nodeBytes).metadata.labels


def test_a_group_whose_machine_was_given_up_backs_off(stub: Any, place: Place, cloud: Cloud) -> None:
    """Cluster Autoscaler backs off from when a scale-up timed out, which may be over when it gives the machine up: so
    an increase fails, which it counts. Other groups, and machines that were nodes, are none of it."""

    def more(group: str) -> None:
        stub.NodeGroupIncreaseSize(pb.NodeGroupIncreaseSizeRequest(id=group, delta=1))

    stub.NodeGroupDeleteNodes(pb.NodeGroupDeleteNodesRequest(id="worker", nodes=[node("demo-worker-1")]))
    more("worker")
    cloud.boot("demo-worker-3", joined=False)
    until(lambda: f"openstack:///{uuid_of('demo-worker-3')}" in instances(stub))
    stub.NodeGroupDeleteNodes(pb.NodeGroupDeleteNodesRequest(id="worker", nodes=[node("demo-worker-3")]))
    assert code(lambda: more("worker")) is grpc.StatusCode.FAILED_PRECONDITION
    more("gpu")
    stub.NodeGroupDecreaseTargetSize(pb.NodeGroupDecreaseTargetSizeRequest(id="gpu", delta=-1))
    assert code(lambda: more("gpu")) is grpc.StatusCode.FAILED_PRECONDITION
    assert (target(stub), target(stub, "gpu")) == (1, 0)


def test_what_goes_is_cordoned_at_once_and_what_stays_after_all_is_not(place: Place, cloud: Cloud) -> None:
    """Also by a server that starts anew: Cluster Autoscaler takes off its own marks then."""
    cordoned: list[set[str]] = []
    server = place.server(cloud, cordon=lambda names: cordoned.append(set(names)), poll=3600, proposal="autoscale/demo")
    with running(server) as stub:
        until(lambda: cordoned == [set()])
        stub.NodeGroupDeleteNodes(pb.NodeGroupDeleteNodesRequest(id="worker", nodes=[node("demo-worker-1")]))
        until(lambda: cordoned[-1] == {"demo-worker-1"}, 5)
        until(lambda: "autoscale/demo" in _branches(place))
    second: list[set[str]] = []
    with running(place.server(cloud, cordon=lambda names: second.append(set(names)), proposal="autoscale/demo")):
        until(lambda: second == [{"demo-worker-1"}])
        _git("-C", place.root / "seed", "push", "-q", "origin", ":autoscale/demo")  # somebody says no
        until(lambda: second[-1] == set())


def test_a_cordon_that_fails_is_told_once_and_tried_again(place: Place, cloud: Cloud) -> None:
    told, tries = list[str](), list[int]()

    def cordon(names: Collection[str]) -> None:
        if not names:
            return
        tries.append(len(names))
        if len(tries) < 3:
            raise Transient("no answer")

    with running(place.server(cloud, cordon=cordon, tell=told.append, poll=0.2)) as stub:
        stub.NodeGroupDeleteNodes(pb.NodeGroupDeleteNodesRequest(id="worker", nodes=[node("demo-worker-1")]))
        until(lambda: len(tries) == 3)
        until(lambda: "cordon: works again" in told)
    assert told.count("cordon: no answer") == 1


def _branches(place: Place) -> str:
    return _git("-C", place.remote, "branch")


def test_people_suspend_pin_and_move_the_bounds(stub: Any, place: Place) -> None:
    place.edit("      max: 5\n", "      max: 5\n      autoscaling: suspended\n")
    until(lambda: [g.id for g in stub.NodeGroups(pb.NodeGroupsRequest()).nodeGroups] == ["gpu"])
    assert stub.NodeGroupForNode(pb.NodeGroupForNodeRequest(node=node("demo-worker-1"))).nodeGroup.id == ""
    place.edit("      max: 5\n      autoscaling: suspended\n", "      max: 2\n")
    place.edit("      min: 1\n", "      min: 2\n")
    until(
        lambda: (
            [(g.minSize, g.maxSize) for g in stub.NodeGroups(pb.NodeGroupsRequest()).nodeGroups if g.id != "gpu"]
            == [(2, 2)]
        )
    )
    asked = pb.NodeGroupIncreaseSizeRequest(id="worker", delta=1)
    assert code(lambda: stub.NodeGroupIncreaseSize(asked)) is grpc.StatusCode.FAILED_PRECONDITION


def test_a_cloud_that_does_not_answer_is_not_an_empty_one(place: Place, cloud: Cloud) -> None:
    cloud.down = Transient("down")
    with running(place.server(cloud)) as stub:
        assert len(stub.NodeGroups(pb.NodeGroupsRequest()).nodeGroups) == 2
        assert code(lambda: instances(stub)) is grpc.StatusCode.UNAVAILABLE
        asked = pb.NodeGroupDecreaseTargetSizeRequest(id="worker", delta=-1)
        assert code(lambda: stub.NodeGroupDecreaseTargetSize(asked)) is grpc.StatusCode.FAILED_PRECONDITION
        cloud.down = None
        until(lambda: cloud.calls > 1 and _answers(stub))
        assert len(instances(stub)) == 2
        cloud.down = Transient("down")
        until(lambda: cloud.calls > 4)
        assert len(instances(stub)) == 2


def test_a_cluster_whose_api_does_not_answer_is_not_one_without_nodes(place: Place, cloud: Cloud) -> None:
    """Instances told without their nodes' names would be deleted as machines that never joined. An empty group has
    none: the first cluster comes from zero."""
    cloud.apart, told = True, list[str]()
    with running(place.server(cloud, tell=told.append)) as stub:
        assert code(lambda: instances(stub)) is grpc.StatusCode.UNAVAILABLE
        assert "nodes: no answer" in told
        assert instances(stub, "gpu") == {}
        stub.NodeGroupIncreaseSize(pb.NodeGroupIncreaseSizeRequest(id="gpu", delta=1))
        assert instances(stub, "gpu") == {"openstack:///demo-gpu-1": (2, 0)}
        cloud.apart = False
        until(lambda: _answers(stub))
        assert instances(stub) == {f"openstack:///{uuid_of(f'demo-worker-{n}')}": (1, 0) for n in (1, 2)}
        cloud.apart, before = True, cloud.calls
        until(lambda: cloud.calls > before + 2)
        assert instances(stub) == {f"openstack:///{uuid_of(f'demo-worker-{n}')}": (1, 0) for n in (1, 2)}


def _answers(stub: Any) -> bool:
    try:
        return bool(instances(stub))
    except grpc.RpcError:
        return False
