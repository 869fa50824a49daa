"""Which fields controllers are known to set in objects that others made: what they do there is no drift. Data.

A row is about the managers, kinds and fields it names and about nothing else, so that a controller's name is no pass
for a container. More is said in git, by `spec.ignore`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from .books import Entry

# Any manager but people's: what several controllers do, each under a name of its own.
_ANY_CONTROLLER = ("*",)
_ANY_KIND = ("*",)
_PODS_OF = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "DeploymentConfig")
_CONTROLLER_MANAGER = ("kube-controller-manager",)
_CLOUD = (
    "cloud-controller-manager",
    "openstack-cloud-controller-manager",
    "kube-controller-manager",
    "*-cloud-controller*",
)
_OPENSHIFT = ("openshift-*", "cluster-*", "*-operator", "service-ca*", "olm*", "pod-security-admission-label-*")
_WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


@dataclass(frozen=True, slots=True)
class Row:
    """Who sets which fields of which kinds; `*` stands for anything in each of them. `source` says where that is
    written down. `people` says that the row holds for somebody at a keyboard, too."""

    source: str
    managers: tuple[str, ...]
    kinds: tuple[str, ...]
    fields: tuple[str, ...]
    people: bool = False


TABLE: tuple[Row, ...] = (
    Row(
        "kubectl rollout restart (kubectl, polymorphichelpers/objectrestarter.go): each time it is meant",
        ("*",),
        _ANY_KIND,
        ("spec.template.metadata.annotations.kubectl.kubernetes.io/restartedAt",),
        people=True,
    ),
    Row(
        "deployment controller (kubernetes, pkg/controller/deployment/util)",
        _CONTROLLER_MANAGER,
        ("Deployment", "ReplicaSet"),
        ("metadata.annotations.deployment.kubernetes.io/*",),
    ),
    Row(
        "volume binding and provisioning (kubernetes, pkg/controller/volume; component-helpers, storage/volume)",
        (*_CONTROLLER_MANAGER, "kube-scheduler", "csi-provisioner", "*-provisioner"),
        ("PersistentVolumeClaim",),
        (
            "spec.volumeName",
            "spec.storageClassName",
            "metadata.annotations.pv.kubernetes.io/*",
            "metadata.annotations.volume.kubernetes.io/*",
            "metadata.annotations.volume.beta.kubernetes.io/*",
        ),
    ),
    Row(
        "volume binding and attaching (kubernetes, pkg/controller/volume; external-provisioner, external-attacher)",
        (*_CONTROLLER_MANAGER, "csi-*", "*-provisioner", "*-attacher"),
        ("PersistentVolume",),
        ("spec.claimRef*", "metadata.annotations.pv.kubernetes.io/*", "metadata.annotations.volume.kubernetes.io/*"),
    ),
    Row(
        "job controller: which pods are a job's (kubernetes, pkg/controller/job)",
        _CONTROLLER_MANAGER,
        ("Job",),
        (
            "spec.selector*",
            "spec.template.metadata.labels.controller-uid",
            "spec.template.metadata.labels.job-name",
            "spec.template.metadata.labels.batch.kubernetes.io/*",
            "metadata.labels.batch.kubernetes.io/*",
            "metadata.annotations.batch.kubernetes.io/*",
        ),
    ),
    Row(
        "daemon set controller (kubernetes, pkg/controller/daemon)",
        _CONTROLLER_MANAGER,
        ("DaemonSet",),
        ("metadata.annotations.deprecated.daemonset.template.generation",),
    ),
    Row(
        "endpoints controllers, for a Service with a selector (kubernetes, pkg/controller/endpoint, endpointslice)",
        (*_CONTROLLER_MANAGER, "endpointslice-*"),
        ("Endpoints", "EndpointSlice"),
        (
            "subsets*",
            "endpoints*",
            "ports*",
            "metadata.annotations.endpoints.kubernetes.io/*",
            "metadata.labels.endpoints.kubernetes.io/*",
            "metadata.labels.service.kubernetes.io/*",
        ),
    ),
    Row(
        "service controllers: a load balancer's address and books (cloud-provider, controllers/service; metallb)",
        (*_CLOUD, "metallb*", "controller", "speaker", "kube-vip*", "cilium-operator*"),
        ("Service",),
        (
            "spec.loadBalancerIP",
            "metadata.annotations.loadbalancer.openstack.org/*",
            "metadata.annotations.service.kubernetes.io/*",
            "metadata.annotations.metallb.*",
            "metadata.annotations.kube-vip.io/*",
        ),
    ),
    Row(
        "namespace lifecycle (kubernetes, pkg/controller/namespace)",
        _CONTROLLER_MANAGER,
        ("Namespace",),
        ("spec.finalizers*", "metadata.labels.kubernetes.io/metadata.name"),
    ),
    Row(
        "OpenShift's projects: uid ranges and pod security labels (cluster-policy-controller; openshift-apiserver)",
        (*_OPENSHIFT, "*cluster-policy-controller*"),
        ("Namespace", "Project"),
        (
            "metadata.annotations.openshift.io/*",
            "metadata.annotations.security.openshift.io/*",
            "metadata.labels.pod-security.kubernetes.io/*",
            "metadata.labels.security.openshift.io/*",
            "metadata.labels.openshift-*",
        ),
    ),
    Row(
        "tokens and pull secrets of accounts (kubernetes, pkg/controller/serviceaccount; openshift-controller-manager)",
        (*_CONTROLLER_MANAGER, *_OPENSHIFT),
        ("ServiceAccount",),
        ("secrets*", "imagePullSecrets*", "metadata.annotations.openshift.io/*"),
    ),
    Row(
        "tokens of accounts as Secrets (kubernetes, pkg/controller/serviceaccount/tokens_controller.go)",
        _CONTROLLER_MANAGER,
        ("Secret",),
        ("data.token", "data.ca.crt", "data.namespace", "metadata.annotations.kubernetes.io/service-account.uid",
         "metadata.labels.kubernetes.io/legacy-token-*"),
    ),
    Row(
        "service CA and trust bundles (OpenShift service-ca-operator; cluster-network-operator)",
        ("service-ca*", "cluster-network-operator*", "network-operator*"),
        ("Secret", "ConfigMap"),
        ("data.*", "metadata.annotations.service.*openshift.io/*", "metadata.annotations.service.alpha.openshift.io/*"),
    ),
    Row(
        "aggregated rules (kubernetes, pkg/controller/clusterroleaggregation)",
        ("clusterrole-aggregation-controller", *_CONTROLLER_MANAGER),
        ("ClusterRole",),
        ("rules*",),
    ),
    Row(
        "certificates of webhooks, renewed by whoever serves them (cert-manager cainjector; kube-webhook-certgen)",
        _ANY_CONTROLLER,
        (*_WEBHOOKS, "CustomResourceDefinition", "APIService"),
        ("*caBundle",),
    ),
    Row(
        "definitions and aggregated APIs (apiextensions-apiserver; kube-aggregator)",
        ("kube-apiserver", *_CONTROLLER_MANAGER, "kube-aggregator*"),
        ("CustomResourceDefinition", "APIService"),
        ("spec.names*", "metadata.labels.kube-aggregator.kubernetes.io/*"),
    ),
    Row(
        "scheduler and kubelet (kubernetes, pkg/scheduler; pkg/kubelet)",
        ("kube-scheduler", "kubelet", *_CONTROLLER_MANAGER),
        ("Pod",),
        ("spec.nodeName", "metadata.annotations.kubernetes.io/config.*"),
    ),
    Row(
        "leaders of elections, who are anybody (client-go, tools/leaderelection)",
        _ANY_CONTROLLER,
        ("Lease",),
        ("spec.*",),
    ),
    Row(
        "older elections, in annotations (client-go, tools/leaderelection/resourcelock)",
        _ANY_CONTROLLER,
        ("ConfigMap", "Endpoints"),
        ("metadata.annotations.control-plane.alpha.kubernetes.io/leader",),
    ),
    Row(
        "Cluster Autoscaler's status (cluster-autoscaler, clusterstate/utils/status.go)",
        ("cluster-autoscaler",),
        ("ConfigMap",),
        ("data.status", "metadata.annotations.cluster-autoscaler.kubernetes.io/*"),
    ),
    Row(
        "image streams that move (OpenShift, image triggers)",
        ("openshift-controller-manager", "image-trigger-controller"),
        _PODS_OF,
        ("spec.template.spec.containers*image", "metadata.annotations.image.openshift.io/*"),
    ),
    Row(
        "what holds an object until its controller has tidied up, and whom it goes with (Kubernetes, Finalizers)",
        _ANY_CONTROLLER,
        _ANY_KIND,
        ("metadata.finalizers", "metadata.ownerReferences*"),
    ),
)  # fmt: skip


def known(kind: str, path: str, entry: Entry) -> bool:
    """Is what `entry` has at `path` a controller's own business? Through the scale subresource replicas are always
    set for others: an autoscaler does it, and people do instead of one."""
    if entry.subresource == "scale":
        return path.endswith("replicas")
    by_person = entry.owner.typed
    return any(
        _any(row.fields, path) and _any(row.kinds, kind) and _any(row.managers, entry.owner.manager)
        for row in TABLE
        if row.people or not by_person
    )


def _any(patterns: tuple[str, ...], text: str) -> bool:
    return any(_pattern(pattern).fullmatch(text) for pattern in patterns)


@lru_cache(maxsize=1024)
def _pattern(pattern: str) -> re.Pattern[str]:
    """Only a star is special: brackets stand for themselves in paths."""
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
