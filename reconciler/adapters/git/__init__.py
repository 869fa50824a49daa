"""The git repository: desired state read without starting a program, observed state written without a checkout, and
leases that several machines share."""

from .leases import GitLeases
from .repository import GitRepository
from .watching import RefWatch

__all__ = ["GitLeases", "GitRepository", "RefWatch"]
