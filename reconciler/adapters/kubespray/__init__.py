"""Kubespray, run by ansible-runner: a private folder per cluster, live progress, failures that name their host."""

from .adapter import Kubespray

__all__ = ["Kubespray"]
