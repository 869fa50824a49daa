"""What the reconciler needs from the world, as Protocols: adapters implement them, tests stand in for them."""

from .cloud import Cloud, CloudSnapshot, Feed, Touched
from .forge import Comment, Forge, Issue
from .git import RECORD_BYTES, Branches, Change, Files, Followed, Leases, Repository
from .kubernetes import Allowance, Api, Comparison, Kubernetes, Watcher
from .kubespray import Kubespray, Playbook
from .manifests import Archive, Helm, Kustomize, Manifest, Rendering
from .progress import Progress, Task
from .terraform import Backend, Ids, Terraform, Workspace

__all__ = [
    "RECORD_BYTES",
    "Allowance",
    "Api",
    "Archive",
    "Backend",
    "Branches",
    "Change",
    "Cloud",
    "CloudSnapshot",
    "Comment",
    "Comparison",
    "Feed",
    "Files",
    "Followed",
    "Forge",
    "Helm",
    "Ids",
    "Issue",
    "Kubernetes",
    "Kubespray",
    "Kustomize",
    "Leases",
    "Manifest",
    "Playbook",
    "Progress",
    "Rendering",
    "Repository",
    "Task",
    "Terraform",
    "Touched",
    "Watcher",
    "Workspace",
]
