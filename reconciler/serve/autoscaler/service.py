"""The fifteen calls of Cluster Autoscaler's external provider, each answered from memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

import grpc

from ...engine.autoscale import Refused, check_known, place
from ...errors import ReconcilerError
from ...model.autoscale import Group, Instance, Outlook
from ...model.desired import Cluster
from ...model.resource import Known, Resource
from ...spec.render.gpus import LABEL, labelled
from . import template
from .desk import Desk
from .wire import externalgrpc_pb2 as pb
from .wire import externalgrpc_pb2_grpc as pb_grpc
from .wire import node_pb2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Terms:
    """What is told of every group: `gpu_label` is the label of nodes with a GPU, `gpu_resource` what Kubernetes calls
    one."""

    gpu_label: str = LABEL
    gpu_resource: str = "nvidia.com/gpu"


@dataclass
class Service(pb_grpc.CloudProviderServicer):
    """`refresh` asks for a look at the cloud soon, and does not wait for it."""

    desk: Desk
    terms: Terms = field(default_factory=Terms)
    refresh: Callable[[], None] = lambda: None
    _listed: tuple[Outlook, Any] | None = field(default=None, init=False)

    # what there is

    def NodeGroups(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Never fails: Cluster Autoscaler takes an error for no groups at all."""
        seen = self.desk.outlook
        if self._listed is None or self._listed[0] is not seen:
            self._listed = seen, pb.NodeGroupsResponse(nodeGroups=[_group(g) for g in seen.groups.values()])
        return self._listed[1]

    def NodeGroupForNode(self, request: Any, context: grpc.ServicerContext) -> Any:
        """An unknown node is none of ours, and no error (kubernetes/autoscaler#10145)."""
        seen = self.desk.outlook
        found = place(seen, request.node.providerID, request.node.name)
        return pb.NodeGroupForNodeResponse(nodeGroup=_group(seen.groups[found[0]]) if found else pb.NodeGroup())

    def NodeGroupTargetSize(self, request: Any, context: grpc.ServicerContext) -> Any:
        return pb.NodeGroupTargetSizeResponse(targetSize=self._known(request.id, context).target)

    def NodeGroupNodes(self, request: Any, context: grpc.ServicerContext) -> Any:
        group = self._known(request.id, context)
        if not self.desk.outlook.known:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the cloud was not seen yet")
        if not self.desk.outlook.nodes_known and any(i.server for i in group.instances):
            context.abort(grpc.StatusCode.UNAVAILABLE, "the cluster's nodes were not seen yet")
        return pb.NodeGroupNodesResponse(instances=[_instance(i) for i in group.instances])

    def NodeGroupTemplateNodeInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._known(request.id, context)
        cluster, live = self._cluster(), self.desk.live
        group = next(g for g in cluster.spec.node_groups if g.name == request.id)
        flavor = live.flavors.get(group.flavor)
        if flavor is None:
            _end(context, grpc.StatusCode.UNAVAILABLE, f"flavor {group.flavor!r} was not seen yet")
        try:
            made = template.template(cluster, group, flavor, gpu=self.terms.gpu_resource)
        except ValueError as error:
            _end(context, grpc.StatusCode.FAILED_PRECONDITION, f"kubernetes.variables of {cluster.name}: {error}")
        node = _node(made).SerializeToString(deterministic=True)
        return pb.NodeGroupTemplateNodeInfoResponse(nodeInfo=node, nodeBytes=node)

    def NodeGroupGetOptions(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Never answered. Since release 1.35 one of the options has no field on the wire, so every answer sets it to
        nothing: then each new node counts as unready at once, and others come in its stead. The limits are flags
        (manifests/cluster-autoscaler), which `reconciler validate` compares with `provisionMinutes`."""
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "the limits are Cluster Autoscaler's own flags")

    def GPULabel(self, request: Any, context: grpc.ServicerContext) -> Any:
        return pb.GPULabelResponse(label=self.terms.gpu_label)

    def GetAvailableGPUTypes(self, request: Any, context: grpc.ServicerContext) -> Any:
        """What the groups call theirs, by their label."""
        groups = self._cluster().spec.node_groups
        types = {g.labels[self.terms.gpu_label] for g in groups if self.terms.gpu_label in g.labels}
        made = pb.GetAvailableGPUTypesResponse()
        for name in sorted(types):
            made.gpuTypes[name].SetInParent()
        return made

    # what is to be

    def NodeGroupIncreaseSize(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._ask(context, lambda: self.desk.increase(request.id, request.delta))
        return pb.NodeGroupIncreaseSizeResponse()

    def NodeGroupDeleteNodes(self, request: Any, context: grpc.ServicerContext) -> Any:
        nodes = [(node.providerID, node.name) for node in request.nodes]
        self._ask(context, lambda: self.desk.delete(request.id, nodes))
        return pb.NodeGroupDeleteNodesResponse()

    def NodeGroupDecreaseTargetSize(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._ask(context, lambda: self.desk.decrease(request.id, request.delta))
        return pb.NodeGroupDecreaseTargetSizeResponse()

    # what goes with it

    def Refresh(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.refresh()
        return pb.RefreshResponse()

    def Cleanup(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Cluster Autoscaler ends; this server goes on, and so does what was decided."""
        return pb.CleanupResponse()

    def PricingNodePrice(self, request: Any, context: grpc.ServicerContext) -> Any:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "a cloud of one's own has no prices")

    def PricingPodPrice(self, request: Any, context: grpc.ServicerContext) -> Any:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "a cloud of one's own has no prices")

    def _cluster(self) -> Cluster:
        """As people wrote it, with the label of nodes that have GPUs."""
        flavors = tuple(Resource("flavors", name, fields) for name, fields in self.desk.live.flavors.items())
        return labelled(self.desk.cluster, Known(flavors), Known(), self.terms.gpu_label)

    def _known(self, name: str, context: grpc.ServicerContext) -> Group:
        return self._ask(context, lambda: check_known(self.desk.outlook, name))

    def _ask(self, context: grpc.ServicerContext, what: Callable[[], T]) -> T:
        try:
            return what()
        except Refused as refused:
            code = grpc.StatusCode.NOT_FOUND if refused.missing else grpc.StatusCode.FAILED_PRECONDITION
            _end(context, code, str(refused))
        except ReconcilerError as error:
            _end(context, grpc.StatusCode.UNAVAILABLE, error.message)


def _end(context: grpc.ServicerContext, code: grpc.StatusCode, message: str) -> NoReturn:
    context.abort(code, message)
    raise AssertionError("abort returns to nobody")


def _group(group: Group) -> Any:
    return pb.NodeGroup(id=group.name, minSize=group.min, maxSize=group.max, debug=group.debug)


def _instance(instance: Instance) -> Any:
    status = pb.InstanceStatus(instanceState=int(instance.state))  # type: ignore[arg-type]
    if instance.error_code:
        status.errorInfo.errorCode = instance.error_code
        status.errorInfo.errorMessage = instance.error
        status.errorInfo.instanceErrorClass = int(instance.error_class)
    return pb.Instance(id=instance.id, status=status)


def _node(made: template.Template) -> Any:
    node = node_pb2.Node()
    node.metadata.name = made.name
    node.metadata.labels.update(made.labels)
    for key, value, effect in made.taints:
        node.spec.taints.add(key=key, value=value, effect=effect)
    for name, amount in made.capacity.items():
        node.status.capacity[name].string = amount
    for name, amount in made.allocatable.items():
        node.status.allocatable[name].string = amount
    node.status.conditions.add(type="Ready", status="True")
    return node
