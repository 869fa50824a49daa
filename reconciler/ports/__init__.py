"""What the reconciler needs from the world, as Protocols: adapters implement them, tests stand in for them."""

from .backups import BackupStore, Cipher
from .cloud import Cloud, CloudSnapshot, Feed, Touched
from .forge import Boundaries, Boundary, Comment, Forge, Issue, PullRequest, Standing
from .git import (
    LEASE_NUMBER,
    OBSERVED_AT,
    RECORD_BYTES,
    Branches,
    Change,
    Files,
    Followed,
    Leases,
    Repository,
    Snapshot,
)
from .kubernetes import Allowance, Api, Comparison, Gate, Kubernetes, Watcher, as_it_is
from .kubespray import Kubespray, Logins, Machines, Place, Playbook
from .manifests import Archive, Helm, Kustomize, Manifest, Rendering, goes_when_done
from .progress import Progress, Task
from .terraform import Backend, Ids, Terraform, Workspace

__all__ = [
    "LEASE_NUMBER",
    "OBSERVED_AT",
    "RECORD_BYTES",
    "Allowance",
    "Api",
    "Archive",
    "Backend",
    "BackupStore",
    "Boundaries",
    "Boundary",
    "Branches",
    "Change",
    "Cipher",
    "Cloud",
    "CloudSnapshot",
    "Comment",
    "Comparison",
    "Feed",
    "Files",
    "Followed",
    "Forge",
    "Gate",
    "Helm",
    "Ids",
    "Issue",
    "Kubernetes",
    "Kubespray",
    "Kustomize",
    "Leases",
    "Logins",
    "Machines",
    "Manifest",
    "Place",
    "Playbook",
    "Progress",
    "PullRequest",
    "Rendering",
    "Repository",
    "Snapshot",
    "Standing",
    "Task",
    "Terraform",
    "Touched",
    "Watcher",
    "Workspace",
    "as_it_is",
    "goes_when_done",
]
