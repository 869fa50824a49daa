"""GitHub and GitLab over their REST APIs: comments on pull requests, issues, and what keeps pushed branches off."""

from .connect import boundaries, forge

__all__ = ["boundaries", "forge"]
