"""Which kinds belong to no namespace, as far as git knows: the servers' own, and those it defines itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

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
BUILT_IN: Scoped = frozenset((group, kind) for group, kinds in _BY_GROUP.items() for kind in kinds)


def kind_of(manifest: Mapping[str, Any]) -> tuple[str, str]:
    """An object's kind with its API group, whatever the version."""
    return manifest["apiVersion"].rpartition("/")[0], manifest["kind"]


def defined(manifests: Iterable[Mapping[str, Any]]) -> Scoped:
    """The kinds without namespaces that definitions among `manifests` bring."""
    specs = [m.get("spec") for m in manifests if kind_of(m) == _DEFINITION]
    without = [s for s in specs if isinstance(s, dict) and s.get("scope") == "Cluster"]
    named = [(s.get("group"), s["names"].get("kind")) for s in without if isinstance(s.get("names"), dict)]
    return frozenset((str(group), str(kind)) for group, kind in named)
