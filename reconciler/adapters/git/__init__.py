"""The git repository: desired state read without starting a program, observed state written without a checkout."""

from .repository import GitRepository

__all__ = ["GitRepository"]
