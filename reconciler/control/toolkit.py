"""Everything a cycle needs from the world, in one place: ports, folders and patience."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..ports import Cloud, Kubernetes, Kubespray, Progress, Repository, Terraform
from .lease import Terms


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a Kubernetes or OpenShift API. The file may not be there yet."""

    kubeconfig: Path
    context: str | None = None


@dataclass(frozen=True)
class Toolkit:
    """`state` is private to this repository; `openshift` names the targets of the settings; `terraform_state` reads
    the ids a state holds by address (None: no state there) and starts no program; `ready_seconds` is how long nodes
    may take to become Ready after a playbook; without `leases` a cluster is kept to one cycle on this machine only;
    `kubeconfigs` has the clusters whose API is reached by an account of the reconciler's own. `whisper` shows a line to
    whoever sits at a terminal, and to nothing that is kept. The factories are lazy: what a cycle doesn't use is never
    made."""

    repository: Repository
    cloud: Callable[[str], Cloud]
    kubernetes: Callable[[Access], Kubernetes]
    terraform: Callable[[], Terraform]
    terraform_state: Callable[[Path], Mapping[str, str] | None]
    kubespray: Kubespray
    openshift: Mapping[str, Access]
    progress: Progress
    state: Path
    environment: Mapping[str, str]
    ready_seconds: float = 180.0
    leases: Terms | None = None
    whisper: Callable[[str], None] = lambda _: None
    kubeconfigs: Mapping[str, Path] = field(default_factory=dict)

    def workspace(self, cluster: str, name: str = "infrastructure") -> Path:
        """Where one of a cluster's Terraform runs keeps its state."""
        return self.state / cluster / name

    def api(self, cluster: str) -> Access:
        """The cluster's own API: by the kubeconfig that the settings name, once it is there; else by the one that a
        playbook fetched, an administrator's."""
        named = self.kubeconfigs.get(cluster)
        return Access(named if named and named.exists() else self.kubespray.kubeconfig(cluster))
