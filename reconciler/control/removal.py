"""What remove-node.yml is told of the hosts that leave."""

from __future__ import annotations

from ..model.plan import Step
from .sight import Sight


def variables(step: Step, sight: Sight) -> dict[str, object]:
    """remove-node.yml's variables; a host that is gone can't be reset, and is removed all the same."""
    there = {s.name for s in sight.servers if s.fields.get("status") == "ACTIVE"}
    said: dict[str, object] = {"node": ",".join(step.targets), "skip_confirmation": True}
    if not set(step.targets) <= there:
        said |= {"reset_nodes": False, "allow_ungraceful_removal": True}
    return said
