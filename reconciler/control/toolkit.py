"""Everything a cycle needs from the world, in one place: ports, folders and patience."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import Invalid
from ..model.guest import Guest
from ..model.login import Login
from ..model.quota import Quota
from ..ports import (
    BackupStore,
    Cipher,
    Cloud,
    Gate,
    Ids,
    Kubernetes,
    Kubespray,
    Machines,
    Progress,
    Repository,
    Terraform,
    as_it_is,
)
from ..spec.render.gpus import LABEL
from .lease import Terms
from .machine_lock import Neighbours


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a Kubernetes or OpenShift API. The file may not be there yet. `manager` is who applies there, as the
    API's own record of owners has it: on an OpenShift Terraform's provider, so that what it let go of is seen too."""

    kubeconfig: Path
    context: str | None = None
    manager: str = "reconciler"


def nowhere(to: str, cloud: str) -> BackupStore:
    """Where no settings say where backups are kept. Raises Invalid."""
    raise Invalid(f"there is no place for backups here ({to}, {cloud})", hint="name it in the settings: backups:")


@dataclass(frozen=True)
class Toolkit:
    """`state` is private to this repository; `openshift` names the targets of the settings; `terraform_state` reads
    the ids a state holds by address (None: no state there) and starts no program; `ready_seconds` is how long nodes
    may take to become Ready after a playbook; without `leases` a cluster is kept to one cycle on this machine only, and
    without `neighbours` to one of this folder.
    `kubeconfigs` is a folder with kubeconfigs for clusters whose API is not reached by the administrator's, which a
    playbook fetched here. `whisper` shows a line to whoever sits at a terminal, and to nothing that is kept. The
    factories are lazy: what a cycle doesn't use is never made. `ephemeral`: what is left on this machine is gone when
    we end. `sealing`: Terraform's state and plans are encrypted.
    `accept_rewrite`: the commit from which what was applied may be left out (`descent`); "" for none.
    `gate` says how kubeconfigs may be read. `login` is how a cloud is logged in to, settled; None where programs have
    ways of their own. `guests` are the pods that a drain of some nodes would evict; it raises what the port raises.
    `quota` asks what the project of a cloud may have; empty where nobody asks. `gpu_label` is the label of nodes with a
    GPU. `machines` are asked over SSH for what this machine lacks. `backup_store` is where a cluster's snapshots of
    etcd are kept, by git's word for it and the cluster's cloud; it raises Invalid where the settings don't say;
    `cipher` is what they are encrypted by, None where the settings don't say."""

    repository: Repository
    cloud: Callable[[str], Cloud]
    kubernetes: Callable[[Access], Kubernetes]
    terraform: Callable[[], Terraform]
    terraform_state: Callable[[Path], Ids | None]
    kubespray: Kubespray
    machines: Machines
    openshift: Mapping[str, Access]
    progress: Progress
    state: Path
    environment: Mapping[str, str]
    ready_seconds: float = 180.0
    leases: Terms | None = None
    neighbours: Neighbours | None = None
    kubeconfigs: Path | None = None
    whisper: Callable[[str], None] = lambda _: None
    ephemeral: bool = False
    sealing: bool = False
    accept_rewrite: str = ""
    gate: Gate = as_it_is
    login: Callable[[str], Login | None] = lambda _: None
    guests: Callable[[Access, Collection[str]], tuple[Guest, ...]] = lambda _, __: ()
    quota: Callable[[str], Quota] = lambda _: {}
    gpu_label: str = LABEL
    backup_store: Callable[[str, str], BackupStore] = nowhere
    cipher: Cipher | None = None

    def workspace(self, cluster: str, name: str = "infrastructure") -> Path:
        """Where one of a cluster's Terraform runs keeps its state."""
        return self.state / cluster / name

    def api(self, cluster: str) -> Access:
        """The cluster's own API: by the kubeconfig that is given; without one, by the one that a playbook fetched here,
        an administrator's."""
        return Access(self.given(cluster) or self.kubespray.kubeconfig(cluster))

    def given(self, cluster: str) -> Path | None:
        """The kubeconfig somebody put there for this cluster: of the reconciler's own account, or where another machine
        installs it. None: none is there."""
        file = self.kubeconfigs / f"{cluster}.yaml" if self.kubeconfigs else None
        return file if file and file.exists() else None
