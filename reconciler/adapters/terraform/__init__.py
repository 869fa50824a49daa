"""OpenTofu or Terraform behind ports.Terraform: what is planned is checked, and that very plan is applied."""

from .runner import Terraform

__all__ = ["Terraform"]
