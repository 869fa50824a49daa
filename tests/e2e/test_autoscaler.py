"""Autoscaling through git, from zero and back: a client in the role of Cluster Autoscaler, and everything else real."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from reconciler.sandbox import gitops
from reconciler.serve.autoscaler.wire import externalgrpc_pb2 as pb
from reconciler.serve.autoscaler.wire import externalgrpc_pb2_grpc as pb_grpc
from reconciler.serve.autoscaler.wire import node_pb2
from reconciler.toolchain import Toolbox
from tests.contract.fleet import wait_until

from .world import PROJECT, World

pytestmark = pytest.mark.live

GROUP = """
    - name: burst
      count: 0
      min: 0
      max: 2
      flavor: m1.small
      taints: [{key: burst, effect: NoSchedule}]
"""
PODS = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "burst", "namespace": "default"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "burst"}},
        "template": {
            "metadata": {"labels": {"app": "burst"}},
            "spec": {
                "nodeSelector": {"research.moc/node-group": "burst"},
                "tolerations": [{"key": "burst", "operator": "Exists"}],
                "containers": [
                    {"name": "a", "image": "a", "resources": {"requests": {"cpu": "300m", "memory": "512Mi"}}}
                ],
                # one to a node, so that two machines are needed
                "affinity": {
                    "podAntiAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": [
                            {
                                "labelSelector": {"matchLabels": {"app": "burst"}},
                                "topologyKey": "kubernetes.io/hostname",
                            }
                        ]
                    }
                },
            },
        },
    },
}  # fmt: skip


@contextlib.contextmanager
def autoscaler(world: World, folder: Path) -> Iterator[Any]:
    """The server in a process of its own, with mutual TLS; a client of it."""
    log = folder / "serve.log"
    argv = [
        *world.command,
        "autoscaler",
        "serve",
        world.name,
        "--address",
        "127.0.0.1:0",
        "--certificates",
        str(folder),
    ]
    with log.open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out, cwd=PROJECT)
    try:
        wait_until(lambda: re.search(r"serving on \S+:(\d+)", log.read_text()) or process.poll(), 120, "the server")
        found = re.search(r"serving on \S+:(\d+)", log.read_text())
        assert found, log.read_text()
        authority, key, chain = ((folder / name).read_bytes() for name in ("ca.crt", "client.key", "client.crt"))
        credentials = grpc.ssl_channel_credentials(authority, key, chain)
        with grpc.secure_channel(f"127.0.0.1:{found[1]}", credentials) as channel:
            yield pb_grpc.CloudProviderStub(channel)  # type: ignore[no-untyped-call]
    finally:
        process.terminate()
        assert process.wait(60) == 0, log.read_text()


@pytest.fixture
def burst(world: World) -> Iterator[None]:
    """A group that is empty, and gone afterwards with all it had."""
    text = world.cluster_file.read_text()
    world.cluster_file.write_text(re.sub(r"(hub.jupyter.org/node-purpose: user.*\n)", rf"\1{GROUP[1:]}", text, count=1))
    world.commit("a group for bursts")
    try:
        yield
    finally:
        gitops.git("-C", world.repo, "pull", "--quiet", "--rebase", "origin", "main")
        world.cluster_file.write_text(text)
        (world.cluster_file.parent / "autoscale.yaml").unlink(missing_ok=True)
        world.commit("no bursts any more")
        with contextlib.suppress(subprocess.CalledProcessError):
            world.kubectl("delete", "deployment", "burst", "--ignore-not-found")
        said = reconcile(world)
        assert said == 0


def reconcile(world: World) -> int:
    said = world.reconciler("run", "--once", "--ref", "origin/main")
    assert said.code == 0, said.all
    return said.code


def names(world: World) -> set[str]:
    return {s.name for s in world.mischief().connection.compute.servers() if s.name.startswith(f"{world.name}-")}


def committed(world: World) -> list[int] | None:
    """The machines that git has for the group; None before the first decision."""
    try:
        said = yaml.safe_load(world.git("show", f"main:desired/{world.name}/autoscale.yaml"))
    except subprocess.CalledProcessError:
        return None
    found: list[int] = next(g["machines"] for g in said["spec"]["nodeGroups"] if g["name"] == "burst")
    return found


def pods(world: World) -> dict[str, str]:
    """Where each pod runs; nowhere for one that is pending."""
    found = json.loads(world.kubectl("get", "pods", "-l", "app=burst", "-o", "json"))["items"]
    return {p["metadata"]["name"]: p["spec"].get("nodeName", "") for p in found if p["status"]["phase"] != "Failed"}


def instances(stub: Any) -> dict[str, int]:
    found = stub.NodeGroupNodes(pb.NodeGroupNodesRequest(id="burst")).instances
    return {i.id: i.status.instanceState for i in found}


def node(world: World, name: str) -> dict[str, Any]:
    return dict(json.loads(world.kubectl("get", "node", name, "-o", "json")))


def test_from_zero_and_back(world: World, burst: None, toolbox: Toolbox, tmp_path: Path) -> None:
    said = world.reconciler("autoscaler", "certificates", str(tmp_path), "--host", "127.0.0.1")
    assert said.code == 0, said.all
    reconcile(world)
    manifest = tmp_path / "pods.yaml"
    manifest.write_text(yaml.safe_dump(PODS))
    world.kubectl("apply", "-f", str(manifest))
    wait_until(lambda: list(pods(world).values()) == ["", ""], 60, "two pending pods")
    before = names(world)
    world.lose_state()  # any machine can serve it

    with autoscaler(world, tmp_path) as stub:
        # what an empty group would make: from the flavor in Nova
        template = stub.NodeGroupTemplateNodeInfo(pb.NodeGroupTemplateNodeInfoRequest(id="burst"))
        capacity = node_pb2.Node.FromString(template.nodeBytes).status.capacity
        assert (capacity["cpu"].string, capacity["memory"].string) == ("1000m", f"{2 << 20}Ki")

        with pytest.raises(grpc.RpcError) as unanswered:
            stub.NodeGroupGetOptions(pb.NodeGroupAutoscalingOptionsRequest(id="burst"))
        assert unanswered.value.code() is grpc.StatusCode.UNIMPLEMENTED

        stub.NodeGroupIncreaseSize(pb.NodeGroupIncreaseSizeRequest(id="burst", delta=2))
        wait_until(lambda: committed(world) == [1, 2], 60, "the commit")
        assert "pods are pending" in world.git("log", "-1", "--format=%B", "main")
        plan = world.reconciler("plan", world.name, "--ref", "origin/main")
        reconcile(world)
        fresh = {f"{world.name}-burst-1", f"{world.name}-burst-2"}
        assert names(world) - before == fresh, plan.all
        assert set(pods(world).values()) == fresh
        running = {node(world, name)["spec"]["providerID"]: pb.InstanceStatus.instanceRunning for name in fresh}
        wait_until(lambda: instances(stub) == running, 60, "instances that match nodes")

        # one is idle: the chosen one goes, which is not the last
        world.kubectl("scale", "deployment", "burst", "--replicas=1")
        wait_until(lambda: len(pods(world)) == 1, 60, "one pod")
        (kept,) = pods(world).values()
        (idle,) = fresh - {kept}
        gone = pb.ExternalGrpcNode(name=idle, providerID=node(world, idle)["spec"]["providerID"])
        world.kubectl("taint", "node", idle, "ToBeDeletedByClusterAutoscaler=1:NoSchedule")
        stub.NodeGroupDeleteNodes(pb.NodeGroupDeleteNodesRequest(id="burst", nodes=[gone]))
        wait_until(lambda: node(world, idle)["spec"].get("unschedulable"), 60, "a cordon that outlives the mark")
        assert not node(world, kept)["spec"].get("unschedulable")
        wait_until(lambda: committed(world) == [int(kept[-1])], 60, "the commit")
        reconcile(world)
        assert names(world) - before == {kept}
        assert set(pods(world).values()) == {kept}
        nodes = json.loads(world.kubectl("get", "nodes", "-o", "json"))["items"]
        assert {n["metadata"]["name"] for n in nodes} == names(world)

        # and back to zero
        world.kubectl("delete", "deployment", "burst")
        gone = pb.ExternalGrpcNode(name=kept, providerID=node(world, kept)["spec"]["providerID"])
        stub.NodeGroupDeleteNodes(pb.NodeGroupDeleteNodesRequest(id="burst", nodes=[gone]))
        wait_until(lambda: committed(world) == [], 60, "the commit")
        reconcile(world)
        assert names(world) == before
        code, plan_said = world.tofu_plan(toolbox, "infrastructure")
        assert code == 0, plan_said
        wait_until(lambda: instances(stub) == {}, 60, "no instances")
