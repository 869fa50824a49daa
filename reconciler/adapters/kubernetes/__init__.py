"""The Kubernetes port on the official client: any kind, as plain dicts, on Kubernetes and on OpenShift."""

from .api import KubernetesApi

__all__ = ["KubernetesApi"]
