"""Playbooks with Kubespray's entry points and inventory contract, for machines that have no kernel of their own."""

from __future__ import annotations

from pathlib import Path

PLAYBOOKS = Path(__file__).parent
"""The folder to give to the reconciler as if it were a checkout of Kubespray."""
