"""The autoscaler's wire contract, byte for byte: what each release of Cluster Autoscaler sends, and what it can read.

The bytes were put together from the contract's field numbers, a tag and a length at a time, not by our own code: a tag
is the field's number times eight plus 0 for a number, 1 for a double, 2 for what has a length.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc_tools import protoc

from reconciler.serve.autoscaler.service import Service, _node
from reconciler.serve.autoscaler.template import Template
from reconciler.serve.autoscaler.wire import externalgrpc_pb2 as pb

PROJECT = Path(__file__).resolve().parents[2]
KNOWN = Path(protoc.__file__).with_name("_proto")  # Google's own messages
WIRE = PROJECT / "reconciler" / "serve" / "autoscaler" / "wire"


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def text(field: int, value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(data)) + data


def whole(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value & (1 << 64) - 1)


def old(field: int, seconds: int) -> bytes:
    """Kubernetes' own Duration: nanoseconds in field 1."""
    return text(field, whole(1, seconds * 10**9))


def new(field: int, seconds: int) -> bytes:
    """google.protobuf.Duration: seconds in field 1."""
    return text(field, whole(1, seconds))


HALF = bytes.fromhex("000000000000e03f")  # 0.5 as a little-endian double
THRESHOLDS = b"\x09" + HALF + b"\x11" + HALF
NODE = (
    text(1, "openstack:///u")
    + text(2, "n")
    + text(3, text(1, "k") + text(2, "v"))
    + text(4, text(1, "a") + text(2, "b"))
)

GOLDEN: list[tuple[Message, bytes]] = [
    (pb.NodeGroup(id="g", minSize=1, maxSize=5, debug="d"), bytes.fromhex("0a0167 1001 1805 220164")),
    (
        pb.ExternalGrpcNode(providerID="openstack:///u", name="n", labels={"k": "v"}, annotations={"a": "b"}),
        bytes.fromhex("0a0e6f70656e737461636b3a2f2f2f75 12016e 1a060a016b120176 22060a0161120162"),
    ),
    (pb.NodeGroupsResponse(nodeGroups=[pb.NodeGroup(id="g")]), bytes.fromhex("0a030a0167")),
    (pb.NodeGroupForNodeRequest(node=pb.ExternalGrpcNode(name="n")), bytes.fromhex("0a0312016e")),
    (pb.NodeGroupForNodeResponse(nodeGroup=pb.NodeGroup(id="g")), bytes.fromhex("0a030a0167")),
    (pb.NodeGroupForNodeResponse(nodeGroup=pb.NodeGroup()), bytes.fromhex("0a00")),
    (pb.GPULabelResponse(label="l"), bytes.fromhex("0a016c")),
    (pb.NodeGroupTargetSizeRequest(id="g"), bytes.fromhex("0a0167")),
    (pb.NodeGroupTargetSizeResponse(targetSize=3), bytes.fromhex("0803")),
    (pb.NodeGroupIncreaseSizeRequest(delta=2, id="g"), bytes.fromhex("0802 120167")),
    (pb.NodeGroupDeleteNodesRequest(nodes=[pb.ExternalGrpcNode(name="n")], id="g"), bytes.fromhex("0a0312016e 120167")),
    (pb.NodeGroupDecreaseTargetSizeRequest(delta=-1, id="g"), bytes.fromhex("08ffffffffffffffffff01 120167")),
    (pb.NodeGroupNodesRequest(id="g"), bytes.fromhex("0a0167")),
    (
        pb.NodeGroupNodesResponse(
            instances=[
                pb.Instance(
                    id="i",
                    status=pb.InstanceStatus(
                        instanceState=pb.InstanceStatus.instanceCreating,
                        errorInfo=pb.InstanceErrorInfo(errorCode="c", errorMessage="m", instanceErrorClass=99),
                    ),
                )
            ]
        ),
        bytes.fromhex("0a11 0a0169 120c 0802 1208 0a0163 12016d 1863"),
    ),
    (pb.NodeGroupTemplateNodeInfoRequest(id="g"), bytes.fromhex("0a0167")),
    (pb.NodeGroupTemplateNodeInfoResponse(nodeInfo=b"x", nodeBytes=b"x"), bytes.fromhex("0a0178 120178")),
    (pb.PricingNodePriceResponse(price=0.5), b"\x09" + HALF),
    (pb.PricingPodPriceResponse(price=0.5), b"\x09" + HALF),
]


@pytest.mark.parametrize(("message", "wire"), GOLDEN, ids=[type(m).__name__ for m, _ in GOLDEN])
def test_each_message_is_these_bytes(message: Message, wire: bytes) -> None:
    assert message.SerializeToString(deterministic=True) == wire
    assert type(message).FromString(wire) == message


def test_states_and_names() -> None:
    states = pb.InstanceStatus.InstanceState.items()
    assert dict(states) == {"unspecified": 0, "instanceRunning": 1, "instanceCreating": 2, "instanceDeleting": 3}
    service = pb.DESCRIPTOR.services_by_name["CloudProvider"]
    assert service.full_name == "clusterautoscaler.cloudprovider.v1.externalgrpc.CloudProvider"
    plain = {"NodeGroups", "NodeGroupForNode", "PricingNodePrice", "PricingPodPrice", "GPULabel",
             "GetAvailableGPUTypes", "Cleanup", "Refresh", "NodeGroupTargetSize", "NodeGroupIncreaseSize",
             "NodeGroupDeleteNodes", "NodeGroupDecreaseTargetSize", "NodeGroupNodes",
             "NodeGroupTemplateNodeInfo"}  # fmt: skip
    methods = {m.name: (m.input_type.name, m.output_type.name) for m in service.methods}
    assert methods == {
        **{name: (f"{name}Request", f"{name}Response") for name in plain},
        "NodeGroupGetOptions": ("NodeGroupAutoscalingOptionsRequest", "NodeGroupAutoscalingOptionsResponse"),
    }


def test_gpu_types_and_prices() -> None:
    made = pb.GetAvailableGPUTypesResponse()
    made.gpuTypes["t"].SetInParent()
    assert made.SerializeToString() == bytes.fromhex("0a05 0a0174 1200")
    asked = pb.PricingNodePriceRequest.FromString(text(1, NODE) + new(4, 7) + new(5, 8))
    assert (asked.node.name, asked.startTimestamp.seconds, asked.endTimestamp.seconds) == ("n", 7, 8)
    pod = pb.PricingPodPriceRequest.FromString(text(4, b"pod") + new(5, 7) + new(6, 8))
    assert (pod.pod_bytes, pod.startTimestamp.seconds, pod.endTimestamp.seconds) == (b"pod", 7, 8)


# What each release sends in NodeGroupGetOptions, and what of the answer it reads: the fields of durations.
LAYOUTS = {
    "1.33": THRESHOLDS + old(3, 600) + old(4, 1200) + old(5, 900) + whole(6, 1) + whole(7, 1),
    "1.34": THRESHOLDS + old(3, 600) + old(4, 1200) + old(5, 900) + whole(6, 1) + whole(7, 1)
            + new(8, 600) + new(9, 1200) + new(10, 900),
    "1.35": THRESHOLDS + whole(6, 1) + whole(7, 1) + new(8, 600) + new(9, 1200) + new(10, 900),
    "1.36": THRESHOLDS + whole(6, 1) + whole(7, 1) + new(8, 600) + new(9, 1200) + new(10, 900) + new(11, 60)
            + whole(12, 1),
    "to come": THRESHOLDS + whole(6, 1) + new(8, 600) + new(9, 1200) + new(10, 900) + text(99, "x"),
}  # fmt: skip


@pytest.mark.parametrize("release", LAYOUTS)
def test_options_are_answered_in_no_layout(release: str) -> None:
    """Since 1.35 any answer leaves out the time a node may take to start: then each new one is broken at once."""
    asked = pb.NodeGroupAutoscalingOptionsRequest.FromString(text(1, "g") + text(2, LAYOUTS[release]))
    context = _Context()
    with pytest.raises(_Ended):
        _service().NodeGroupGetOptions(asked, context)
    assert context.code is grpc.StatusCode.UNIMPLEMENTED


def test_a_template_in_each_layout() -> None:
    """Up to 1.33 a message in field 1, from 1.35 on bytes in field 2: the same on the wire, and both are there."""
    given = Template("t", {"k": "v"}, (("key", "value", "NoSchedule"),), {"cpu": "4"}, {"cpu": "3"})
    node = _node(given).SerializeToString(deterministic=True)
    metadata = text(1, "t") + text(11, text(1, "k") + text(2, "v"))
    taint = text(1, "key") + text(2, "value") + text(3, "NoSchedule")
    capacity = text(1, text(1, "cpu") + text(2, text(1, "4")))
    allocatable = text(2, text(1, "cpu") + text(2, text(1, "3")))
    condition = text(4, text(1, "Ready") + text(2, "True"))
    assert node == text(1, metadata) + text(2, text(5, taint)) + text(3, capacity + allocatable + condition)
    made = pb.NodeGroupTemplateNodeInfoResponse(nodeInfo=node, nodeBytes=node)
    assert made.SerializeToString() == text(1, node) + text(2, node)


class _Ended(Exception):
    """A call was answered with an error."""


class _Context:
    code: grpc.StatusCode | None = None

    def abort(self, code: grpc.StatusCode, _: str) -> None:
        self.code = code
        raise _Ended


def _service() -> Any:
    class Desk:
        outlook = type("Seen", (), {"groups": {"g": object()}})

    return Service(Desk())  # type: ignore[arg-type]


def test_the_committed_code_is_what_the_contract_compiles_to(tmp_path: Path) -> None:
    """`make proto` makes it anew."""
    for name, calls in (("externalgrpc", True), ("node", False)):
        place = WIRE.relative_to(PROJECT) / f"{name}.proto"
        out = [
            f"--python_out={tmp_path}",
            f"--pyi_out={tmp_path}",
            *([f"--grpc_python_out={tmp_path}"] if calls else []),
        ]
        assert protoc.main(["protoc", f"-I{PROJECT}", f"-I{KNOWN}", *out, str(PROJECT / place)]) == 0
    made = {file.name: file.read_text() for file in tmp_path.rglob("*.py*")}
    assert made == {name: (WIRE / name).read_text() for name in made}
    assert len(made) == 5
