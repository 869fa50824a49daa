"""OpenTofu or Terraform behind ports.Terraform: what is planned is checked, and that very plan is applied."""

from .encryption import Encryption
from .folder import known
from .runner import Terraform

__all__ = ["Encryption", "Terraform", "known"]
