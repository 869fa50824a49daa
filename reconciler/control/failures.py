"""What a failed step leaves to say and to do: Nova's own words beside Terraform's, and who goes on all the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..model.naming import FAULT
from ..model.outcome import StepOutcome
from ..model.plan import Step, Tool
from ..model.resource import Component
from .sight import Sight

_FEW = 3


def explained(outcome: StepOutcome, sight: Sight) -> StepOutcome:
    """The outcome, with what Nova says of servers that came to nothing: Terraform tells no more than that they did."""
    if outcome.ok or (outcome.step.component, outcome.step.tool) != (Component.INFRASTRUCTURE, Tool.TERRAFORM):
        return outcome
    faults = [f"{s.name}: {s.fields[FAULT]}" for s in sight.servers if s.fields.get(FAULT)]
    if not faults:
        return outcome
    more = f" (and {len(faults) - _FEW} more)" if len(faults) > _FEW else ""
    return replace(outcome, error=f"{outcome.error}; Nova says of {', of '.join(faults[:_FEW])}{more}")


def goes_on(failed: Step, phase: Sequence[Step]) -> bool:
    """Do the steps beside one that failed go on? What is deleted by its id, at the cloud, builds on nothing that
    Terraform should have made, and Terraform not on that."""
    infrastructure = all(step.component is Component.INFRASTRUCTURE for step in phase)
    return infrastructure and failed.tool in (Tool.TERRAFORM, Tool.OPENSTACK)
