"""OpenTofu or Terraform behind ports.Terraform: what is planned is checked, and that very plan is applied."""

from .folder import known
from .runner import Terraform

__all__ = ["Terraform", "known"]
