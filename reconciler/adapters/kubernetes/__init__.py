"""The Kubernetes port on the official client: any kind, as plain dicts, on Kubernetes and on OpenShift."""

from .api import KubernetesApi
from .watch import KubernetesWatches

__all__ = ["KubernetesApi", "KubernetesWatches"]
