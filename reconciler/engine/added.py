"""How bad it is that somebody added a field to an object of ours, by what the field is: a container runs what nobody
reviewed, an annotation mostly says something."""

from __future__ import annotations

import re

from ..model.change import Severity
from ..model.resource import Value

# Kinds whose every field says who may do what.
_ACCESS = (
    *("ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding", "NetworkPolicy", "APIService"),
    *("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
    *("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"),
    *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
    *("SecurityContextConstraints", "CertificateSigningRequest"),
)
_NAMES_ONLY = re.compile(r"metadata\.(annotations|labels|finalizers|ownerReferences)\b.*")
# What a namespace's label decides: which pods are let in there at all.
_POD_SECURITY = re.compile(r"metadata\.labels\.pod-security\.kubernetes\.io/enforce.*")

_CRITICAL = re.compile(
    r"(.*\.)?("
    r"hostNetwork|hostPID|hostIPC|privileged|hostPath(\..*)?|externalIPs|externalName"
    r"|capabilities\.add|procMount|webhooks?\b.*"
    r")"
)
_HIGH = re.compile(
    r"(.*\.)?("
    r"(containers|initContainers|ephemeralContainers)\[[^\]]*\]\.(name|image|command|args|lifecycle\..*|envFrom.*"
    r"|volumeMounts.*|volumeDevices.*)"
    r"|hostPort|securityContext\..*|serviceAccountName|serviceAccount|automountServiceAccountToken|hostAliases.*"
    r"|volumes\[.*|nodePort|healthCheckNodePort|loadBalancer.*|rules\b.*|tls\b.*|defaultBackend.*|subsets.*"
    r"|imagePullSecrets.*|secrets\b.*|runtimeClassName|caBundle"
    r")"
)
_DATA = {"Secret": Severity.HIGH, "ConfigMap": Severity.MEDIUM}
_SERVICE_OPEN = ("NodePort", "LoadBalancer", "ExternalName")


def added_severity(kind: str, field: str, value: Value) -> Severity:
    """`field` is the path of what was added to an object of `kind`, `value` what stands there."""
    if _NAMES_ONLY.fullmatch(field):
        return Severity.HIGH if _POD_SECURITY.fullmatch(field) else Severity.LOW
    if kind in _ACCESS:
        return Severity.CRITICAL
    if kind in _DATA:  # a key may be called anything
        return _DATA[kind]
    if value is not False and _CRITICAL.fullmatch(field):
        return Severity.CRITICAL
    opens = kind == "Service" and field == "spec.type" and value in _SERVICE_OPEN
    return Severity.HIGH if opens or _HIGH.fullmatch(field) else Severity.MEDIUM
