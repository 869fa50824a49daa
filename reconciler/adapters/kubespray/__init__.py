"""Kubespray, run by ansible-runner: a private folder per cluster, live progress, failures that name their host."""

from .adapter import Kubespray
from .source import UPSTREAM, VERSION_FILE, Given, Release, Source

__all__ = ["UPSTREAM", "VERSION_FILE", "Given", "Kubespray", "Release", "Source"]
