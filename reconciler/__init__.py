"""GitOps for research clusters on OpenStack: desired state in git, reconciled with what is really there."""

__version__ = "0.1.0"
