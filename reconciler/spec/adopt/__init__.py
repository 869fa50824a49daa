"""Drift as a change of the desired state: which line of which file would have asked for what is live."""

from .adopt import adoptions
from .scene import Adoption, Left, Scene

__all__ = ["Adoption", "Left", "Scene", "adoptions"]
