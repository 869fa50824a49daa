"""Which kinds belong to no namespace, and which to one, as far as git knows: the servers' own, and those it defines
itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

# Kinds by API group and name: another group may have a kind of the same name that is in namespaces.
Scoped: TypeAlias = frozenset[tuple[str, str]]

_DEFINITION = ("apiextensions.k8s.io", "CustomResourceDefinition")
_BY_GROUP = {
    "": ("Namespace", "Node", "PersistentVolume"),
    "admissionregistration.k8s.io": (
        *("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
        *("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"),
        *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
    ),
    "apiextensions.k8s.io": ("CustomResourceDefinition",),
    "apiregistration.k8s.io": ("APIService",),
    "authorization.openshift.io": ("ClusterRole", "ClusterRoleBinding"),
    "cert-manager.io": ("ClusterIssuer",),
    "certificates.k8s.io": ("CertificateSigningRequest",),
    "flowcontrol.apiserver.k8s.io": ("FlowSchema", "PriorityLevelConfiguration"),
    "gateway.networking.k8s.io": ("GatewayClass",),
    "networking.k8s.io": ("IngressClass",),
    "node.k8s.io": ("RuntimeClass",),
    "project.openshift.io": ("Project",),
    "rbac.authorization.k8s.io": ("ClusterRole", "ClusterRoleBinding"),
    "resource.k8s.io": ("DeviceClass",),
    "scheduling.k8s.io": ("PriorityClass",),
    "security.openshift.io": ("SecurityContextConstraints",),
    "snapshot.storage.k8s.io": ("VolumeSnapshotClass", "VolumeSnapshotContent"),
    "storage.k8s.io": ("StorageClass", "VolumeAttachment", "VolumeAttributesClass", "CSIDriver", "CSINode"),
}
_WITHIN = {
    "": (
        *("ConfigMap", "Endpoints", "Event", "LimitRange", "PersistentVolumeClaim", "Pod", "PodTemplate"),
        *("ReplicationController", "ResourceQuota", "Secret", "Service", "ServiceAccount"),
    ),
    "apps": ("ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"),
    "apps.openshift.io": ("DeploymentConfig",),
    "autoscaling": ("HorizontalPodAutoscaler",),
    "batch": ("CronJob", "Job"),
    "build.openshift.io": ("Build", "BuildConfig"),
    "cert-manager.io": ("Certificate", "CertificateRequest", "Issuer"),
    "coordination.k8s.io": ("Lease",),
    "discovery.k8s.io": ("EndpointSlice",),
    "events.k8s.io": ("Event",),
    "gateway.networking.k8s.io": (
        *("Gateway", "GRPCRoute", "HTTPRoute", "ReferenceGrant", "TCPRoute", "TLSRoute", "UDPRoute"),
    ),
    "image.openshift.io": ("ImageStream", "ImageStreamTag"),
    "monitoring.coreos.com": (
        *("Alertmanager", "AlertmanagerConfig", "PodMonitor", "Probe", "Prometheus", "PrometheusRule"),
        *("ServiceMonitor", "ThanosRuler"),
    ),
    "networking.k8s.io": ("Ingress", "NetworkPolicy"),
    "policy": ("PodDisruptionBudget",),
    "rbac.authorization.k8s.io": ("Role", "RoleBinding"),
    "resource.k8s.io": ("ResourceClaim", "ResourceClaimTemplate"),
    "route.openshift.io": ("Route",),
    "snapshot.storage.k8s.io": ("VolumeSnapshot",),
    "storage.k8s.io": ("CSIStorageCapacity",),
}


def _kinds(by_group: Mapping[str, tuple[str, ...]]) -> Scoped:
    return frozenset((group, kind) for group, kinds in by_group.items() for kind in kinds)


BUILT_IN: Scoped = _kinds(_BY_GROUP)
NAMESPACED: Scoped = _kinds(_WITHIN)


def kind_of(manifest: Mapping[str, Any]) -> tuple[str, str]:
    """An object's kind with its API group, whatever the version."""
    return manifest["apiVersion"].rpartition("/")[0], manifest["kind"]


def defined(manifests: Iterable[Mapping[str, Any]], scope: Literal["Cluster", "Namespaced"] = "Cluster") -> Scoped:
    """The kinds of a scope, those without namespaces, that definitions among `manifests` bring."""
    specs = [m.get("spec") for m in manifests if kind_of(m) == _DEFINITION]
    there = [s for s in specs if isinstance(s, dict) and s.get("scope") == scope]
    named = [(s.get("group"), s["names"].get("kind")) for s in there if isinstance(s.get("names"), dict)]
    return frozenset((str(group), str(kind)) for group, kind in named)
